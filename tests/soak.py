#!/usr/bin/python3
"""soak.py - armd for HOURS of simulated time: teach, run, lead by hand, fault, recover, rename,
export, forget, in an order drawn from SEED.  `make soak` runs it.

The real programs, in lock-step: the simulated arm waits for armd and nobody sleeps, so that a
day takes about an hour; chip and servos age with simulated time.  After every act the
invariants are looked at: the state that has to follow follows, every skill that was
acknowledged is there and no other, descriptors do not grow.  The resident memory of the second
half of a day may exceed that of the first by 1 %.  Ends with "N passed, N failed", one for each act.
"""
from __future__ import annotations

import math
import os
import random
import signal
import sys
import time

from rig import Rig  # and with it the way to the client

from armd import ArmdError

HOURS = float(os.environ.get("HOURS", "24"))
SEED = int(os.environ.get("SEED", "1"))
CORES = 16
PAUSE_s = 0.004  # of the machine's time: armd answers 500 requests a second
GROWTH = 0.01 if HOURS >= 12 else 0.05  # of the memory, while caches fill


class Soak:
    def __init__(self) -> None:
        self.random = random.Random(SEED)
        self.rig = Rig("soak", is_lockstep=True, seed=SEED)
        self.arm = self.rig.client()
        self.skills: dict[str, int] = {}  # cores that each takes
        self.done: dict[str, int] = {}
        self.events = self.arm.telemetry("event")
        self.told: list[dict] = []
        self.latest: list[str] = []  # acts, for a failure
        self.failed = 0
        self.memory: list[tuple[float, int]] = []  # hour, kB
        self.began_s = 0.0
        self.wait_state("idle")
        self.began_s = self.arm.status()["t_s"]
        self.most_descriptors = 0

    # ---- time, and what is expected ----
    def hours(self) -> float:
        return float(self.arm.status()["t_s"] - self.began_s) / 3600

    def pass_time(self, simulated_s: float) -> None:
        end = self.hours() + simulated_s / 3600
        while self.hours() < end:
            time.sleep(PAUSE_s)

    def say(self, text: str) -> None:
        print(f"{self.hours():8.3f} h  {text}", flush=True)

    def listen(self) -> None:
        """What armd told of late is printed with a failure."""
        while (message := self.events.read(0)) is not None:
            self.told = [*self.told[-9:], message[1]]

    def expect(self, is_so: bool, what: str) -> None:
        if not is_so:
            self.failed += 1
            self.say(f"FAILED: {what} (after {', '.join(self.latest)})")
            self.listen()
            for event in self.told:
                told = {k: v for k, v in event.items() if k not in ("cause", "reaction", "way_out")}
                print(f"{'':12}{told.pop('t_s') - self.began_s:.3f} s {told}", flush=True)

    def wait_state(self, *states: str, timeout_s: float = 20) -> bool:
        end_s = time.monotonic() + timeout_s
        now = ""
        while time.monotonic() < end_s:
            try:
                now = self.arm.status()["state"]
                if now in states:
                    return True
            except ArmdError:
                pass
            time.sleep(PAUSE_s)
        faults = self.arm.status()["faults"]
        self.expect(False, f"the state is {now} {faults}, not {' or '.join(states)}")
        return False

    def any_skill(self) -> str:
        if not self.skills:
            self.teach()
        return self.random.choice(sorted(self.skills))

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
    def learned(self, name: str, taught: dict) -> None:
        self.skills[name] = taught["segments"]
        if sum(self.skills.values()) > CORES:  # those that were not used for long are given up
            there = {s["name"] for s in self.arm.skills()}
            self.skills = {n: k for n, k in self.skills.items() if n in there}
            self.expect(name in there, f"{name} was given up for itself")
        best = taught["updates"][-1]["tip_rmse_mm"]
        self.expect(best < 80, f"{name}: {best:.1f} mm after teaching")

    def teach(self) -> None:
        name = f"s{self.random.randrange(12)}"
        points = self.loop(self.random.uniform(0.05, 0.25), self.random.uniform(0, 6))
        seconds = self.random.choice([2.5, 4.0, 7.5])
        self.learned(name, self.arm.teach(name, points, duration_s=seconds, replace=True))

    def run(self) -> None:
        name = self.any_skill()
        done = self.arm.run(name, repeat=self.random.randint(1, 8), wait=True)
        self.expect(bool(done["complete"]), f"{name} did not come to its end")
        self.expect(done["tip_rmse_mm"] < 100, f"{name}: {done['tip_rmse_mm']:.1f} mm")

    def stop(self) -> None:
        self.arm.run(self.any_skill(), repeat=3)
        self.pass_time(self.random.uniform(0, 3))
        self.arm.stop()
        self.wait_state("idle")

    def estop(self) -> None:
        self.arm.run(self.any_skill(), repeat=3)
        self.pass_time(self.random.uniform(0, 3))
        self.arm.estop()
        self.wait_state("estop")
        self.arm.reset()
        self.wait_state("idle")

    def move(self) -> None:
        self.arm.move([self.random.uniform(-0.8, 0.8) for _ in range(4)])
        self.wait_state("idle")
        self.arm.home()
        self.wait_state("idle")

    def jog(self) -> None:
        for _ in range(self.random.randrange(1, 20)):
            self.arm.request("jog", dq_rad_s=[0.2, 0.0, -0.2, 0.0])
        self.wait_state("idle")  # nobody says stop: the dead man's time is over

    def guide(self) -> None:
        name = f"s{self.random.randrange(12)}"
        self.arm.request("guide", on=True)
        q_rad = self.arm.status()["q_rad"]
        for way in (0.3, -0.2):
            goal = [q - way if k < 2 else q for k, q in enumerate(q_rad)]
            self.rig.tell_sim("hand " + " ".join(f"{q:.3f}" for q in goal) + " +1.5")
            self.pass_time(1.6)
        self.rig.tell_sim("hand off")
        self.learned(name, self.arm.request("guide", on=False, name=name, replace=True,
                                            timeout_s=30))
        self.wait_state("idle")

    def fault(self) -> None:
        spec, cause = self.random.choice([
            ("drop=1", "clear"), ("silent:2", "clear"), ("corrupt=1", "clear"),
            ("unplug", "plug"), ("overload:2", "clear"), ("reboot:3+0.3", "clear"),
            ("wrong-id:1=9", "clear"), ("overheat:4=95", "clear")])
        if self.random.random() < 0.5:
            self.arm.run(self.any_skill(), repeat=50)
        self.rig.tell_sim(f"fault {spec}" if spec != "unplug" else spec)
        self.latest[-1] += f" {spec}"
        self.wait_state("fault", timeout_s=30)
        self.rig.tell_sim(cause)
        self.recover()
        if spec.partition(":")[0] in ("overload", "overheat", "reboot"):
            self.rise()
        self.arm.home()
        self.wait_state("idle")

    def rise(self) -> None:
        """A servo that was without torque has let its part of the arm fall: it may lie on the arm
        itself and push with all it has, which is a fault of its own; it yields a little each time."""
        for _ in range(3):
            self.pass_time(1.5)  # load_ms is 1000
            if self.arm.status()["faults"] != ["overload"]:
                return
            self.recover()

    def recover(self) -> None:
        began = self.hours()
        while self.hours() < began + 0.5:  # an overheated servo has to cool down
            try:
                self.arm.reset()
                break
            except ArmdError:
                self.pass_time(5)
        self.wait_state("idle")

    def forget(self) -> None:
        name = self.any_skill()
        self.arm.forget(name)
        del self.skills[name]

    def rename(self) -> None:
        name = self.any_skill()
        self.arm.request("rename", name=name, to=f"{name}_")
        self.arm.request("rename", name=f"{name}_", to=name)

    def export(self) -> None:
        name, path = self.any_skill(), f"{self.rig.folder}/{sum(self.done.values())}.skill"
        self.arm.request("export", name=name, path=path)
        self.arm.forget(name)
        self.learned(name, self.arm.request("import", path=path, name=name, timeout_s=30)
                     | {"updates": [{"tip_rmse_mm": 0}]})
        os.remove(path)

    def reload(self) -> None:
        self.rig.armd.send_signal(signal.SIGHUP)

    def look(self) -> None:
        with self.arm.telemetry("state", "event") as stream:
            stream.settle()
        for cmd in ("chip", "config", "latency", "metrics", "hello", "arm"):
            self.arm.request(cmd)
        self.arm.request("calibrate")

    # ---- the whole ----
    def check(self) -> None:
        self.listen()
        there = {s["name"] for s in self.arm.skills()}
        self.expect(there == set(self.skills), f"skills {sorted(there)}, not {sorted(self.skills)}")
        self.expect(self.rig.armd.poll() is None, "armd has ended")
        self.most_descriptors = max(self.most_descriptors, self.rig.descriptors())

    def settle(self) -> None:
        """After a failure: the acts that follow are to tell something of their own."""
        self.arm.estop()
        self.rig.tell_sim("clear")
        self.recover()
        self.skills = {s["name"]: s["segments"] for s in self.arm.skills()}

    def step(self) -> None:
        acts = [self.teach, self.teach, self.run, self.run, self.run, self.stop, self.estop,
                self.move, self.jog, self.guide, self.fault, self.forget, self.rename,
                self.export, self.reload, self.look]
        act = self.random.choice(acts)
        self.latest = [*self.latest[-3:], act.__name__]
        try:
            act()
        except ArmdError as error:
            self.expect(False, f"{act.__name__}: {error}")
            self.settle()
        self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
        self.check()

    def judge_memory(self) -> None:
        """The most of the second half against the most of the first."""
        first = max(kB for hour, kB in self.memory if hour < 0.5 * HOURS)
        second = max((kB for hour, kB in self.memory if hour >= 0.5 * HOURS), default=first)
        self.say(f"resident {first} kB, then {second} kB")
        self.expect(second <= (1 + GROWTH) * first, f"it grew by {second - first} kB")

    def whole(self) -> int:
        next_look, first = 0.0, 0
        self.touch_every_core()
        while (now := self.hours()) < HOURS:
            self.step()
            if now >= next_look:
                self.memory.append((now, self.rig.resident_kB()))
                first = first or self.rig.descriptors()
                next_look = now + HOURS / 48
                acts = sum(self.done.values())
                self.say(f"{acts} acts, {self.memory[-1][1]} kB, {len(self.skills)} skills")
        self.judge_memory()
        self.expect(self.most_descriptors <= first + 8,
                    f"descriptors grew from {first} to {self.most_descriptors}")
        self.say(", ".join(f"{n} {name}" for name, n in sorted(self.done.items())))
        self.events.close()
        self.arm.close()
        self.rig.armd.send_signal(signal.SIGTERM)
        is_well = self.rig.armd.wait(60) == 0
        if not is_well:
            print("FAILED: armd did not end well")
        self.rig.end(is_kept=self.failed > 0)
        self.failed += not is_well
        print(f"{sum(self.done.values())} passed, {self.failed} failed")
        return 1 if self.failed else 0


if __name__ == "__main__":
    sys.exit(Soak().whole())
