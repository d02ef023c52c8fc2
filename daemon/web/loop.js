/* loop.js - how punctual the control loop is: how late it woke up, since armd started, on a
 * logarithmic scale, and what it lost. */
import { begin, trace } from "./canvas.js";
import { colour, onColours } from "./colours.js";
import { showFigures } from "./chip.js";

const $ = (id) => document.getElementById(id);
const BINS = 54, MOST_us = 4000;
const place = (us) => Math.log(Math.max(us, 1)) / Math.log(MOST_us);

/** counts [[us, n], ..] in bins of equal width of log us */
export function binned(counts) {
  const bins = new Array(BINS).fill(0);
  counts.forEach(([us, n]) => (bins[Math.min(Math.floor(place(us) * BINS), BINS - 1)] += n));
  return bins;
}

function paintBars(ctx, bins, width, height, name) {
  const top = Math.log1p(Math.max(...bins, 1)), w = width / BINS;
  ctx.fillStyle = colour(name);
  bins.forEach((n, i) => {
    const h = n ? Math.max(2, (Math.log1p(n) / top) * (height - 4)) : 0;
    ctx.fillRect(i * w + 0.75, height - h, w - 1.5, h);
  });
}

function paint({ latency, timing }) {
  const { ctx, width, height } = begin($("loop-histogram"));
  const floor = height - 17;
  ctx.font = "11px system-ui";
  ctx.textAlign = "center";
  for (const us of [10, 100, 1000]) {
    ctx.strokeStyle = colour("line");
    trace(ctx, [[place(us) * width, 0], [place(us) * width, floor]]);
    ctx.fillStyle = colour("soft");
    ctx.fillText(us < 1000 ? `${us} µs` : "1 ms", place(us) * width, height - 4);
  }
  if (latency) paintBars(ctx, binned(latency.wake.counts), width, floor, "accent");
  ctx.strokeStyle = colour("line");
  trace(ctx, [[0, floor], [width, floor]]);
  const wake = timing?.wake_us;
  $("loop-histogram").setAttribute("aria-label", wake
    ? `How late the loop woke up: half of the time within ${wake.p50} microseconds, 99 of 100 within ${wake.p99}` : "How late the loop woke up");
}

function showLoop({ timing, latency, status }) {
  const us = (x) => (x === undefined ? "–" : x < 10000 ? `${x.toLocaleString("en")} µs` : `${Math.round(x / 1000)} ms`);
  $("loop-title-more").textContent = latency ? `${latency.rate_Hz} Hz${status && !status.realtime ? ", without real-time priority" : ""}` : "";
  showFigures($("loop-figures"), [
    ["Wake-up p50", us(timing?.wake_us.p50)],
    ["Missed cycles", timing?.overruns ?? "–"],
    ["Wake-up p99", us(timing?.wake_us.p99)],
    ["Lost replies", timing?.missed_replies ?? "–"],
    ["Work p99", us(timing?.cycle_us.p99)],
    ["Bus p99", us(timing?.bus_us.p99)],
  ]);
}

export function startLoop(store) {
  store.on(["latency", "timing"], paint);
  store.on(["latency", "timing", "status"], showLoop);
  onColours(() => paint(store.state));
  new ResizeObserver(() => paint(store.state)).observe($("loop-histogram"));
}
