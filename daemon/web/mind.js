/* mind.js - what the network does: its spikes, and the joint speeds it makes of them beside
 * those asked for and those measured. */
import { begin } from "./canvas.js";
import { colour, onColours } from "./colours.js";
import { setText } from "./text.js";
import uPlot from "./vendor/uPlot.esm.js";

const $ = (id) => document.getElementById(id);
const PLOT_HEIGHT = 68;

function paintRaster({ raster, info }) {
  const { ctx, width, height } = begin($("raster"));
  const w = Math.max(width / raster.columns, 1), h = Math.max(height / raster.neurons, 1);
  ctx.fillStyle = colour("accent");
  raster.each((column, id) =>
    ctx.fillRect((column * width) / raster.columns, height - ((id + 1) * height) / raster.neurons, w + 0.4, h + 0.4));
  if (raster.last < 0) {
    ctx.fillStyle = colour("soft");
    ctx.font = "14px system-ui";
    ctx.textAlign = "center";
    ctx.fillText("silent until a skill runs", width / 2, height / 2);
  }
  const rate = raster.rate_Hz(info?.tick_ms ?? 10);
  setText($("mind-rate"), rate ? `${rate.toFixed(1)} Hz a neuron` : "");
}

/* all joints on one scale, rad/s; at least so wide that noise looks small */
let span = 0.5, length_s = 2.5;

function plotOptions(name, width, isLast) {
  const axis = { stroke: () => colour("soft"), grid: { stroke: () => colour("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width, height: PLOT_HEIGHT + (isLast ? 22 : 0), pxAlign: false,
    legend: { show: false }, cursor: { show: false }, padding: [8, 6, isLast ? 0 : 4, 0],
    scales: { x: { time: false, range: () => [0, length_s] }, y: { range: () => [-span, span] } },
    axes: [{ ...axis, size: 22, show: isLast, values: (u, ticks) => ticks.map((t) => (t ? `${t} s` : "")) },
      { ...axis, size: 34, space: 20 }],
    series: [{},
      { stroke: () => colour("target"), width: 2, dash: [5, 4], points: { show: false } },
      { stroke: () => colour("accent"), width: 2, points: { show: false } },
      { stroke: () => colour("ink"), width: 1.25, points: { show: false } }],
    hooks: { draw: [(u) => {
      const { ctx } = u;
      ctx.save();
      ctx.font = `${12 * devicePixelRatio}px system-ui`;
      ctx.fillStyle = colour("soft");
      ctx.textAlign = "right";
      ctx.fillText(name, u.bbox.left + u.bbox.width - 4 * devicePixelRatio, u.bbox.top + 12 * devicePixelRatio);
      ctx.restore();
    }] },
  };
}

class Velocities {
  #plots = [];
  #names = "";

  constructor(store) {
    this.store = store;
    this.box = $("velocities");
    store.on(["run", "now", "info", "arm"], () => this.paint());
    new ResizeObserver(() => this.#resize()).observe(this.box);
    onColours(() => this.#plots.forEach((p) => p.redraw(false)));
  }

  #build(names) {
    if (names.join() === this.#names) return;
    this.#names = names.join();
    this.#plots.forEach((p) => p.destroy());
    const width = this.box.clientWidth;
    this.#plots = names.map((name, j) =>
      new uPlot(plotOptions(name, width, j === names.length - 1), [[0, 2.5], [null, null], [null, null], [null, null]], this.box));
  }

  #resize() {
    const width = this.box.clientWidth;
    this.#plots.forEach((p) => width > 0 && p.width !== width && p.setSize({ width, height: p.height }));
  }

  paint() {
    const { run, arm, info } = this.store.state;
    if (!arm || !info || !this.box.clientWidth) return;
    this.#build(arm.joints.slice(0, info.network_joints ?? arm.joints.length).map((j) => j.name));
    if (!run || run === this.painted && run.t.length === this.length) return;
    [this.painted, this.length] = [run, run.t.length];
    const t = run.t.map((x) => x - run.t[0]);
    length_s = Math.max(this.store.state.details[run.name]?.duration_s ?? 0, t.at(-1) ?? 0, 0.5);
    const fastest = Math.max(0, ...run.joints.flatMap((j) => [...j.target, ...j.net, ...j.measured].map(Math.abs)));
    span = Math.max(0.5, Math.ceil(2 * fastest) / 2);
    this.#plots.forEach((plot, j) =>
      run.joints[j] && plot.setData([t, run.joints[j].target, run.joints[j].net, run.joints[j].measured]));
  }
}

export function startMind(store) {
  store.on(["raster", "info"], paintRaster);
  onColours(() => paintRaster(store.state));
  new ResizeObserver(() => paintRaster(store.state)).observe($("raster"));
  return new Velocities(store);
}
