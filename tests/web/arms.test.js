/* The page with other arms and other hands: six servos led by hand, a finger on a phone, faults in
 * words, a browser that cannot draw in three dimensions. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Browser, checkContrastAndRoles, DESKTOP, NOT_DRAWN, PHONE, textOf, waitState } from "./browser.js";
import { Rig, shots, until } from "./rig.js";

const names = (rig) => rig.ask("skills").skills.map((s) => s.name);

/** a rig, a browser and a page for the tests within */
function withPage(rig, how, options, tests) {
  const browser = new Browser(rig);
  const at = { rig, browser };
  before(async () => {
    await rig.startAll();
    await browser.start(how);
    at.page = await browser.open(options);
    await browser.makeReady(at.page);
  }, { timeout: 120000 });
  after(async () => {
    await browser.close();
    await rig.stop();
  });
  tests(at);
  test("no page complained, or asked for anything elsewhere", () => assert.deepEqual(browser.complaints, []));
}

/* a small letter is within reach of every arm */
async function teachLetter(p, letter) {
  await p.click("[data-pen=letter]");
  await p.fill("#letter", letter);
  await p.waitForFunction(() => /In reach/.test(document.getElementById("verdict").textContent));
  await p.click("#teach-go");
  await p.waitForSelector("#lesson-run:not([hidden])");
}

const finger = (client, type, x, y) => client.send("Input.dispatchTouchEvent",
  { type, touchPoints: type === "touchEnd" ? [] : [{ x, y }] });

describe("six Feetech servos, and a hand", () =>
  withPage(new Rig({ conf: "so101", arm: "so101" }), undefined, DESKTOP, (at) => {
    test("the page has the arm that it is", async () => {
      assert.equal(await textOf(at.page, "#arm-name"), "so101");
      assert.equal(await at.page.locator("#servos tr").count(), 6);
    });

    test("a letter is taught and run", async () => {
      await teachLetter(at.page, "c");
      await at.browser.runOnPage(at.page, "C", () => at.page.screenshot({ path: join(shots, "so101.png") }));
    });
  }));

describe("four Dynamixel servos of a desktop arm, led by hand", () =>
  withPage(new Rig({ conf: "openmanipulator-x", arm: "openmanipulator-x", ids: "11,12,13,14" }), undefined, DESKTOP, (at) => {
    test("what a hand shows is recorded, learned and run", async () => {
      const { page, rig } = at;
      await page.click("text=Show it by hand");
      await page.click("#guide-go");
      await waitState(page, "guiding");
      assert.match(await textOf(page, "#story"), /Led by hand/);
      const q = rig.ask("status").q_rad;
      const lead = async (way_rad) => {
        const goal = q.map((x, k) => (x + (k < 2 ? way_rad : 0)).toFixed(3)).join(" ");
        assert.ok((await rig.tellSim(`hand ${goal} +1.5`)).ok);
        await page.waitForTimeout(1800);
      };
      await lead(0.3);
      await lead(0);
      await rig.tellSim("hand off");
      await page.click("#guide-go");
      await page.waitForSelector('[aria-label="Run by-hand"]');
      assert.deepEqual(names(rig), ["by-hand"]);
      await at.browser.runOnPage(page, "by-hand");
    });
  }));

describe("faults and a finger on a phone", () =>
  withPage(new Rig(), undefined, PHONE, (at) => {
    test("a finger draws, and the arm learns it", async () => {
      const { page } = at;
      await page.locator("#pad").scrollIntoViewIfNeeded();
      const box = await page.locator("#pad").boundingBox();
      const client = await page.context().newCDPSession(page);
      const point = (k) => [box.x + box.width * (0.3 + 0.4 * (k / 30)), box.y + box.height * (0.5 + 0.15 * Math.sin(k / 4))];
      await finger(client, "touchStart", ...point(0));
      for (let k = 1; k <= 30; k++) {
        await finger(client, "touchMove", ...point(k));
        await page.waitForTimeout(15);
      }
      await finger(client, "touchEnd");
      assert.match(await textOf(page, "#verdict"), /In reach/);
      await page.fill("#name", "finger");
      await page.click("#teach-go");
      await page.waitForSelector("#lesson-run:not([hidden])");
      assert.deepEqual(names(at.rig), ["finger"]);
    });

    test("a fault is told in words, with its way out, and left from the page", async () => {
      const { page, rig } = at;
      await at.browser.makeReady(page);
      await rig.tellSim("fault overload:2");
      await waitState(page, "fault");
      await page.waitForFunction(() => /Way out/.test(document.getElementById("faults").textContent));
      const told = await textOf(page, "#faults");
      const [trouble] = rig.ask("status").trouble;
      assert.ok(told.includes(trouble.way_out) && told.includes(trouble.fault), told);
      await page.screenshot({ path: join(shots, "phone-fault.png") });
      await checkContrastAndRoles(page, "fault");
      await rig.tellSim("clear");
      await until("a reset that works", async () => {
        await page.click("#reset", { timeout: 500 }).catch(() => "it has worked meanwhile");
        return rig.ask("status").state === "idle";
      });
      await waitState(page, "idle");
    });
  }));

describe("a browser without WebGL", () =>
  withPage(new Rig(), NOT_DRAWN, DESKTOP, (at) => {
    test("says so, and everything else works", async () => {
      const { page } = at;
      assert.ok(await page.isVisible("#no-scene"));
      await teachLetter(page, "s");
      await at.browser.runOnPage(page, "S");
      await page.screenshot({ path: join(shots, "no-webgl.png") });
      at.browser.complaints = at.browser.complaints.filter((c) => !/WebGL/.test(c));
    });
  }));
