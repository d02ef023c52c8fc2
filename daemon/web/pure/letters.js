/* letters.js - capital letters in one stroke, for an arm that does not lift its pen.  Pure.
 *
 * In a box of 0 .. 1, y up.  A string of points "x,y"; "~" before a point: the pen comes to
 * it on a curve, else on a straight line.  Lines may be gone back along. */
const shapes = {
  A: "0,0 .5,1 1,0 .8,.4 .2,.4",
  B: "0,0 0,1 .5,1 ~.9,.78 ~.5,.54 0,.54 .5,.54 ~1,.28 ~.5,0 0,0",
  C: ".95,.8 ~.5,1 ~.03,.5 ~.5,0 ~.95,.2",
  D: "0,0 0,1 .4,1 ~.95,.5 ~.4,0 0,0",
  E: ".9,1 0,1 0,.52 .75,.52 0,.52 0,0 .9,0",
  F: ".9,1 0,1 0,.52 .75,.52 0,.52 0,0",
  G: ".93,.82 ~.5,1 ~.03,.5 ~.5,0 ~.95,.22 .95,.46 .58,.46",
  H: "0,1 0,0 0,.5 1,.5 1,1 1,0",
  I: ".2,1 .8,1 .5,1 .5,0 .2,0 .8,0",
  J: ".35,1 .85,1 .85,.3 ~.47,0 ~.1,.25",
  K: "0,1 0,0 0,.42 .95,1 .3,.6 1,0",
  L: "0,1 0,0 .9,0",
  M: "0,0 .08,1 .5,.25 .92,1 1,0",
  N: "0,0 0,1 1,0 1,1",
  O: ".5,1 ~.03,.5 ~.5,0 ~.97,.5 ~.5,1",
  P: "0,0 0,1 .5,1 ~.98,.74 ~.5,.48 0,.48",
  Q: ".75,.12 ~.5,0 ~.03,.5 ~.5,1 ~.97,.5 ~.75,.12 .62,.28 1,-.08",
  R: "0,0 0,1 .5,1 ~.98,.74 ~.5,.48 0,.48 .42,.48 1,0",
  S: ".9,.83 ~.5,1 ~.1,.76 ~.5,.52 ~.93,.26 ~.5,0 ~.07,.17",
  T: "0,1 1,1 .5,1 .5,0",
  U: "0,1 0,.4 ~.5,0 ~1,.4 1,1",
  V: "0,1 .5,0 1,1",
  W: "0,1 .25,0 .5,.75 .75,0 1,1",
  X: "0,0 1,1 .5,.5 0,1 1,0",
  Y: "0,1 .5,.48 1,1 .5,.48 .5,0",
  Z: ".05,1 .95,1 .05,0 .95,0",
};

export const LETTERS = Object.keys(shapes);

const parse = (text) => text.split(" ").map((word) => {
  const [x, y] = word.replace("~", "").split(",").map(Number);
  return { x, y, isCurved: word.startsWith("~") };
});

/* Catmull-Rom between b and c; a and d are their neighbours */
function curve(a, b, c, d, count) {
  const points = [];
  for (let i = 1; i <= count; i++) {
    const t = i / count;
    const mix = (p, q, r, s) => 0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t
      + (3 * q - p - 3 * r + s) * t ** 3);
    points.push([mix(a.x, b.x, c.x, d.x), mix(a.y, b.y, c.y, d.y)]);
  }
  return points;
}

/** the letter as points in the box: [[x, y], ...]; null for what is no letter */
export function outline(letter) {
  const shape = shapes[letter.toUpperCase()];
  if (!shape) return null;
  const points = parse(shape);
  const last = points.length - 1;
  const isClosed = points[0].x === points[last].x && points[0].y === points[last].y;
  const out = [[points[0].x, points[0].y]];
  for (let i = 1; i <= last; i++) {
    const b = points[i - 1], c = points[i];
    if (!c.isCurved) {
      out.push([c.x, c.y]);
      continue;
    }
    const before = b.isCurved || isClosed && i === 1 ? points[i - 2] ?? points[last - 1]
      : { x: 2 * b.x - c.x + (c.x - b.x), y: b.y };
    const after = points[i + 1]?.isCurved ? points[i + 1]
      : i === last && isClosed && points[1].isCurved ? points[1] : c;
    out.push(...curve(before, b, c, after, 14));
  }
  return out;
}

/** the letter as a stroke on the sheet, height_m high, around (u, v) */
export function letterStroke(letter, height_m, u = 0, v = 0) {
  return outline(letter)?.map(([x, y]) => ({
    u: u + 0.8 * height_m * (x - 0.5), v: v + height_m * (y - 0.5),
  })) ?? null;
}
