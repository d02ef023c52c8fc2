/* draw.js - the sheet: free hand, points or a letter; where the arm reaches is shown while one
 * draws, and what is planned before it is taught. */
import { begin, trace } from "./canvas.js";
import { colour, onColours } from "./colours.js";
import { coresFor, LONGEST_s, plan } from "./pure/drawing.js";
import { LETTERS, letterStroke } from "./pure/letters.js";
import { placeSheet, reachMap } from "./pure/plane.js";

const $ = (id) => document.getElementById(id);
const COLUMNS = 32, ROWS = 24;    /* of the map of reach */
const NEAR = 0.06;                /* margin of joints that is shown as near a limit */
const STEP_m = 0.01;              /* of an arrow key */
const APART_m = 0.002;            /* of two points of a free hand */

export class Draw {
  #isDown = false;
  #cursor = null; /* of the keyboard */

  constructor(store, actions) {
    this.store = store;
    this.actions = actions;
    this.canvas = $("pad");
    this.#listen();
    store.on(["arm", "info", "isThere"], () => this.#place());
    store.on(["stroke", "plan", "sheet", "reachMap", "pen"], () => this.#paint());
    store.on(["plan", "duration_s", "acting", "isThere", "armd", "mode", "skills", "lesson", "stroke", "sheet"], () => this.#judge());
    onColours(() => this.#paint());
    new ResizeObserver(() => this.#paint()).observe(this.canvas);
  }

  /* once it is known which arm it is, and how many joints the network drives */
  #place() {
    const { arm, info, sheet } = this.store.state;
    if (!arm || !info || sheet) return;
    const n = info.network_joints ?? arm.joints.length;
    const made = placeSheet(arm, n, arm.joints.map(() => 0));
    this.store.set({ sheet: made, reachMap: reachMap(arm, made, COLUMNS, ROWS) });
    const largest_cm = Math.floor(90 * made.height);
    Object.assign($("letter-size"), { max: largest_cm, min: Math.ceil(largest_cm / 5) });
    $("letter-size").value = Math.round(0.62 * largest_cm);
    this.#say();
  }

  /* ---- pen ---- */
  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (e) => this.#down(e));
    canvas.addEventListener("pointermove", (e) => this.#move(e));
    canvas.addEventListener("pointerup", () => this.#up());
    canvas.addEventListener("pointercancel", () => this.#up());
    canvas.addEventListener("keydown", (e) => this.#key(e));
    canvas.addEventListener("blur", () => this.#setCursor(null));
    $("clear").addEventListener("click", () => this.clear());
    const tabs = [...document.querySelectorAll("[data-pen]")];
    tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => this.#take(tab.dataset.pen));
      tab.addEventListener("keydown", (e) => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
        if (!by) return;
        e.preventDefault();
        const next = tabs[(i + by + tabs.length) % tabs.length];
        this.#take(next.dataset.pen);
        next.focus();
      });
    });
    $("letter").addEventListener("input", () => this.#letter());
    $("letter").addEventListener("focus", () => $("letter").select());
    $("letter-size").addEventListener("input", () => this.#letter());
    $("duration").addEventListener("input", () => {
      this.isChosen = true;
      this.store.set({ duration_s: Number($("duration").value) });
      this.#say();
    });
    $("teach-go").addEventListener("click", () => this.teach());
    $("name").addEventListener("input", () => this.#judge());
  }

  #take(pen) {
    document.querySelectorAll("[data-pen]").forEach((tab) => {
      tab.setAttribute("aria-checked", String(tab.dataset.pen === pen));
      tab.tabIndex = tab.dataset.pen === pen ? 0 : -1;
    });
    $("letters").hidden = pen !== "letter";
    this.store.set({ pen });
    if (pen === "letter") this.#letter();
    else this.clear();
  }

  #letter() {
    $("letter-size-out").textContent = `${$("letter-size").value} cm`;
    const letter = $("letter").value.toUpperCase();
    const stroke = this.store.state.sheet && letterStroke(letter, Number($("letter-size").value) / 100);
    this.#set(stroke ?? []);
    if (stroke) this.#suggest(letter);
  }

  clear() {
    this.#cursor = null;
    this.#set([]);
  }

  #at(event) {
    const { sheet } = this.store.state;
    const box = this.canvas.getBoundingClientRect();
    return { u: ((event.clientX - box.left) / box.width - 0.5) * sheet.width,
      v: (0.5 - (event.clientY - box.top) / box.height) * sheet.height, t: event.timeStamp / 1000 };
  }

  #down(event) {
    const { sheet, pen, stroke } = this.store.state;
    if (!sheet || event.button > 0) return;
    if (pen === "letter") this.#take("free");
    this.canvas.setPointerCapture(event.pointerId);
    const p = this.#at(event);
    if (this.store.state.pen === "points") {
      this.#set([...stroke, { u: p.u, v: p.v }]);
      this.#suggest("path");
      return;
    }
    this.#isDown = true;
    this.store.set({ stroke: [p], plan: null });
  }

  #move(event) {
    if (!this.#isDown) return;
    const { stroke } = this.store.state;
    const last = stroke.at(-1);
    const more = (event.getCoalescedEvents?.() ?? []).concat(event).map((e) => this.#at(e))
      .filter((p) => p.t > last.t && Math.hypot(p.u - last.u, p.v - last.v) > APART_m);
    if (more.length) this.store.set({ stroke: stroke.concat(more) });
  }

  #up() {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#set(this.store.state.stroke);
    this.#suggest("drawing");
  }

  #setCursor(cursor) {
    this.#cursor = cursor;
    this.#paint();
  }

  #key(event) {
    const { sheet, stroke } = this.store.state;
    if (!sheet) return;
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (by || event.key === "Enter" || event.key === "Backspace") {
      event.preventDefault();
      if (this.store.state.pen !== "points") this.#take("points");
    }
    if (by) {
      const from = this.#cursor ?? { u: 0, v: 0 }, step = STEP_m * (event.shiftKey ? 5 : 1);
      const clamp = (x, most) => Math.min(Math.max(x, -most / 2), most / 2);
      this.#setCursor({ u: clamp(from.u + by[0] * step, sheet.width), v: clamp(from.v + by[1] * step, sheet.height) });
    } else if (event.key === "Enter") {
      this.#set([...this.store.state.stroke, { ...(this.#cursor ?? { u: 0, v: 0 }) }]);
      this.#suggest("path");
    } else if (event.key === "Backspace") {
      this.#set(stroke.slice(0, -1));
    }
  }

  /* ---- plan ---- */
  #set(stroke) {
    const { arm, sheet, info, duration_s, lesson } = this.store.state;
    if (lesson?.isDone) this.store.set({ lesson: null }); /* on to the next one */
    const planned = arm && sheet ? plan(arm, sheet, stroke, info.arm.joints) : null;
    if (!stroke.length) this.isChosen = false;
    const least = planned ? Math.ceil(10 * planned.shortest_s) / 10 : 0.5;
    const free = this.isChosen ? duration_s : 2.5;
    $("duration").min = Math.min(least, LONGEST_s);
    this.store.set({ stroke, plan: planned, duration_s: Math.min(Math.max(free, least), LONGEST_s) });
    this.#say();
  }

  /* a name that is free, unless a person has given one */
  #suggest(kind) {
    const field = $("name");
    if (field.value && field.value !== this.suggested) return;
    const taken = new Set(this.store.state.skills.map((s) => s.name));
    let name = kind;
    for (let k = 2; taken.has(name); k++) name = `${kind}-${k}`;
    field.value = this.suggested = name;
    this.#judge();
  }

  #verdict() {
    const { plan: p, stroke, duration_s, sheet } = this.store.state;
    if (!sheet) return ["The sheet appears when the arm is known.", false];
    if (!p) return [stroke.length > 1 ? "That is a dot: draw a longer line."
      : "Draw a path: the arm's tip will follow it. Hatched is out of reach; shaded, a joint is near its limit.", false];
    if (p.outside) return ["The red part is out of the arm's reach: draw it elsewhere, or smaller.", true];
    if (p.shortest_s > LONGEST_s) return ["Too long for one showing: draw less.", true];
    const cores = coresFor(duration_s);
    return [`In reach. At least ${p.shortest_s.toFixed(1)} s, for the joints' speed; `
      + `takes ${cores} core${cores > 1 ? "s" : ""} of the chip.`, false];
  }

  #say() {
    const [words, isBad] = this.#verdict();
    if ($("verdict").textContent !== words) $("verdict").textContent = words;
    $("verdict").classList.toggle("is-bad", isBad);
    this.#judge();
  }

  isReady() {
    const { plan: p, acting, isThere, armd, mode, lesson } = this.store.state;
    return Boolean(p && !p.outside && p.shortest_s <= LONGEST_s && acting && isThere && armd === "up"
      && mode === "idle" && (!lesson || lesson.isDone) && $("name").value && $("name").validity.valid);
  }

  #judge() {
    const { duration_s, acting, skills, plan: p } = this.store.state;
    $("duration").value = duration_s;
    $("duration-out").textContent = `${duration_s.toFixed(1)} s`;
    const go = $("teach-go");
    go.textContent = skills.some((s) => s.name === $("name").value) ? "Teach anew" : "Teach";
    go.disabled = !this.isReady();
    go.title = !acting ? "takes the token" : !p ? "draw something first" : "";
    $("pad-hint").hidden = this.store.state.stroke.length > 0 || this.#cursor !== null;
  }

  teach() {
    if (!this.isReady()) return;
    this.suggested = $("name").value; /* the next drawing may have another name */
    this.actions.teach($("name").value);
  }

  letterIsKnown() {
    return LETTERS.includes($("letter").value.toUpperCase());
  }

  /* ---- picture ---- */
  #paint() {
    const { ctx, width, height } = begin(this.canvas);
    const { sheet, stroke, plan: p, reachMap: map } = this.store.state;
    if (!sheet) return;
    const x = (u) => (u / sheet.width + 0.5) * width, y = (v) => (0.5 - v / sheet.height) * height;
    this.#paintReach(ctx, map, width, height);
    this.#paintGrid(ctx, sheet, x, y, width, height);
    ctx.lineJoin = ctx.lineCap = "round";
    ctx.strokeStyle = colour("target");
    ctx.lineWidth = p ? 1.5 : 3;
    if (stroke.length > 1) trace(ctx, stroke.map(({ u, v }) => [x(u), y(v)]));
    if (p) this.#paintPlan(ctx, p, x, y);
    if (this.store.state.pen === "points")
      stroke.forEach(({ u, v }) => this.#dot(ctx, x(u), y(v), 4, "accent"));
    if (this.#cursor) this.#cross(ctx, x(this.#cursor.u), y(this.#cursor.v));
    $("pad-hint").hidden = stroke.length > 0 || this.#cursor !== null;
  }

  #paintReach(ctx, map, width, height) {
    const w = width / COLUMNS, h = height / ROWS;
    map.forEach((margin, i) => {
      if (margin > NEAR) return;
      const c = i % COLUMNS, r = (i - c) / COLUMNS;
      const x = Math.floor(c * w), y = Math.floor(height - (r + 1) * h);
      ctx.fillStyle = colour("line");
      ctx.globalAlpha = margin > 0 ? 0.45 : 1;
      ctx.fillRect(x, y, Math.ceil(w), Math.ceil(h));
      if (margin > 0) return;
      ctx.strokeStyle = colour("target");
      ctx.lineWidth = 1;
      trace(ctx, [[x, y + h], [x + w, y]]);
    });
    ctx.globalAlpha = 1;
  }

  #paintGrid(ctx, sheet, x, y, width, height) {
    ctx.strokeStyle = colour("line");
    ctx.lineWidth = 1;
    for (let d = -0.5; d <= 0.5; d += 0.1) {
      trace(ctx, [[x(d), 0], [x(d), height]]);
      trace(ctx, [[0, y(d)], [width, y(d)]]);
    }
    ctx.fillStyle = colour("soft");
    ctx.font = "11px system-ui";
    ctx.fillText("10 cm", x(-0.1) + 5, height - 6);
    ctx.strokeStyle = colour("soft");
    trace(ctx, [[x(-0.1), height - 3], [x(0), height - 3]]);
  }

  #paintPlan(ctx, p, x, y) {
    ctx.lineWidth = 3.5;
    for (let k = 1; k < p.uv.length; k++) {
      ctx.strokeStyle = colour(p.isReached[k] ? "accent" : "bad");
      trace(ctx, [p.uv[k - 1], p.uv[k]].map(([u, v]) => [x(u), y(v)]));
    }
    const [first, last] = [p.uv[0], p.uv.at(-1)];
    this.#dot(ctx, x(first[0]), y(first[1]), 5.5, "accent");
    this.#dot(ctx, x(first[0]), y(first[1]), 3, "card");
    this.#dot(ctx, x(last[0]), y(last[1]), 5, "accent");
  }

  #dot(ctx, x, y, r, name) {
    ctx.fillStyle = colour(name);
    ctx.beginPath();
    ctx.arc(x, y, r, 0, 2 * Math.PI);
    ctx.fill();
  }

  #cross(ctx, x, y) {
    ctx.strokeStyle = colour("ink");
    ctx.lineWidth = 1.5;
    trace(ctx, [[x - 9, y], [x + 9, y]]);
    trace(ctx, [[x, y - 9], [x, y + 9]]);
  }
}
