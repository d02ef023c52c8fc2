/* browser.js - a browser on a rig: pages that tell on themselves, and what every test of them
 * needs. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { politeBrowser, shots, until, webTests } from "./rig.js";

const require = createRequire(join(webTests, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const DESKTOP = { viewport: { width: 1440, height: 900 } };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const PATIENCE_ms = 30000;
const DRAWN_IN_SOFTWARE = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"];
export const NOT_DRAWN = ["--disable-3d-apis"];

export const textOf = (p, selector) => p.textContent(selector);
export const waitState = (p, state) => p.waitForSelector(`#state[data-state="${state}"]`);

export class Browser {
  /** complaints: of every page: errors, and requests that go elsewhere */
  constructor(rig) {
    this.rig = rig;
    this.complaints = [];
  }

  async start(how = DRAWN_IN_SOFTWARE) {
    mkdirSync(shots, { recursive: true });
    this.chromium = await chromium.launch({ executablePath: politeBrowser(),
      args: ["--no-sandbox", "--disable-dev-shm-usage", ...how] });
  }

  async open(options = DESKTOP, hash = `#token=${this.rig.token}`) {
    const { complaints, rig } = this;
    const context = await this.chromium.newContext(options);
    const p = await context.newPage();
    p.setDefaultTimeout(PATIENCE_ms);
    p.on("pageerror", (e) => complaints.push(e.stack));
    p.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
    p.on("request", (r) => !r.url().startsWith(rig.url) && !/^(data|blob):/.test(r.url()) && complaints.push(`asks ${r.url()}`));
    await p.goto(rig.url + hash);
    await p.waitForSelector("#state:not([data-state=unknown])");
    return p;
  }

  /** a machine that stands still makes armd stop the arm, as it should: then go on from there */
  async makeReady(p) {
    await until("an arm at rest", () => {
      const { state } = this.rig.ask("status");
      if (state === "fault" || state === "estop") this.rig.ask("reset");
      return state === "idle";
    });
    await waitState(p, "idle");
  }

  /** the run_done of a run that goes to its end, begun on the page: three tries */
  async runOnPage(p, name, meanwhile = async () => {}) {
    for (let tries = 0; tries < 3; tries++) {
      await this.makeReady(p);
      const heard = this.rig.record();
      await p.click(`[aria-label="Run ${name}"]`);
      await waitState(p, "running");
      if (!tries) await meanwhile();
      const done = (await heard).findLast((line) => line.kind === "run_done");
      if (done?.complete) return done;
    }
    assert.fail("armd stopped the arm three times: the machine is too slow");
  }

  close() {
    return this.chromium?.close();
  }
}

/** no serious finding of axe-core; it comes by the debugger: the page's policy lets no other script in */
export async function checkContrastAndRoles(p, where) {
  await p.evaluate(axe);
  const { violations } = await p.evaluate(() => globalThis.axe.run(document));
  const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact))
    .map((v) => `${where}: ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`);
  assert.deepEqual(serious, []);
}
