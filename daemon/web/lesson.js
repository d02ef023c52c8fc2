/* lesson.js - the rehearsed error, falling update by update: slower than the chip learns, so
 * that an eye can follow. */
const $ = (id) => document.getElementById(id);
const BAR_ms = 260;

export class Lesson {
  #shown = 0;
  #timer = null;
  #name = null;

  constructor(store, actions) {
    this.store = store;
    store.on(["lesson", "skills"], () => this.#next());
    store.on(["acting", "mode", "lesson"], () => this.#offer());
    $("lesson-run").addEventListener("click", () => actions.run(this.#name));
  }

  #next() {
    const { lesson, skills } = this.store.state;
    const isGone = !lesson || (lesson.isDone && lesson.isListed && !skills.some((s) => s.name === lesson.name));
    $("lesson").hidden = isGone;
    if (isGone) return;
    const isNew = lesson.name !== this.#name || lesson.updates.length < this.#shown;
    if (isNew) this.#shown = 0;
    this.#name = lesson.name;
    this.#paint();
    if (!this.#timer && this.#shown < lesson.updates.length)
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#shown++;
        this.#next();
      }, this.#shown ? BAR_ms : 30);
  }

  #title({ name, updates, isDone, error, cells, compute_ms, segments, segment }) {
    if (error) return `“${name}” was not learned: ${error}`;
    const last = updates[this.#shown - 1];
    if (!isDone || this.#shown < updates.length)
      return `Learning “${name}”${segments > 1 ? `, part ${segment} of ${segments}` : ""} …`;
    return `“${name}” rehearsed: ${last?.toFixed(1)} mm off after ${updates.length - 1} updates. `
      + (cells ? `${Math.round(cells).toLocaleString("en")} cells written in ${Math.round(compute_ms)} ms.` : "");
  }

  #paint() {
    const { lesson } = this.store.state;
    $("lesson-title").textContent = this.#title(lesson);
    const top = Math.max(...lesson.updates.filter((x) => x !== undefined), 1);
    const bars = lesson.updates.slice(0, this.#shown);
    const list = $("lesson-bars");
    list.hidden = !bars.length;
    while (list.children.length > bars.length) list.lastChild.remove();
    bars.forEach((mm, k) => {
      const li = list.children[k] ?? list.appendChild(newBar());
      const [value, bar, label] = li.children;
      value.textContent = mm === undefined ? "" : mm.toFixed(mm < 9.95 ? 1 : 0);
      bar.style.height = `${56 * Math.sqrt((mm ?? 0) / top)}px`;
      label.textContent = k ? String(k) : "untaught";
    });
    this.#offer();
  }

  #offer() {
    const { lesson, acting, mode } = this.store.state;
    const run = $("lesson-run");
    const isAll = lesson?.isDone && !lesson.error && this.#shown >= lesson.updates.length;
    run.hidden = !isAll;
    run.disabled = !acting || mode !== "idle";
    if (isAll) run.textContent = `Run “${lesson.name}”`;
  }
}

function newBar() {
  const li = document.createElement("li");
  li.append(document.createElement("span"), document.createElement("i"), document.createElement("span"));
  return li;
}
