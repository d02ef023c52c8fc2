/* kinematics.js - where an arm of /arm.json is in a pose, and which pose brings its tip to a
 * point.  Pure: no page, no state.  m and rad in the frame of the base, z up, quaternions
 * w, x, y, z, as in the file.  The daemon plans what is taught; this is what drawing shows
 * meanwhile, and it hands the daemon joint angles, so both mean the same pose. */

const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const sub = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
];

function multiply(a, b) {
  return [
    a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
    a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
    a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
    a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
  ];
}

/** v turned by the quaternion q */
export function rotate(q, v) {
  const u = [q[1], q[2], q[3]];
  const t = cross(u, v).map((x) => 2 * x);
  return add(add(v, t.map((x) => q[0] * x)), cross(u, t));
}

/** the quaternion of a turn by `angle` about a unit axis */
export function about(axis, angle) {
  const s = Math.sin(angle / 2);
  return [Math.cos(angle / 2), s * axis[0], s * axis[1], s * axis[2]];
}

/** Frames of all bodies in pose q (missing joints: 0), and the axes of the joints. */
export function pose(arm, q) {
  const frames = [];
  const axes = [];
  arm.bodies.forEach((body, b) => {
    const up = b === 0 ? { p: [0, 0, 0], r: [1, 0, 0, 0] } : frames[body.parent];
    let p = add(up.p, rotate(up.r, body.pos));
    let r = multiply(up.r, body.quat);
    arm.joints.forEach((joint, j) => {
      if (joint.body !== b) return;
      const centre = add(p, rotate(r, joint.pos));
      axes[j] = { at: centre, axis: rotate(r, joint.axis) };
      r = multiply(r, about(joint.axis, (q[j] ?? 0) - (joint.ref_rad ?? 0)));
      p = sub(centre, rotate(r, joint.pos));
    });
    frames.push({ p, r });
  });
  return { frames, axes };
}

/** where the tip is */
export function tipOf(arm, q, { frames } = pose(arm, q)) {
  const frame = frames[arm.tip.body];
  return add(frame.p, rotate(frame.r, arm.tip.pos));
}

/** columns d tip / d q of the first n joints */
export function jacobian(arm, q, n, at = pose(arm, q)) {
  const tip = tipOf(arm, q, at);
  return Array.from({ length: n }, (_, j) => cross(at.axes[j].axis, sub(tip, at.axes[j].at)));
}

/* x of the n equations a x = b, n small; a is used up */
function solve(a, b) {
  const n = b.length;
  for (let i = 0; i < n; i++) {
    let best = i;
    for (let k = i + 1; k < n; k++) if (Math.abs(a[k][i]) > Math.abs(a[best][i])) best = k;
    [a[i], a[best]] = [a[best], a[i]];
    [b[i], b[best]] = [b[best], b[i]];
    for (let k = i + 1; k < n; k++) {
      const f = a[k][i] / a[i][i];
      for (let m = i; m < n; m++) a[k][m] -= f * a[i][m];
      b[k] -= f * b[i];
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let m = i + 1; m < n; m++) b[i] -= a[i][m] * b[m];
    b[i] /= a[i][i];
  }
  return b;
}

const clamp = (x, lo, hi) => Math.min(Math.max(x, lo), hi);
const LONGEST_STEP_rad = 0.35; /* the Jacobian is good no further */

function weightedError(arm, q, target, weight) {
  const at = pose(arm, q);
  const tip = tipOf(arm, q, at);
  const e = target.map((x, i) => weight[i] * (x - tip[i]));
  return { at, e, off_m: Math.hypot(...e) };
}

/* the step of damped least squares from here; joints at a limit that would leave it stay */
function dampedStep(arm, q, n, now, weight, lambda) {
  const J = jacobian(arm, q, n, now.at).map((c) => c.map((x, i) => weight[i] * x));
  const gradient = J.map((c) => c[0] * now.e[0] + c[1] * now.e[1] + c[2] * now.e[2]);
  const isFree = gradient.map((g, j) => {
    const { lo_rad: lo, hi_rad: hi } = arm.joints[j];
    return !((q[j] <= lo + 1e-9 && g < 0) || (q[j] >= hi - 1e-9 && g > 0));
  });
  const A = J.map((a, j) => J.map((b, k) =>
    (isFree[j] && isFree[k] ? a[0] * b[0] + a[1] * b[1] + a[2] * b[2] : 0)
    + (j === k ? (isFree[j] ? lambda : 1) : 0)));
  const step = solve(A, gradient.map((g, j) => (isFree[j] ? g : 0)));
  const longest = Math.max(...step.map(Math.abs), LONGEST_STEP_rad);
  return step.map((x) => (x * LONGEST_STEP_rad) / longest);
}

/** Inverse kinematics of the first n joints from the pose q0, inside the ranges; weight of
 * each axis (0: any place along it will do).  {q, off_m: the distance that remains}. */
export function reach(arm, target, n, q0, weight = [1, 1, 1], iterations = 40) {
  let q = q0.map((x, j) => (j < n ? clamp(x, arm.joints[j].lo_rad, arm.joints[j].hi_rad) : x));
  let now = weightedError(arm, q, target, weight);
  let lambda = 1e-3;
  for (let i = 0; i < iterations && now.off_m > 1e-5; i++) {
    const step = dampedStep(arm, q, n, now, weight, lambda);
    const trial = q.map((x, j) =>
      (j < n ? clamp(x + step[j], arm.joints[j].lo_rad, arm.joints[j].hi_rad) : x));
    const then = weightedError(arm, trial, target, weight);
    const isBetter = then.off_m < now.off_m;
    if (isBetter && now.off_m - then.off_m < 1e-7) return { q: trial, off_m: then.off_m };
    if (isBetter) [q, now] = [trial, then];
    lambda = clamp(isBetter ? lambda / 4 : lambda * 8, 1e-7, 10);
  }
  return { q, off_m: now.off_m };
}

/** How near to the end of its range the nearest of the first n joints is: 0 at it, 1 in the
 * middle of the range. */
export function margin(arm, q, n) {
  return Math.min(...arm.joints.slice(0, n).map(({ lo_rad: lo, hi_rad: hi }, j) =>
    (2 * Math.min(q[j] - lo, hi - q[j])) / (hi - lo)));
}
