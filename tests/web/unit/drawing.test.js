/* The pure parts of the page: properties, on the arm of the shipped configuration. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { jacobian, reach, tipOf } from "../../../daemon/web/pure/kinematics.js";
import { placeSheet, reachMap, reachSheet, toSheet, toSpace } from "../../../daemon/web/pure/plane.js";
import { ease, lengthOf, plan, showing, smooth } from "../../../daemon/web/pure/drawing.js";
import { LETTERS, letterStroke, outline } from "../../../daemon/web/pure/letters.js";
import { Raster } from "../../../daemon/web/pure/raster.js";

/* the chain of config/arms/scorbot.xml, as armweb gives it */
const arm = JSON.parse(readFileSync(new URL("scorbot.json", import.meta.url)));
const limits = arm.joints.map(() => ({ v_max_rad_s: 2, a_max_rad_s2: 8 }));
const home = [0, 0, 0, 0];
const sheet = placeSheet(arm, 4, home);
const near = (a, b, by) => assert.ok(Math.abs(a - b) <= by, `${a} is not ${b} +- ${by}`);

test("the tip at home is where the arm's file says", () => {
  const tip = tipOf(arm, home);
  [0.920, -0.033, 0.3585].forEach((x, i) => near(tip[i], x, 1e-5));
});

test("the Jacobian is the slope of the tip", () => {
  const q = [0.3, 0.5, -0.8, 0.4], h = 1e-6;
  jacobian(arm, q, 4).forEach((column, j) => {
    const more = q.map((x, k) => (k === j ? x + h : x));
    tipOf(arm, more).forEach((x, i) => near((x - tipOf(arm, q)[i]) / h, column[i], 1e-5));
  });
});

test("inverse kinematics comes back to where a pose was, inside the ranges", () => {
  for (let k = 0; k < 40; k++) {
    const q = arm.joints.map((j, i) => j.lo_rad + (j.hi_rad - j.lo_rad) * ((k * (3 + i)) % 11 + 0.5) / 11);
    const found = reach(arm, tipOf(arm, q), 4, q.map((x) => x + 0.1), [1, 1, 1], 200);
    near(found.off_m, 0, 1e-3);
    found.q.forEach((x, i) => assert.ok(x >= arm.joints[i].lo_rad && x <= arm.joints[i].hi_rad));
  }
});

test("sheet and space are the same place", () => {
  const [u, v] = toSheet(sheet, toSpace(sheet, 0.1, -0.05));
  near(u, 0.1, 1e-12);
  near(v, -0.05, 1e-12);
  const right = toSpace(sheet, 0.1, 0); /* seen from behind the arm */
  assert.ok(right[1] < toSpace(sheet, 0, 0)[1]);
});

test("the middle of the sheet is in reach, what is far away is not", () => {
  near(reachSheet(arm, sheet, 0, 0).off_m, 0, 1e-3);
  assert.ok(reachSheet(arm, sheet, 3, 0).off_m > 1);
  const map = reachMap(arm, sheet, 24, 18);
  assert.ok(map.filter((x) => x > 0).length > 0.6 * map.length);
});

test("two joints reach the sheet's directions", () => {
  const loose = placeSheet(arm, 2, home);
  const found = reachSheet(arm, loose, 0.1, 0.1);
  const [u, v] = toSheet(loose, tipOf(arm, found.q));
  near(u, 0.1, 1e-3);
  near(v, 0.1, 1e-3);
  assert.deepEqual(found.q.slice(2), [0, 0]);
});

test("a movement rests at both ends and never goes back", () => {
  near(ease(0), 0, 0);
  near(ease(1), 1, 0);
  for (let k = 0; k < 200; k++) assert.ok(ease((k + 1) / 200) >= ease(k / 200));
  assert.ok(ease(0.01) < 0.001 && 1 - ease(0.99) < 0.001);
});

test("smoothing keeps the ends and the scale of a stroke", () => {
  const stroke = [{ u: 0, v: 0 }, { u: 0.1, v: 0 }, { u: 0.1, v: 0.1 }];
  const uv = smooth(stroke);
  assert.deepEqual(uv[0].map((x) => +x.toFixed(9)), [0, 0]);
  near(uv.at(-1)[0], 0.1, 1e-9);
  near(uv.at(-1)[1], 0.1, 1e-9);
  assert.ok(lengthOf(uv.map(([u, v]) => ({ u, v }))) <= lengthOf(stroke));
});

test("the shortest time of a plan keeps joint speeds and accelerations", () => {
  for (const letter of "OSZ") {
    const p = plan(arm, sheet, letterStroke(letter, 0.25), limits);
    assert.equal(p.outside, 0);
    const dt = p.shortest_s / (p.q.length - 1);
    for (let k = 1; k + 1 < p.q.length; k++)
      for (let j = 0; j < 4; j++) {
        assert.ok(Math.abs(p.q[k][j] - p.q[k - 1][j]) / dt <= 2);
        assert.ok(Math.abs(p.q[k + 1][j] - 2 * p.q[k][j] + p.q[k - 1][j]) / dt ** 2 <= 8);
      }
  }
});

test("a stroke that leaves the reach says so, a dot is no stroke", () => {
  const p = plan(arm, sheet, [{ u: 0, v: 0 }, { u: 1.5, v: 0 }], limits);
  assert.ok(p.outside > 0 && p.isReached[0] && !p.isReached.at(-1));
  assert.equal(plan(arm, sheet, [{ u: 0, v: 0 }, { u: 0.001, v: 0 }], limits), null);
  assert.equal(plan(arm, sheet, [{ u: 0, v: 0 }], limits), null);
});

test("a showing has the driven joints and the time that was asked for", () => {
  const p = plan(arm, sheet, letterStroke("O", 0.25), limits);
  const s = showing(p, 4, 2.5);
  assert.equal(s.duration_s, 2.5);
  assert.ok(s.points.length > 100 && s.points.every((x) => x.length === 4));
  assert.ok(JSON.stringify(s).length < 200000);
});

test("every letter is one stroke inside its box", () => {
  assert.equal(LETTERS.length, 26);
  for (const letter of LETTERS)
    for (const [x, y] of outline(letter))
      assert.ok(x > -0.2 && x < 1.2 && y > -0.2 && y < 1.2, `${letter}: ${x}, ${y}`);
  assert.equal(outline("?"), null);
});

test("a raster keeps the newest ticks, in order, gaps and all", () => {
  const raster = new Raster(10, 4);
  const seen = () => {
    const out = [];
    raster.each((column, id) => out.push([column, id]));
    return out;
  };
  assert.deepEqual(seen(), []);
  raster.add({ tick: 100, ids: [1, 2] });
  raster.add({ tick: 102, ids: [3] });
  assert.deepEqual(seen(), [[1, 1], [1, 2], [3, 3]]);
  raster.add({ tick: 104, ids: [4] });
  assert.deepEqual(seen(), [[1, 3], [3, 4]]);
  raster.add({ tick: 5, ids: [9, 11] }); /* armd began anew; 11 is no neuron */
  assert.deepEqual(seen(), [[3, 9]]);
});

test("a raster's rate is spikes per neuron and second", () => {
  const raster = new Raster(100, 50);
  for (let tick = 0; tick < 20; tick++) raster.add({ tick, ids: [1, 2] });
  near(raster.rate_Hz(10), 2, 1e-9);
});
