/* colours.js - the style sheet's colours for what is drawn by script, and the switch between
 * light and dark: as the system is, until somebody chooses. */
const probe = document.getElementById("colour-probe");
const KEY = "armd.theme";
let known = new Map();
const listeners = [];

/** the colour of a custom property, as rgb(..) */
export function colour(name) {
  if (!known.has(name)) {
    probe.style.color = `var(--${name})`;
    known.set(name, getComputedStyle(probe).color);
  }
  return known.get(name);
}

function changed() {
  known = new Map();
  listeners.forEach((tell) => tell());
}

export function onColours(tell) {
  listeners.push(tell);
}

const system = matchMedia("(prefers-color-scheme: dark)");
export const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

export function startColours(button) {
  const kept = localStorage.getItem(KEY);
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  system.addEventListener("change", changed);
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem(KEY, next);
    changed();
  });
}
