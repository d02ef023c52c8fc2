/* chip.js - the core of the skill that is shown: every pixel a block of cells, shaded by what
 * they hold, in the accent where the last teaching rewrote them. */
import { colour, onColours } from "./colours.js";
import { setText } from "./text.js";

const $ = (id) => document.getElementById(id);
const rgb = (name) => colour(name).match(/[\d.]+/g).slice(0, 3).map(Number);

function spanOf(seconds) {
  if (!(seconds >= 0)) return "–";
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

function energyOf(nJ) {
  if (!(nJ >= 0)) return "–";
  return nJ < 1e3 ? `${nJ.toFixed(0)} nJ` : nJ < 1e6 ? `${(nJ / 1e3).toFixed(1)} µJ` : `${(nJ / 1e6).toFixed(2)} mJ`;
}

function paintMap(canvas, map) {
  [canvas.width, canvas.height] = [map.cols, map.rows];
  const ctx = canvas.getContext("2d"), image = ctx.createImageData(map.cols, map.rows);
  const empty = rgb("sunken"), full = rgb("soft"), written = rgb("accent");
  const most = Math.max(...map.weight.map(Math.abs), 1), full_block = map.block ** 2;
  const top = Math.max(...map.changed, 1);
  map.weight.forEach((weight, i) => {
    const shade = 0.75 * Math.abs(weight) / most;
    const share = map.changed[i] ? 0.35 + 0.65 * Math.min(1, (map.changed[i] / Math.min(top, full_block))) : 0;
    for (let c = 0; c < 3; c++) {
      const held = empty[c] + shade * (full[c] - empty[c]);
      image.data[4 * i + c] = held + share * (written[c] - held);
    }
    image.data[4 * i + 3] = 255;
  });
  ctx.putImageData(image, 0, 0);
}

function showMap({ chipReply }) {
  const canvas = $("chip-map"), map = chipReply?.map;
  if (!map) {
    canvas.width = canvas.height = 1;
    $("chip-title-more").textContent = "";
    $("chip-caption").textContent = "Phase-change memory holds what the network knows.";
    return;
  }
  paintMap(canvas, map);
  const cells = map.rows * map.cols * map.block ** 2;
  const share = ((100 * map.cells_changed) / cells).toFixed(1);
  $("chip-title-more").textContent = `core of “${map.skill}”`;
  $("chip-caption").textContent = `Coloured: ${map.cells_changed.toLocaleString("en")} cells that learning rewrote, ${share} % of the core.`;
  canvas.setAttribute("aria-label", `Map of the core of ${map.skill}: learning rewrote ${map.cells_changed} cells, ${share} %`);
}

/** <div><dt><dd></div> of [[term, figure], ..] */
export function showFigures(list, figures) {
  figures.forEach(([term, figure], i) => {
    let row = list.children[i];
    if (!row) {
      row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      list.append(row);
    }
    setText(row.firstChild, term);
    setText(row.lastChild, figure);
  });
  while (list.children.length > figures.length) list.lastChild.remove();
}

function showChip({ chip, chipReply, status }) {
  const held = status?.chip;
  showFigures($("chip-figures"), [
    ["Cores in use", held ? `${held.cores_used} of ${held.cores}` : "–"],
    ["Cells written", held ? Math.max(held.writes, chip?.writes ?? 0).toLocaleString("en") : "–"],
    ["Energy", energyOf(chip?.energy_nJ)],
    ["Oldest cell", spanOf(chip?.age_s || chipReply?.age_s?.oldest)],
    ["Compensation", chip?.alpha ? `× ${chip.alpha.toFixed(3)}` : "–"],
  ]);
}

export function startChip(store) {
  store.on(["chipReply"], showMap);
  store.on(["chip", "chipReply", "status"], showChip);
  onColours(() => showMap(store.state));
}
