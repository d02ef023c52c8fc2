/* keys.js - the arm can be stopped from the keyboard wherever the focus is. */
const $ = (id) => document.getElementById(id);

const isTyping = (e) => e.target.matches?.("input:not([type=range]), textarea") || e.ctrlKey || e.metaKey || e.altKey;

export function startKeys(store, actions, draw) {
  $("stop").addEventListener("click", () => actions.stop());
  $("estop").addEventListener("click", () => actions.estop());
  $("keys-open").addEventListener("click", () => $("keys-dialog").showModal());
  addEventListener("keydown", (e) => {
    if (e.key === "F9" || (e.key === "Escape" && e.shiftKey)) {
      e.preventDefault();
      actions.estop();
    } else if (e.key === "Escape") {
      actions.stop();
    } else if (!isTyping(e) && !e.repeat && !document.querySelector("dialog[open]")) {
      const key = e.key.toLowerCase();
      if (key === "d") $("pad").focus();
      else if (key === "t") draw.teach();
      else if (key === "r" && store.state.acting && store.state.chosen) actions.run(store.state.chosen);
    }
  }, { capture: true });
}
