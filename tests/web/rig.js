/* rig.js - the real programs on a bench for the page's tests: armsim, armd and armweb in a
 * folder of their own.  Everything ends with stop(). */
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync, openSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");
const build = resolve(root, process.env.ARMD_BUILD ?? "build");
export const shots = join(build, "web-shots");
export const webTests = join(build, "web-tests"); /* where the libraries are */

/** waits until look() gives something true, and gives it */
export async function until(what, look, patience_ms = 20000) {
  const end = Date.now() + patience_ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((go) => setTimeout(go, 40));
  }
}

/** A browser that gives way to the arm: without a graphics card it would take the machine,
 * and the kernel's threads that carry bytes between armd and armsim with it. */
export function politeBrowser() {
  const script = join(webTests, "chromium");
  writeFileSync(script, '#!/bin/sh\nexec nice -n 10 chromium "$@"\n', { mode: 0o755 });
  return script;
}

/* a shipped configuration, in the folder; the network for four joints where it says two */
function configure(run, conf) {
  let text = readFileSync(join(root, `config/${conf}.yaml`), "utf8")
    .replaceAll("/run/armd", run).replaceAll("/var/lib/armd", join(run, "state"))
    .replaceAll("model: arms", `model: ${join(root, "config/arms")}`)
    .replaceAll("weights/generic-2j", "weights/generic-4j")
    .replaceAll("weights: weights", `weights: ${join(root, "config/weights")}`)
    .replace("track: velocity", "track: target")
    .replace("position_gain_per_s: 2.0", "position_gain_per_s: 20")
    .replace(/^safety:.*$/m, "safety:\n  bridge_cycles: 200");
  if (!text.includes(`${run}/control`))
    text = text.replace(/^control:/m, `control:\n  endpoint: "ipc://${run}/control"`) +
      `\ntelemetry: {endpoint: "ipc://${run}/telemetry"}\nstate_dir: ${run}/state\n`;
  if (!text.includes("bridge_cycles")) text += "safety: {bridge_cycles: 200}\n";
  writeFileSync(join(run, "armd.yaml"), text);
}

export class Rig {
  /** conf: of config/; arm, ids: of armsim */
  constructor({ conf = "sim", arm = "scorbot", ids = null } = {}) {
    this.run = mkdtempSync(join(tmpdir(), "armd-web."));
    this.processes = {};
    this.sim = ["--model", join(root, `config/arms/${arm}.xml`), "--link", join(this.run, "arm0"),
      "--control", join(this.run, "sim"), "--lockstep", ...(ids ? ["--ids", ids] : [])];
    configure(this.run, conf);
  }

  start(name, ...args) {
    const log = openSync(join(this.run, `${name}.log`), "a");
    const child = spawn(join(build, name), args, { stdio: ["ignore", log, log] });
    child.done = new Promise((go) => child.on("exit", go));
    this.processes[name] = child;
  }

  log(name) {
    return readFileSync(join(this.run, `${name}.log`), "utf8");
  }

  /** one request of armctl; its answer, also when it is no */
  ask(...words) {
    try {
      return JSON.parse(execFileSync(join(build, "armctl"),
        ["-e", `ipc://${this.run}/control`, "--json", ...words],
        { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"],
          env: { ...process.env, ARMCTL_CLIENT: "" } })); /* the lease is the page's */
    } catch (error) {
      try {
        return JSON.parse(error.stdout);
      } catch {
        return {};
      }
    }
  }

  /** What armctl hears of telemetry, line by line, until the end of the next run; or, with a
   * promise, until that is kept. */
  async record(end = null) {
    const file = join(this.run, `run-${Date.now()}.jsonl`);
    const child = spawn(join(build, "armctl"), ["-e", `ipc://${this.run}/control`, "record", file,
      ...(end ? [] : ["--until-run-done"])], { stdio: "ignore" });
    end?.then(() => child.kill("SIGINT"));
    await new Promise((go) => child.on("exit", go));
    return readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  }

  /** one line to the simulated arm; its answer */
  tellSim(line) {
    return new Promise((go, fail) => {
      const socket = connect(join(this.run, "sim"), () => socket.write(`${line}\n`));
      socket.on("data", (data) => (socket.end(), go(JSON.parse(data))));
      socket.on("error", fail);
    });
  }

  startArmd() {
    this.start("armd", "-c", join(this.run, "armd.yaml"));
    return until("armd and its arm", () => this.ask("status").state === "idle");
  }

  async startAll() {
    this.start("armsim", ...this.sim);
    await this.startArmd();
    await this.startWeb();
  }

  async startWeb() {
    this.start("armweb", "-c", join(this.run, "armd.yaml"), "--port", String(this.port ?? 0),
      "--pages", join(build, "web"), "--token-file", join(this.run, "token"));
    const line = await until("armweb", () => /armweb: (http:\S+:(\d+)\/)/.exec(this.log("armweb")));
    [, this.url, this.port] = line;
    this.token = readFileSync(join(this.run, "token"), "utf8").trim();
  }

  end(name, signal = "SIGTERM") {
    const child = this.processes[name];
    delete this.processes[name];
    child?.kill(signal);
    return child?.done;
  }

  async stop() {
    for (const name of Object.keys(this.processes)) await this.end(name);
    rmSync(this.run, { recursive: true, force: true });
  }
}
