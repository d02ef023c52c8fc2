/* actions.js - what a person can make the arm do; every refusal is said in armd's own words. */
import { showing } from "./pure/drawing.js";

export class Actions {
  /** say(sentence): to the person */
  constructor(store, connection, model, say) {
    Object.assign(this, { store, connection, model, say });
  }

  async #do(cmd, fields) {
    const reply = await this.connection.request(cmd, fields);
    if (!reply.ok) this.say(reply.error.message);
    return reply;
  }

  stop() {
    return this.#do("stop");
  }

  estop() {
    return this.#do("estop");
  }

  async reset() {
    await this.#do("reset");
    this.model.refreshStatus();
  }

  home() {
    return this.#do("home");
  }

  #learned(name, reply) {
    const { lesson } = this.store.state;
    this.store.set({ lesson: reply.ok
      ? { name, plan: lesson?.plan, updates: reply.updates.map((u) => u.tip_rmse_mm), isDone: true,
        cells: reply.updates.reduce((sum, u) => sum + u.cells_written, 0),
        compute_ms: reply.compute_ms }
      : { name, updates: lesson?.updates ?? [], isDone: true, error: reply.error.message } });
    if (reply.ok) this.model.refreshSkills().then(() => {
      const { lesson: now } = this.store.state;
      if (now?.name === name) this.store.set({ lesson: { ...now, isListed: true } });
      this.model.choose(name);
    });
    return reply;
  }

  /** teaches the planned drawing; of that name there may be one already */
  async teach(name) {
    const { plan, sheet, duration_s, skills } = this.store.state;
    const replace = skills.some((s) => s.name === name);
    this.store.set({ lesson: { name, plan, updates: [], isDone: false }, run: null });
    return this.#learned(name, await this.#do("teach",
      { name, ...showing(plan, sheet.n, duration_s), ...(replace && { replace }) }));
  }

  run(name) {
    this.model.choose(name);
    return this.#do("run", { name });
  }

  forget(name) {
    return this.#do("forget", { name }).then(() => this.model.refreshSkills());
  }

  async rename(name, to) {
    const reply = await this.#do("rename", { name, to });
    await this.model.refreshSkills();
    if (reply.ok) this.model.choose(to);
    return reply;
  }

  async guideOn() {
    const reply = await this.#do("guide", { on: true });
    if (reply.warning) this.say(reply.warning);
    return reply;
  }

  async guideOff(name) {
    this.store.set({ lesson: { name, updates: [], isDone: false } });
    return this.#learned(name, await this.#do("guide", { on: false, name }));
  }
}
