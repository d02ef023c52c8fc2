/* skills.js - what has been learned: a thumbnail of every path, run, rename, forget. */
import { begin, trace } from "./canvas.js";
import { colour, onColours } from "./colours.js";
import { toSheet } from "./pure/plane.js";

const $ = (id) => document.getElementById(id);

function paintThumb(canvas, path, sheet) {
  const { ctx, width, height } = begin(canvas);
  if (!path?.length || !sheet || !width) return;
  const flat = path.map((p) => toSheet(sheet, p));
  const [us, vs] = [flat.map((p) => p[0]), flat.map((p) => p[1])];
  const [u0, v0] = [Math.min(...us), Math.min(...vs)];
  const du = Math.max(...us) - u0, dv = Math.max(...vs) - v0;
  const s = Math.min((width - 10) / (du || 1e-3), (height - 10) / (dv || 1e-3), 400);
  ctx.strokeStyle = colour("accent");
  ctx.lineWidth = 1.75;
  ctx.lineJoin = "round";
  trace(ctx, flat.map(([u, v]) => [width / 2 + (u - u0 - du / 2) * s, height / 2 - (v - v0 - dv / 2) * s]));
}

function element(tag, { text, ...properties } = {}, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  if (text) e.textContent = text;
  e.append(...children);
  return e;
}

export class Skills {
  #open = null; /* whose rename and forget are shown */
  #shown = "";  /* what the list was made of: made again it would take away what is typed in it */

  constructor(store, model, actions) {
    Object.assign(this, { store, model, actions });
    store.on(["skills", "details", "chosen", "acting", "sheet"], () => this.#list());
    store.on(["mode", "acting"], () => this.#enable());
    onColours(() => this.#paint());
  }

  #list() {
    const { skills, chosen } = this.store.state;
    const list = $("skills");
    const shown = JSON.stringify([chosen, this.#open, skills.map((s) => [s.name, s.duration_s, s.tip_rmse_mm])]);
    if (shown === this.#shown) {
      this.#paint();
      this.#enable();
      return;
    }
    this.#shown = shown;
    const focused = document.activeElement?.closest?.("#skills") ? document.activeElement.dataset.focus : null;
    list.replaceChildren(...skills.toReversed().map((s) => this.#item(s, s.name === chosen)));
    $("skills-empty").hidden = skills.length > 0;
    $("skills-count").textContent = skills.length || "";
    if (focused) list.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
    this.#paint();
    this.#enable();
  }

  #item({ name, duration_s, tip_rmse_mm: error }, isChosen) {
    const button = (text, label, act, className = "") => {
      const b = element("button", { type: "button", text, className, ariaLabel: label });
      b.dataset.focus = `${text}/${name}`;
      b.addEventListener("click", act);
      return b;
    };
    const what = button("", "", () => this.model.choose(name), "what");
    what.removeAttribute("aria-label");
    what.setAttribute("aria-pressed", String(isChosen));
    what.dataset.focus = `what/${name}`;
    what.append(element("strong", { text: name }), element("span", { text: `${duration_s.toFixed(1)} s · ${error.toFixed(1)} mm` }));
    const thumb = element("canvas", { ariaHidden: "true" });
    thumb.dataset.name = name;
    const acts = element("div", { className: "acts" },
      button("Run", `Run ${name}`, () => this.actions.run(name), "needs-token"),
      button("⋯", `More for ${name}`, () => {
        this.#open = this.#open === name ? null : name;
        this.#list();
      }, "more"));
    acts.lastChild.setAttribute("aria-expanded", String(this.#open === name));
    const li = element("li", { className: isChosen ? "is-chosen" : "" }, thumb, what, acts);
    if (this.#open === name) li.append(this.#form(name));
    return li;
  }

  #form(name) {
    const field = element("input", { value: name, ariaLabel: `New name of ${name}`, maxLength: 63, autocomplete: "off" });
    field.dataset.focus = `field/${name}`;
    const forget = element("button", { type: "button", text: "Forget", className: "needs-token" });
    const form = element("form", {}, field, element("button", { text: "Rename", className: "needs-token" }), forget);
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      if (field.value !== name) this.actions.rename(name, field.value);
      this.#open = null;
      this.#list();
    });
    forget.addEventListener("click", () => {
      if (forget.textContent === "Forget") {
        forget.textContent = "Really forget?";
        return;
      }
      this.#open = null;
      this.actions.forget(name);
      this.#list();
    });
    return form;
  }

  #paint() {
    const { details, sheet } = this.store.state;
    document.querySelectorAll("#skills canvas").forEach((canvas) =>
      paintThumb(canvas, details[canvas.dataset.name]?.target_tip_m, sheet));
  }

  #enable() {
    const { acting, mode } = this.store.state;
    document.querySelectorAll("#skills .needs-token").forEach((b) => {
      b.disabled = !acting || (b.textContent === "Run" && mode !== "idle");
    });
  }
}
