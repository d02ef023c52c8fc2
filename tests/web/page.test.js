/* The real page in a real browser, on the real armweb, armd and armsim.  One rig for all: the
 * tests go through a session in order.  Pictures for people to look at go to build/web-shots. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Browser, checkContrastAndRoles, DESKTOP, PHONE, textOf, waitState } from "./browser.js";
import { Rig, shots, until } from "./rig.js";

const rig = new Rig();
const browser = new Browser(rig);
const { complaints } = browser;
const open = (...args) => browser.open(...args);
const makeReady = (p) => browser.makeReady(p);
const numberIn = (text) => Number(/-?[\d.]+/.exec(text)?.[0]);
let page;

async function drawWave(p) {
  const box = await p.locator("#pad").boundingBox();
  const to = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  await p.mouse.move(...to(0.25, 0.6));
  await p.mouse.down();
  for (let k = 0; k <= 40; k++) {
    await p.mouse.move(...to(0.25 + 0.5 * (k / 40), 0.5 + 0.2 * Math.sin((2 * Math.PI * k) / 40 + 0.45)));
    await p.waitForTimeout(12);
  }
  await p.mouse.up();
}

before(async () => {
  await rig.startAll();
  await browser.start();
  page = await open();
}, { timeout: 60000 });

after(async () => {
  await browser.close();
  await rig.stop();
});

test("the page shows the arm, and the token is gone from the address", async () => {
  await makeReady(page);
  assert.equal(await textOf(page, "#arm-name"), "scorbot");
  assert.equal(new URL(page.url()).hash, "");
  assert.equal(await textOf(page, "#access"), "You have control");
  assert.equal(await page.locator("#servos tr").count(), 4);
  assert.deepEqual(complaints, []);
});

test("what is cleared again cannot be taught", async () => {
  await page.click("[data-pen=points]");
  const box = await page.locator("#pad").boundingBox();
  await page.mouse.click(box.x + box.width * 0.5, box.y + box.height * 0.5);
  await page.mouse.click(box.x + box.width * 0.5, box.y + box.height * 0.4);
  assert.match(await textOf(page, "#verdict"), /In reach/);
  await page.click("#clear");
  assert.ok(await page.isDisabled("#teach-go"));
  await page.click("[data-pen=free]");
});

test("draw, teach, see the error fall, run: the figures are armd's", async () => {
  await drawWave(page);
  assert.match(await textOf(page, "#verdict"), /In reach/);
  await page.fill("#name", "wave");
  await makeReady(page);
  await page.click("#teach-go");
  await page.waitForSelector("#lesson-run:not([hidden])");
  const bars = await page.locator("#lesson-bars li span:first-child").allTextContents();
  const taught = rig.ask("skill", "wave");
  assert.equal(bars.length, taught.updates.length);
  bars.forEach((bar, k) => assert.ok(Math.abs(Number(bar) - taught.updates[k].tip_rmse_mm) <= 0.51,
    `${bar} is not ${taught.updates[k].tip_rmse_mm}`));
  assert.ok(taught.tip_rmse_mm < 15 && taught.tip_rmse_mm < taught.updates[0].tip_rmse_mm / 4);
  await page.waitForSelector('#chip-map[aria-label*="wave"]');
  await runAndCompare("wave");
});

async function runAndCompare(name) {
  const event = await browser.runOnPage(page, name, async () => {
    await page.waitForFunction(() => /^Running/.test(document.getElementById("story").textContent));
    await page.waitForTimeout(900);
    await page.screenshot({ path: join(shots, "running.png") });
  });
  await page.waitForFunction(() => /done/.test(document.getElementById("story").textContent));
  assert.equal(numberIn(await textOf(page, "#error-executed")), +event.tip_rmse_mm.toFixed(1));
  assert.equal(numberIn(await textOf(page, "#error-learned")), +event.network_rmse_mm.toFixed(1));
  assert.match(await textOf(page, "#story"), new RegExp(`${event.tip_rmse_mm.toFixed(1)} mm`));
  assert.match(await textOf(page, "#mind-rate"), /Hz/);
}

test("pictures: desktop, dark, phone; no serious finding of axe-core in any", async () => {
  await page.screenshot({ path: join(shots, "desktop.png") });
  await checkContrastAndRoles(page, "desktop");
  const dark = await open({ ...DESKTOP, colorScheme: "dark" });
  await dark.click("[data-pen=letter]");
  await dark.waitForTimeout(600);
  await dark.screenshot({ path: join(shots, "dark.png") });
  await checkContrastAndRoles(dark, "dark");
  await dark.context().close();
  const phone = await open(PHONE);
  await phone.waitForTimeout(600);
  await phone.screenshot({ path: join(shots, "phone.png") });
  await phone.locator("#teach").scrollIntoViewIfNeeded();
  await phone.evaluate(() => document.getElementById("teach").scrollIntoView());
  await phone.screenshot({ path: join(shots, "phone-draw.png") });
  assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth) <= PHONE.viewport.width, "wider than a phone");
  await checkContrastAndRoles(phone, "phone");
  await phone.context().close();
});

test("by keyboard alone: a letter, teach, run, stop", async () => {
  await makeReady(page);
  await page.focus("[data-pen=free]");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Tab"); /* to the sheet */
  await page.keyboard.press("Tab"); /* to the letter */
  await page.keyboard.type("z");
  assert.equal(await page.inputValue("#name"), "Z");
  await page.keyboard.press("Tab"); /* size */
  await page.keyboard.press("t");
  await page.waitForFunction(() => document.getElementById("lesson-run").textContent.includes("Z"));
  await page.waitForSelector("#lesson-run:not([hidden])");
  await makeReady(page);
  await page.keyboard.press("r");
  await waitState(page, "running");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !["running", "stopping"].includes(document.getElementById("state").dataset.state));
  await until("rest", () => ["idle", "fault"].includes(rig.ask("status").state));
});

test("points by keyboard: arrows, Enter, Backspace", async () => {
  await page.click("#clear");
  await page.focus("#pad");
  for (const key of ["ArrowLeft", "Enter", "Shift+ArrowRight", "Shift+ArrowUp", "Enter", "Shift+ArrowRight", "Enter", "Backspace"])
    await page.keyboard.press(key);
  assert.equal(await page.getAttribute("[data-pen=points]", "aria-checked"), "true");
  assert.match(await textOf(page, "#verdict"), /In reach/);
});

test("an e-stop of the page latches within 200 ms", async () => {
  await makeReady(page);
  await page.evaluate(() => addEventListener("keydown", (e) => (globalThis.pressed ??= { [e.key]: Date.now() }), { capture: true }));
  let end;
  const heard = rig.record(new Promise((go) => (end = go)));
  await page.click('[aria-label="Run wave"]');
  await waitState(page, "running");
  await page.keyboard.press("F9");
  await waitState(page, "estop");
  end();
  const latch = (await heard).find((line) => line.kind === "state" && line.to === "estop");
  const took_ms = Math.round(1000 * latch.t_s - (await page.evaluate(() => globalThis.pressed.F9)));
  console.log(`      e-stop: latched ${took_ms} ms after the key`);
  assert.ok(took_ms <= 200, `${took_ms} ms`);
  await waitState(page, "estop");
  assert.match(await textOf(page, "#story"), /Emergency stop/);
  await page.screenshot({ path: join(shots, "estop.png") });
  await page.click("#reset");
  await waitState(page, "idle");
});

test("a skill is renamed and forgotten", async () => {
  await makeReady(page);
  await page.click('[aria-label="More for Z"]');
  await page.fill('[aria-label="New name of Z"]', "zed");
  await page.waitForTimeout(7000); /* the list is asked for again meanwhile */
  assert.equal(await page.inputValue('[aria-label="New name of Z"]'), "zed");
  await page.click("text=Rename");
  await page.waitForSelector('[aria-label="Run zed"]');
  await page.click('[aria-label="More for zed"]');
  await page.click("text=Forget");
  await page.click("text=Really forget?");
  await page.waitForSelector('[aria-label="Run zed"]', { state: "detached" });
  assert.deepEqual(rig.ask("skills").skills.map((s) => s.name), ["wave"]);
});

test("without the token, or with a wrong one: looking works, acting is refused", async () => {
  const other = await open(DESKTOP, "");
  assert.equal(await textOf(other, "#access"), "Looking only");
  await other.waitForSelector('[aria-label="Run wave"]');
  assert.ok(await other.isDisabled('[aria-label="Run wave"]'));
  assert.ok(await other.isDisabled("#teach-go"));
  assert.ok(await other.isDisabled("#home"));
  assert.ok(await other.isEnabled("#estop"));
  await other.click("#access");
  await other.fill("#token", "0".repeat(32));
  await other.keyboard.press("Enter");
  await other.waitForFunction(() => document.getElementById("token-wrong").textContent);
  await checkContrastAndRoles(other, "token");
  await other.fill("#token", rig.token);
  await other.keyboard.press("Enter");
  await other.waitForFunction(() => document.getElementById("access").dataset.acting === "true");
  assert.equal(await other.evaluate(() => sessionStorage.getItem("armd.token")), rig.token);
  await other.context().close();
});

test("armd goes and comes: the page greys, and comes back", async () => {
  await rig.end("armd");
  await page.waitForSelector("body.is-lost");
  assert.match(await textOf(page, "#lost"), /armd does not answer/);
  await page.screenshot({ path: join(shots, "lost.png") });
  await rig.startArmd();
  await page.waitForSelector("body:not(.is-lost)");
  await page.waitForSelector('[aria-label="Run wave"]'); /* kept on disk */
});

test("armweb freezes: the page greys; ends: the page finds the next one", async () => {
  rig.processes.armweb.kill("SIGSTOP");
  const begun = Date.now();
  await page.waitForSelector("body.is-lost");
  console.log(`      frozen: grey after ${Date.now() - begun} ms`);
  assert.match(await textOf(page, "#lost"), /No connection to armweb/);
  rig.processes.armweb.kill("SIGCONT");
  await page.waitForSelector("body:not(.is-lost)");
  const before_ = complaints.length;
  await rig.end("armweb", "SIGKILL");
  await page.waitForSelector("body.is-lost");
  await rig.startWeb();
  await page.waitForSelector("body:not(.is-lost)");
  await page.waitForFunction(() => document.getElementById("access").dataset.acting === "true");
  complaints.length = before_; /* the browser says that nobody listened meanwhile */
});

test("no page complained, or asked for anything elsewhere", () => {
  assert.deepEqual(complaints, []);
});
