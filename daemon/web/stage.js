/* stage.js - the middle of the page: the scene, fed from the store, and what a view needs. */
import { onColours } from "./colours.js";
import { toSpace } from "./pure/plane.js";
import { Scene } from "./scene.js";
import { setText } from "./text.js";

const $ = (id) => document.getElementById(id);
const mm = (x) => (x === undefined || x === null ? "–" : `${x.toFixed(1)} mm`);

function cornersOf({ width, height, ...sheet }) {
  const [u, v] = [width / 2, height / 2];
  return [[-u, -v], [u, -v], [u, v], [-u, v]].map(([a, b]) => toSpace(sheet, a, b));
}

function showErrors({ run, details, chosen }) {
  const done = run?.done;
  const duration_s = details[run?.name ?? chosen]?.duration_s;
  setText($("error-target"), duration_s ? `${duration_s.toFixed(1)} s` : "–");
  setText($("error-learned"), mm(done ? done.network_rmse_mm : run?.learned_mm));
  setText($("error-executed"), mm(done ? done.tip_rmse_mm : run?.executed_mm));
}

function showPaths(scene, { run, details, chosen }) {
  const key = [chosen, details[chosen]?.learned_s, run?.name, run?.t[0], run?.t.length].join();
  if (showPaths.key === key) return;
  showPaths.key = key;
  const name = run && run.name === chosen ? run.name : chosen;
  const isSame = run && (run.name === chosen || run.isPlaying);
  scene.setPaths({
    target: details[name]?.target_tip_m?.flat() ?? [],
    learned: isSame ? run.learned : [],
    executed: isSame ? run.executed : [],
  });
}

function startViews(scene) {
  const buttons = [...document.querySelectorAll("[data-view]")];
  buttons.forEach((button) => button.addEventListener("click", () => {
    scene.view(button.dataset.view);
    buttons.forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
  }));
}

export function startStage(store) {
  store.on(["run", "details", "chosen", "now"], showErrors);
  let scene;
  try {
    scene = new Scene($("scene-canvas"));
  } catch {
    $("scene-canvas").hidden = true;
    $("no-scene").hidden = false;
    return;
  }
  onColours(() => scene.recolour());
  startViews(scene);
  store.on(["arm"], ({ arm }) => arm && scene.setArm(arm));
  store.on(["now", "arm"], ({ now, arm }) => arm && now && scene.setPose(now.q_rad));
  store.on(["now", "run", "details", "chosen"], (state) => showPaths(scene, state));
  store.on(["plan", "sheet", "stroke", "lesson"], ({ arm, sheet, plan, stroke, lesson }) => {
    if (!sheet || !arm) return;
    const isTaught = plan && lesson?.plan === plan && lesson.isDone && !lesson.error;
    const path = plan ? plan.tip.flat() : stroke.flatMap(({ u, v }) => toSpace(sheet, u, v));
    scene.setSheet(cornersOf(sheet), isTaught ? [] : path, !plan || plan.outside === 0);
  });
}
