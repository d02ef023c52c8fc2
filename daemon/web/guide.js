/* guide.js - showing a path by hand: lets go, records, and learns what was shown. */
const $ = (id) => document.getElementById(id);

export function startGuide(store, actions) {
  const go = $("guide-go");
  const isGuiding = () => store.state.mode === "guiding";
  go.addEventListener("click", () => {
    if (!isGuiding()) {
      actions.guideOn();
      return;
    }
    const taken = new Set(store.state.skills.map((s) => s.name));
    let name = "by-hand";
    for (let k = 2; taken.has(name); k++) name = `by-hand-${k}`;
    actions.guideOff(name);
  });
  store.on(["mode", "acting"], ({ mode, acting }) => {
    const text = isGuiding() ? "Hold still, and learn it" : "Let go of the arm and record";
    if (go.textContent !== text) go.textContent = text;
    go.disabled = !acting || !["idle", "guiding"].includes(mode);
  });
}
