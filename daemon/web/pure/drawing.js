/* drawing.js - from a stroke on the sheet to a showing that armd takes.  Pure.
 *
 * A stroke is [{u, v, t}]: m on the sheet, and s of the pen's clock, or no t for points and
 * letters, which are gone along at an even speed.  Between the corners the path is smoothed
 * (Gaussian), and it begins and ends at rest.  Joint speeds shrink with the time it takes
 * and accelerations with its square, so one look at the path gives the shortest time. */
import { tipOf } from "./kinematics.js";
import { REACHED_m, reachSheet } from "./plane.js";

export const SAMPLES = 240;      /* of a path that is planned */
export const LONGEST_s = 20;     /* of the slider; armd takes up to 60 */
export const SEGMENT_s = 2.5;    /* one core of the chip */
const RAMP = 0.16;               /* share of the time to get going, and to stop */
const SMOOTH = 0.018;            /* of the path's time: sd of the Gaussian */
const ROOM = 1.08;               /* speeds stay so much below the limits */
const LEAST_m = 0.01;            /* shorter is a dot */

/** length of a stroke in m */
export function lengthOf(stroke) {
  let sum = 0;
  for (let i = 1; i < stroke.length; i++)
    sum += Math.hypot(stroke[i].u - stroke[i - 1].u, stroke[i].v - stroke[i - 1].v);
  return sum;
}

/* share of the way, by the pen's clock or by length, at every point of the stroke */
function progress(stroke) {
  const hasClock = stroke.every((p) => Number.isFinite(p.t));
  const at = [0];
  for (let i = 1; i < stroke.length; i++) {
    const step = hasClock ? Math.max(stroke[i].t - stroke[i - 1].t, 0)
      : Math.hypot(stroke[i].u - stroke[i - 1].u, stroke[i].v - stroke[i - 1].v);
    at.push(at[i - 1] + step);
  }
  return at.map((x) => x / (at[at.length - 1] || 1));
}

/* the stroke at a share of its way; mirrored through its ends beyond them, so that smoothing
 * leaves the ends where they are */
function at(stroke, when, x) {
  if (x < 0 || x > 1) {
    const end = stroke[x < 0 ? 0 : stroke.length - 1];
    const inside = at(stroke, when, Math.min(Math.max(x < 0 ? -x : 2 - x, 0), 1));
    return [2 * end.u - inside[0], 2 * end.v - inside[1]];
  }
  let i = 0, j = stroke.length - 1;
  while (j - i > 1) {
    const m = (i + j) >> 1;
    if (when[m] <= x) i = m; else j = m;
  }
  const w = (x - when[i]) / (when[j] - when[i] || 1);
  return [stroke[i].u + w * (stroke[j].u - stroke[i].u),
    stroke[i].v + w * (stroke[j].v - stroke[i].v)];
}

/** share of the way after a share of the time: at rest at both ends, even between */
export function ease(time) {
  const t = Math.min(Math.max(time, 0), 1);
  if (t > 0.5) return 1 - ease(1 - t);
  const full = 1 / (1 - RAMP);
  return t < RAMP ? (full * t * t) / (2 * RAMP) : full * (t - RAMP / 2);
}

/** the smoothed stroke at count + 1 even moments: [[u, v], ...] */
export function smooth(stroke, count = SAMPLES) {
  const when = progress(stroke);
  return Array.from({ length: count + 1 }, (_, k) => {
    const x = ease(k / count);
    const sum = [0, 0];
    let weight = 0;
    for (let i = -9; i <= 9; i++) {
      const w = Math.exp(-0.5 * (i / 3) ** 2);
      const p = at(stroke, when, x + (i / 3) * SMOOTH);
      sum[0] += w * p[0];
      sum[1] += w * p[1];
      weight += w;
    }
    return [sum[0] / weight, sum[1] / weight];
  });
}

/* the shortest time in s that keeps joint j of all poses below its limits */
function shortest(q, j, limits) {
  const h = 1 / (q.length - 1);
  let v = 0, a = 0;
  for (let k = 1; k < q.length; k++) {
    v = Math.max(v, Math.abs(q[k][j] - q[k - 1][j]) / h);
    if (k + 1 < q.length)
      a = Math.max(a, Math.abs(q[k + 1][j] - 2 * q[k][j] + q[k - 1][j]) / h ** 2);
  }
  return Math.max((ROOM * v) / limits.v_max_rad_s, Math.sqrt((ROOM * a) / limits.a_max_rad_s2));
}

/** Plans a stroke: {uv, q, tip, isReached: [..], outside: count, shortest_s}, or null when
 * it is no more than a dot.  limits: of every joint, as `hello` gives them. */
export function plan(arm, sheet, stroke, limits) {
  if (stroke.length < 2 || lengthOf(stroke) < LEAST_m) return null;
  const uv = smooth(stroke);
  const q = [], isReached = [];
  let from = sheet.start;
  for (const [u, v] of uv) {
    const found = reachSheet(arm, sheet, u, v, from);
    isReached.push(found.off_m <= REACHED_m);
    if (found.off_m <= REACHED_m) from = found.q;
    q.push(found.q);
  }
  const times = limits.slice(0, sheet.n).map((l, j) => shortest(q, j, l));
  return { uv, q, tip: q.map((x) => tipOf(arm, x)), isReached,
    outside: isReached.filter((x) => !x).length, shortest_s: Math.max(...times) };
}

/** The showing of a plan: joint angles of the driven joints, evenly over duration_s. */
export function showing(plan_, n, duration_s) {
  return { space: "joint", duration_s,
    points: plan_.q.map((q) => q.slice(0, n).map((x) => Math.round(1e6 * x) / 1e6)) };
}

/** cores that a duration takes */
export const coresFor = (duration_s) => Math.ceil(duration_s / SEGMENT_s - 1e-9);
