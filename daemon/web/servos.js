/* servos.js - every joint: angle, load, temperature, and what its servo complains of. */
import { setText as set } from "./text.js";

const $ = (id) => document.getElementById(id);
const HOT_C = 65;

function row(table, j) {
  if (table.rows[j]) return table.rows[j];
  const tr = table.insertRow();
  const th = document.createElement("td");
  tr.append(th);
  for (let k = 0; k < 3; k++) tr.insertCell();
  return tr;
}

function show({ now, arm, status }) {
  if (!now || !arm) return;
  const table = $("servos");
  arm.joints.forEach((joint, j) => {
    const [name, angle, load, temp] = row(table, j).cells;
    const ill = status?.servo_errors?.[joint.name];
    set(name, ill ? `${joint.name}: ${ill}` : joint.name);
    set(angle, `${((now.q_rad[j] * 180) / Math.PI).toFixed(1)}°`);
    set(load, `${Math.round(100 * now.load[j])} %`);
    set(temp, `${now.temp_C[j].toFixed(0)} °C`);
    temp.classList.toggle("hot", now.temp_C[j] >= HOT_C);
    name.classList.toggle("hot", Boolean(ill));
  });
  set($("servos-volts"), now.volts_V ? `${now.volts_V.toFixed(1)} V` : "");
}

export function startServos(store) {
  store.on(["now", "arm", "status"], show);
}
