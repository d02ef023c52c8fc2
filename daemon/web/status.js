/* status.js - what goes on, in words: the state, the story, faults and their way out, and the
 * loss of the connection. */
import { setText } from "./text.js";

const $ = (id) => document.getElementById(id);

const words = {
  idle: "ready", limp: "limp", guiding: "led by hand", learning: "learning", running: "running",
  stopping: "stopping", fault: "fault", estop: "emergency stop", unknown: "not connected",
};

function stateOf({ isThere, armd, now, status }) {
  if (!isThere || armd !== "up") return "unknown";
  if (status && status.link === false) return status.state;
  return now?.state ?? status?.state ?? "unknown";
}

function story(state) {
  const { run, lesson, skills, info, status } = state;
  const now = stateOf(state);
  if (now === "unknown") return "Waiting for armd.";
  if (status?.link === false) return `No arm: ${status.link_error ?? "the bus is not open"}.`;
  if (now === "estop") return "Emergency stop. The arm holds still until somebody resets it.";
  if (now === "fault") return "The arm has stopped by itself. What is wrong is below.";
  if (now === "learning") return `Learning${lesson && !lesson.isDone ? ` “${lesson.name}”` : ""} from one showing, the arm still.`;
  if (now === "guiding") return "Led by hand: what you show is recorded.";
  if (now === "limp") return "The motors are off: the arm can be moved by hand.";
  if (now === "running" && run?.isPlaying) return `Running “${run.name}”: ${run.executed_mm.toFixed(1)} mm from where it should be.`;
  if (now === "running") return `Going to the start${status?.skill ? ` of “${status.skill}”` : ""}.`;
  if (now === "stopping") return "Ramping to rest.";
  if (run?.done) {
    const { name, tip_rmse_mm: rmse, tip_max_mm: most, complete } = run.done;
    return `“${name}” ${complete === false ? "was stopped" : "done"}: ${rmse.toFixed(1)} mm from the drawing on average, ${most.toFixed(1)} mm at worst.`;
  }
  if (!skills.length) return "Ready. Draw a path, and the spiking network learns it from this one showing.";
  return `Ready. ${skills.length} path${skills.length > 1 ? "s" : ""} learned on ${info?.backend === "pcm" ? "phase-change memory" : "ideal weights"}.`;
}

function showFaults({ status, mode }) {
  const list = mode === "fault" || status?.state === "fault" ? status?.trouble ?? [] : [];
  $("faults").replaceChildren(...list.map(({ fault, cause, way_out: out }) => {
    const p = document.createElement("p"), b = document.createElement("strong");
    b.textContent = `${cause[0].toUpperCase()}${cause.slice(1)}.`;
    p.append(b, ` Way out: ${out}. (${fault})`);
    return p;
  }));
}

function showState(state) {
  const now = stateOf(state);
  $("state").dataset.state = now;
  setText($("state-word"), words[now] ?? now);
  const text = story(state);
  setText($("story"), text);
  const isBad = now === "fault" || now === "estop";
  $("story-box").classList.toggle("is-bad", isBad);
  $("reset").hidden = !isBad;
  $("reset").disabled = !state.acting;
  $("home").hidden = isBad;
  $("home").disabled = !state.acting || now !== "idle";
  if (state.info) setText($("arm-name"), state.info.arm.name);
}

/* what a screen reader is told: changes, not every millimetre */
function speak(state) {
  const key = `${stateOf(state)} ${state.run?.done?.t_s ?? ""}`;
  if (speak.last === key) return;
  speak.last = key;
  $("spoken").textContent = story(state);
}

function showLost(state) {
  const { isThere, armd, lostAt } = state;
  const isLost = !isThere || armd !== "up";
  document.body.classList.toggle("is-lost", isLost);
  $("lost").hidden = !isLost;
  if (!isLost) return;
  const age = Math.round((Date.now() - lostAt) / 1000);
  const who = isThere ? "armd does not answer" : "No connection to armweb";
  $("lost").textContent = `${who}: what is below is old. Trying again${age > 2 ? ` for ${age} s` : ""} …`;
}

export function startStatus(store, actions) {
  store.on(["isThere", "armd", "now", "status", "run", "lesson", "skills", "info", "acting"], (state) => {
    showState(state);
    showLost(state);
    speak(state);
  });
  store.on(["status", "mode"], showFaults);
  setInterval(() => document.body.classList.contains("is-lost") && showLost(store.state), 1000);
  $("reset").addEventListener("click", () => actions.reset());
  $("home").addEventListener("click", () => actions.home());
}
