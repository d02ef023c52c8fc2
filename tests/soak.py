#!/usr/bin/python3
"""soak.py - armd for a long time: teach, run, stop, fault, recover, forget, restart, in an order
drawn from SEED, with the real programs, for MINUTES.  `make soak` runs it.

After every act the invariants are looked at: the state that has to follow follows, every skill
that was acknowledged is there and no other, descriptors do not grow.  Each minute the resident
memory is noted; after a tenth of the time (caches fill) it may grow by 1 % and 256 KiB at most.
Ends with "N passed, N failed".
"""
from __future__ import annotations

import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "daemon")
from armd import Arm, ArmdError  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
MINUTES = float(os.environ.get("MINUTES", "10"))
SEED = int(os.environ.get("SEED", "1"))
CORES = 16


class Rig:
    """armsim and armd on a folder of their own."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="armd-soak-")
        here = os.getcwd()
        with open("config/sim.yaml", encoding="utf-8") as file:
            text = file.read()
        for old, new in (("/run/armd", self.folder), ("/var/lib/armd", f"{self.folder}/state"),
                         ("arms/scorbot", f"{here}/config/arms/scorbot"),
                         ("weights/", f"{here}/config/weights/")):
            text = text.replace(old, new)
        self.config = f"{self.folder}/armd.yaml"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        self.log = open(f"{self.folder}/log", "w", encoding="utf-8")
        self.sim = self.start("armsim", "--model", "config/arms/scorbot.xml", "--link",
                              f"{self.folder}/arm0", "--control", f"{self.folder}/sim")
        self.armd = self.start("armd", "-c", self.config)

    def start(self, program: str, *args: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([f"{BUILD}/{program}", *args], stdout=self.log, stderr=self.log)

    def client(self) -> Arm:
        return Arm(f"ipc://{self.folder}/control", client="soak")

    def tell_sim(self, line: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(f"{self.folder}/sim")
            sock.sendall(line.encode() + b"\n")
            sock.recv(4096)

    def resident_kB(self) -> int:
        with open(f"/proc/{self.armd.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.armd.pid}/fd"))

    def end(self) -> None:
        for process in (self.armd, self.sim):
            process.terminate()
            process.wait(30)
        self.log.close()
        shutil.rmtree(self.folder)


class Soak:
    def __init__(self) -> None:
        self.random = random.Random(SEED)
        self.rig = Rig()
        self.arm = self.rig.client()
        self.skills: dict[str, int] = {}  # cores that each takes
        self.done: dict[str, int] = {}
        self.failed = 0
        self.memory: list[tuple[float, int]] = []
        self.began_s = time.monotonic()
        self.wait_state("idle")
        self.most_descriptors = 0

    def say(self, text: str) -> None:
        print(f"{(time.monotonic() - self.began_s) / 60:7.1f} min  {text}", flush=True)

    def expect(self, is_so: bool, what: str) -> None:
        if not is_so:
            self.failed += 1
            self.say(f"FAILED: {what}")

    def wait_state(self, state: str, timeout_s: float = 20) -> bool:
        end_s = time.monotonic() + timeout_s
        now = ""
        while time.monotonic() < end_s:
            try:
                now = self.arm.status()["state"]
                if now == state:
                    return True
            except ArmdError:
                pass
            time.sleep(0.05)
        self.expect(False, f"the state is {now}, not {state}")
        return False

    @staticmethod
    def loop(size: float, turn: float) -> list[list[float]]:
        """Once around, from rest to rest."""
        shares = [k / 100 for k in range(101)]
        angles = [turn + 2 * math.pi * s * s * (3 - 2 * s) for s in shares]
        return [[size * (math.sin(a) - math.sin(turn)), size * (math.cos(a) - math.cos(turn))]
                for a in angles]

    def touch_every_core(self) -> None:
        """What the chip needs it has from then on."""
        self.arm.teach("all", self.loop(0.2, 0), duration_s=2.5 * CORES - 0.1)
        self.arm.forget("all")

    # ---- acts ----
    def teach(self) -> None:
        name = f"s{self.random.randrange(12)}"
        points = self.loop(self.random.uniform(0.05, 0.25), self.random.uniform(0, 6))
        seconds = self.random.choice([2.5, 4.0, 7.5])
        taught = self.arm.teach(name, points, duration_s=seconds, replace=True)
        self.skills[name] = taught["segments"]
        there = {s["name"] for s in self.arm.skills()}
        if sum(self.skills.values()) > CORES:  # those that were not used for long are given up
            self.skills = {n: k for n, k in self.skills.items() if n in there}
        best = taught["updates"][-1]["tip_rmse_mm"]
        self.expect(best < 80, f"{name}: {best:.1f} mm after teaching")

    def run(self) -> None:
        if not self.skills:
            return
        name = self.random.choice(sorted(self.skills))
        done = self.arm.run(name, wait=True)
        self.expect(bool(done["complete"]), f"{name} did not come to its end")
        self.expect(done["tip_rmse_mm"] < 100, f"{name}: {done['tip_rmse_mm']:.1f} mm")

    def stop(self) -> None:
        if self.skills:
            self.arm.run(self.random.choice(sorted(self.skills)))
            time.sleep(self.random.uniform(0, 1))
        self.arm.stop()
        self.wait_state("idle")

    def estop(self) -> None:
        self.arm.estop()
        self.wait_state("estop")
        self.arm.reset()
        self.wait_state("idle")

    def fault(self) -> None:
        self.rig.tell_sim(self.random.choice(["fault drop=1", "fault silent:2", "fault corrupt=1"]))
        self.wait_state("fault")
        self.rig.tell_sim("clear")
        self.recover()

    def recover(self) -> None:
        for _ in range(100):
            try:
                self.arm.reset()
                break
            except ArmdError:
                time.sleep(0.1)
        self.wait_state("idle")

    def forget(self) -> None:
        if self.skills:
            name = self.random.choice(sorted(self.skills))
            self.arm.forget(name)
            del self.skills[name]

    def look(self) -> None:
        for cmd in ("chip", "config", "latency", "metrics", "hello", "arm"):
            self.arm.request(cmd)

    # ---- the whole ----
    def check(self) -> None:
        there = {s["name"] for s in self.arm.skills()}
        self.expect(there == set(self.skills), f"skills {sorted(there)}, not {sorted(self.skills)}")
        self.expect(self.rig.armd.poll() is None, "armd has ended")
        self.most_descriptors = max(self.most_descriptors, self.rig.descriptors())

    def step(self) -> None:
        acts = [self.teach, self.teach, self.run, self.run, self.stop, self.estop, self.fault,
                self.forget, self.look]
        act = self.random.choice(acts)
        try:
            act()
        except ArmdError as error:
            if error.code == "fault":  # a busy machine: armd has stopped the arm, as it should
                self.say(f"{act.__name__}: {error}")
                self.recover()
            else:
                self.expect(False, f"{act.__name__}: {error}")
        self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
        self.check()

    def judge_memory(self) -> None:
        settled = [kB for minute, kB in self.memory if minute >= 0.1 * MINUTES]
        if len(settled) > 1:
            grown = settled[-1] - settled[0]
            self.say(f"resident {settled[0]} kB, then {settled[-1]} kB")
            self.expect(grown <= 0.01 * settled[0] + 256, f"it grew by {grown} kB")

    def whole(self) -> int:
        minute, first = 0.0, 0
        self.touch_every_core()
        while (now := (time.monotonic() - self.began_s) / 60) < MINUTES:
            self.step()
            if now >= minute:
                self.memory.append((now, self.rig.resident_kB()))
                first = first or self.rig.descriptors()
                minute = now + max(MINUTES / 60, 0.2)
        self.judge_memory()
        self.expect(self.most_descriptors <= first + 8,
                    f"descriptors grew from {first} to {self.most_descriptors}")
        self.say(", ".join(f"{n} {name}" for name, n in sorted(self.done.items())))
        self.arm.close()
        self.rig.armd.send_signal(signal.SIGTERM)
        self.expect(self.rig.armd.wait(30) == 0, "armd did not end well")
        self.rig.end()
        print(f"{sum(self.done.values())} passed, {self.failed} failed")
        return 1 if self.failed else 0


if __name__ == "__main__":
    sys.exit(Soak().whole())
