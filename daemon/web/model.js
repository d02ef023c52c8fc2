/* model.js - turns what comes from armweb into the state that the views show. */
import { Raster } from "./pure/raster.js";

const NEURONS = 256, TICKS = 250; /* until armd says; of the raster */
const TRACE_MAX = 4000; /* samples of a run that are kept */

export const initial = () => ({
  isThere: false,      /* armweb answers */
  armd: "down",
  lostAt: Date.now(),
  acting: false,
  tokenIsWrong: false,
  arm: null,           /* /arm.json */
  info: null,          /* hello of armd */
  status: null,
  now: null,           /* the newest of topic state */
  mode: null,          /* its state, set when it changes */
  raster: new Raster(NEURONS, TICKS),
  run: null,           /* {name, t, executed, learned, joints: [{target, net, measured}], done} */
  timing: null,
  latency: null,
  chip: null,          /* topic */
  chipReply: null,     /* chip, with a map */
  skills: [],
  details: {},         /* name -> reply of skill */
  chosen: null,
  lesson: null,        /* {name, updates: [..], isDone, error} */
  words: null,         /* of the last event that a visitor should read */
  stroke: [],          /* on the sheet */
  pen: "free",
  sheet: null,
  reachMap: null,
  plan: null,
  duration_s: 2.5,
  home: null,
});

const distance_mm = (a, b) => 1e3 * Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

function newRun(name, joints) {
  return { name, t: [], executed: [], learned: [], learned_mm: 0, executed_mm: 0,
    joints: Array.from({ length: joints }, () => ({ target: [], net: [], measured: [] })),
    isPlaying: true, done: null };
}

export class Model {
  constructor(store, connection) {
    this.store = store;
    this.connection = connection;
  }

  heed(m) {
    const { store } = this;
    if (m.hello) store.set({ acting: m.hello.acting });
    else if ("acting" in m) store.set({ acting: m.acting, tokenIsWrong: !m.acting });
    else if (m.armd) this.#armdIs(m.armd);
    else if (m.topic === "state") this.#takeState(m.data);
    else if (m.topic === "spikes") this.#takeSpikes(m.data);
    else if (m.topic === "event") this.#takeEvent(m.data);
    else if (m.topic === "timing") store.set({ timing: m.data });
    else if (m.topic === "chip") store.set({ chip: m.data });
  }

  thereIs(isThere) {
    const { isThere: was } = this.store.state;
    this.store.set({ isThere, ...(was && !isThere && { lostAt: Date.now() }) });
    if (isThere) this.refresh();
  }

  #armdIs(armd) {
    this.store.set({ armd, ...(armd === "down" && { lostAt: Date.now(), status: null }) });
    if (armd === "up") this.refresh();
  }

  /** everything that is asked for, not told */
  async refresh() {
    const info = await this.connection.request("hello");
    if (info.ok) this.#armdSays(info);
    await Promise.all([this.refreshStatus(), this.refreshSkills(), this.refreshLatency()]);
  }

  #armdSays(info) {
    const { raster } = this.store.state;
    const isOther = info.neurons && info.neurons !== raster.neurons;
    this.store.set({ info, ...(isOther && { raster: new Raster(info.neurons, TICKS) }) });
  }

  async refreshStatus() {
    const status = await this.connection.request("status");
    if (!status.ok) return;
    this.store.set({ status });
    if (status.skill && this.store.state.run?.isPlaying && !this.store.state.run.name)
      this.store.set({ run: { ...this.store.state.run, name: status.skill } });
    if (status.skill && this.store.state.chosen !== status.skill) this.choose(status.skill);
  }

  async refreshLatency() {
    const latency = await this.connection.request("latency");
    if (latency.ok) this.store.set({ latency });
  }

  async refreshSkills() {
    const reply = await this.connection.request("skills");
    if (!reply.ok) return;
    const known = this.store.state.details;
    const details = {};
    for (const { name, learned_s: learned } of reply.skills) {
      const old = known[name];
      const detail = old?.learned_s === learned ? old
        : await this.connection.request("skill", { name });
      if (detail.ok) details[name] = detail;
    }
    const { chosen } = this.store.state;
    this.store.set({ skills: reply.skills, details });
    if (!details[chosen]) this.choose(reply.skills.at(-1)?.name ?? null);
  }

  /** the skill whose path and core are shown */
  choose(name) {
    this.store.set({ chosen: name });
    this.refreshChip();
  }

  async refreshChip() {
    const { chosen } = this.store.state;
    const reply = await this.connection.request("chip", chosen ? { map: chosen } : {});
    if (reply.ok && chosen === this.store.state.chosen) this.store.set({ chipReply: reply });
  }

  #takeState(data) {
    const { store } = this;
    const isPlaying = Boolean(data.target_tip_m);
    let { run } = store.state;
    if (isPlaying && !run?.isPlaying) run = newRun(store.state.status?.skill ?? store.state.chosen, data.net_rad_s.length);
    if (isPlaying) this.#addSample(run, data);
    else if (run?.isPlaying) run.isPlaying = false;
    store.set({ now: data, ...(data.state !== store.state.mode && { mode: data.state }), ...(run && (isPlaying || run !== store.state.run) && { run }) });
  }

  #addSample(run, data) {
    if (run.t.length >= TRACE_MAX) return;
    run.t.push(data.t_s);
    run.executed.push(...data.tip_m);
    run.learned.push(...data.ref_tip_m);
    run.executed_mm = distance_mm(data.tip_m, data.target_tip_m);
    run.learned_mm = distance_mm(data.ref_tip_m, data.target_tip_m);
    run.joints.forEach((joint, j) => {
      joint.target.push(data.target_rad_s[j]);
      joint.net.push(data.net_rad_s[j]);
      joint.measured.push(data.dq_rad_s[j]);
    });
  }

  #takeSpikes(messages) {
    messages.forEach((m) => this.store.state.raster.add(m));
    this.store.set({ raster: this.store.state.raster });
  }

  #takeEvent(e) {
    const { store } = this;
    const { lesson, run } = store.state;
    store.set({ words: e });
    if (e.kind === "state") this.refreshStatus();
    if (e.kind === "fault" || e.kind === "link_up" || e.kind === "link_down") this.refreshStatus();
    if (e.kind === "state" && e.to === "idle") this.refreshChip();
    if (["learned", "forgotten", "renamed", "given_up", "healed", "imported"].includes(e.kind)) this.refreshSkills();
    if (e.kind === "progress") this.#takeProgress(e, lesson);
    if ((e.kind === "run_done" || e.kind === "repeat_done") && run)
      store.set({ run: { ...run, name: e.name, isPlaying: false, done: e } });
  }

  /* somebody teaches, perhaps not this page */
  #takeProgress(e, lesson) {
    const isNew = !lesson || lesson.isDone || lesson.name !== e.name;
    const updates = isNew || e.segment !== lesson.segment ? [] : lesson.updates.slice();
    updates[e.updates] = e.tip_rmse_mm;
    this.store.set({ lesson: { name: e.name, segment: e.segment, segments: e.segments, updates,
      isDone: false, plan: isNew ? null : lesson.plan } });
  }
}
