/* rig.js - the real programs on a bench for the page's tests: armsim, armd and armweb in a
 * folder of their own.  Everything ends with stop(). */
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync, openSync } from "node:fs";
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

/* the shipped configuration for four joints, in the folder */
function configure(run) {
  const text = readFileSync(join(root, "config/sim.yaml"), "utf8")
    .replaceAll("/run/armd", run).replaceAll("/var/lib/armd", join(run, "state"))
    .replaceAll("arms/scorbot", join(root, "config/arms/scorbot"))
    .replaceAll("weights/generic-2j", join(root, "config/weights/generic-4j"))
    .replace("track: velocity", "track: target")
    .replace("position_gain_per_s: 2.0", "position_gain_per_s: 20")
    .replace(/^safety:.*$/m, "safety:\n  bridge_cycles: 200");
  writeFileSync(join(run, "armd.yaml"), text);
}

export class Rig {
  constructor() {
    this.run = mkdtempSync(join(tmpdir(), "armd-web."));
    this.processes = {};
    configure(this.run);
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

  startArmd() {
    this.start("armd", "-c", join(this.run, "armd.yaml"));
    return until("armd and its arm", () => this.ask("status").state === "idle");
  }

  async startAll() {
    this.start("armsim", "--model", join(root, "config/arms/scorbot.xml"),
      "--link", join(this.run, "arm0"), "--lockstep");
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
