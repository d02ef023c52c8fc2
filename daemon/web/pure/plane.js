/* plane.js - the sheet of paper in front of an arm: where it stands, and which parts of it
 * the tip can reach.  Pure.
 *
 * The sheet is upright, seen from behind the arm: u to the right, v up, both in m from its
 * middle.  A network that drives two joints cannot choose how far away the tip is: then a
 * point of the sheet means its direction alone, and the sheet bulges. */
import { margin, pose, reach, tipOf } from "./kinematics.js";

export const REACHED_m = 0.004; /* the daemon refuses from 5 mm */

/* the same poses every time: a linear congruential generator, Numerical Recipes */
function* poses(arm, n, held, count) {
  let seed = 1;
  for (let i = 0; i < count; i++)
    yield arm.joints.map(({ lo_rad: lo, hi_rad: hi }, j) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return j < n ? lo + ((hi - lo) * seed) / 2 ** 32 : (held[j] ?? 0);
    });
}

/* unit vector, along x or y, towards which the arm stretches at home */
function forwardOf(arm) {
  const tip = tipOf(arm, arm.joints.map(() => 0));
  return Math.abs(tip[0]) >= Math.abs(tip[1])
    ? [Math.sign(tip[0]) || 1, 0, 0] : [0, Math.sign(tip[1]), 0];
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/* a pose with the tip near a point, far from limits, the arm high rather than low */
function comfortable(arm, n, held, target, weight) {
  let best = null;
  for (const start of poses(arm, n, held, 80)) {
    const { q, off_m } = reach(arm, target, n, start, weight);
    if (off_m > REACHED_m) continue;
    const { frames } = pose(arm, q);
    const height = frames.reduce((sum, f) => sum + f.p[2], 0) / frames.length;
    const score = Math.min(margin(arm, q, n), 0.4) + 2 * height;
    if (!best || score > best.score) best = { q, score };
  }
  return best?.q ?? held.slice();
}

/** The sheet for an arm whose first n joints are driven; the others stay at held[]. */
export function placeSheet(arm, n, held) {
  const forward = forwardOf(arm);
  const right = [forward[1], -forward[0], 0];
  const tries = [...poses(arm, n, held, 3000)].map((q) =>
    ({ tip: tipOf(arm, q), isEasy: margin(arm, q, n) > 0.15 }));
  const far = Math.max(...tries.map(({ tip }) => dot(tip, forward)));
  const away = 0.67 * far;
  const near = tries.filter(({ tip, isEasy }) => isEasy && Math.abs(dot(tip, right)) < 0.35 * far
    && Math.abs(dot(tip, forward) - away) < 0.12 * far).map(({ tip }) => tip[2]).sort((a, b) => a - b);
  const width = 0.66 * far;
  const height = 0.75 * width;
  const middle = near.length ? near[near.length >> 1] : tipOf(arm, held)[2];
  const floor = Math.min(0, ...arm.geoms.filter((g) => g.type === "plane").map((g) => g.pos[2]));
  const z = Math.max(middle, floor + 0.05 * far + height / 2);
  const centre = forward.map((f, i) => away * f + (i === 2 ? z : 0));
  const isLoose = n < 3;
  const weight = isLoose ? forward.map((f, i) => (i < 2 ? 1 - Math.abs(f) : 1)) : [1, 1, 1];
  const start = comfortable(arm, n, held, centre, weight);
  return { n, forward, right, centre, width, height, weight, isLoose, start };
}

/** the point of the base's frame that (u, v) of the sheet means */
export function toSpace(sheet, u, v) {
  return sheet.centre.map((c, i) => c + u * sheet.right[i] + (i === 2 ? v : 0));
}

/** (u, v) of a point of the base's frame */
export function toSheet(sheet, p) {
  const d = p.map((x, i) => x - sheet.centre[i]);
  return [dot(d, sheet.right), d[2]];
}

/** The pose for a point of the sheet, from a pose near it; off_m as in reach(). */
export function reachSheet(arm, sheet, u, v, from = sheet.start) {
  return reach(arm, toSpace(sheet, u, v), sheet.n, from, sheet.weight);
}

/** columns x rows cells of the sheet from its lower left corner: 0 out of reach, else how far
 * the joints are from their limits (0 .. 1).  Spreads from the middle, each cell from a
 * neighbour's pose, as a pen does. */
export function reachMap(arm, sheet, columns, rows) {
  const map = new Float32Array(columns * rows);
  const found = new Array(columns * rows);
  const first = (rows >> 1) * columns + (columns >> 1);
  const queue = [[first, sheet.start]];
  const seen = new Set([first]);
  for (let i = 0; i < queue.length; i++) {
    const [cell, from] = queue[i];
    const c = cell % columns, r = (cell - c) / columns;
    const { q, off_m } = reachSheet(arm, sheet, ((c + 0.5) / columns - 0.5) * sheet.width,
      ((r + 0.5) / rows - 0.5) * sheet.height, from);
    const isReached = off_m <= REACHED_m;
    if (isReached) {
      found[cell] = q;
      map[cell] = Math.max(margin(arm, q, sheet.n), 1e-3);
    }
    for (const [dc, dr] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      const next = (r + dr) * columns + c + dc;
      if (c + dc < 0 || c + dc >= columns || r + dr < 0 || r + dr >= rows || seen.has(next))
        continue;
      if (!isReached && i > 0) continue; /* reach is one piece */
      seen.add(next);
      queue.push([next, isReached ? q : sheet.start]);
    }
  }
  return map;
}
