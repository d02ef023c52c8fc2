/* main.js - puts the page together:
 *
 *     armweb -> connection -> model -> store -> views -> actions -> connection -> armweb
 */
import { startAccess } from "./access.js";
import { Actions } from "./actions.js";
import { startChip } from "./chip.js";
import { startColours } from "./colours.js";
import { Connection } from "./connection.js";
import { Draw } from "./draw.js";
import { startGuide } from "./guide.js";
import { startKeys } from "./keys.js";
import { Lesson } from "./lesson.js";
import { startLoop } from "./loop.js";
import { startMind } from "./mind.js";
import { initial, Model } from "./model.js";
import { startServos } from "./servos.js";
import { takeTokenFromAddress } from "./session.js";
import { Skills } from "./skills.js";
import { startStage } from "./stage.js";
import { startStatus } from "./status.js";
import { Store } from "./store.js";

const STATUS_ms = 2000, SKILLS_ms = 6000, TOAST_ms = 6000;

function say(sentence) {
  const p = document.createElement("p");
  p.textContent = sentence;
  document.getElementById("toasts").append(p);
  setTimeout(() => p.remove(), TOAST_ms);
}

takeTokenFromAddress();
const store = new Store(initial());
let connection = null;
const ask = { request: (...args) => connection.request(...args) };
const model = new Model(store, ask);
const actions = new Actions(store, ask, model, say);

startColours(document.getElementById("theme"));
startStage(store);
startStatus(store, actions);
startAccess(store, () => connection);
const draw = new Draw(store, actions);
new Lesson(store, actions);
startGuide(store, actions);
new Skills(store, model, actions);
startMind(store);
startChip(store);
startLoop(store);
startServos(store);
startKeys(store, actions, draw);
store.set(store.state); /* every view once, with nothing known */

connection = new Connection(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, {
  heed: (message) => model.heed(message),
  changed: (isThere) => model.thereIs(isThere),
});
const isLive = () => store.state.isThere && store.state.armd === "up" && !document.hidden;
setInterval(() => isLive() && (model.refreshStatus(), model.refreshLatency()), STATUS_ms);
setInterval(() => isLive() && model.refreshSkills(), SKILLS_ms);
store.set({ arm: await (await fetch("arm.json")).json() });
