"""bench_arm.py - what armd does in real time while a skill runs on the chip, with the real programs:
the work of a cycle, how soon a run is accepted, how soon an emergency stop is a command of zero.
`make bench` runs it; a row is a figure, and its limit where it has one."""
from __future__ import annotations

import math
import time

from rig import Rig  # and with it the way to the client

from armd import Arm, ArmdError

RUN_s, REQUESTS, ESTOPS = 10, 200, 40


def row(what: str, value: float, unit: str, limit: str = "") -> None:
    print(f"  {what:<58} {value:10.2f} {unit:<4} {limit}", flush=True)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def percentiles(counts: list[list[int]]) -> dict[float, int]:
    total, seen, at = sum(n for _, n in counts), 0, {}
    for us, n in counts:
        seen += n
        for share in (0.5, 0.99, 0.999):
            if seen >= share * total:
                at.setdefault(share, us)
    return at


def make_idle(arm: Arm) -> None:
    while arm.status()["state"] != "idle":
        try:
            if arm.status()["state"] in ("fault", "estop"):
                arm.reset()
        except ArmdError:
            pass
        time.sleep(0.05)


def cycle_work(arm: Arm) -> None:
    arm.run("wave", repeat=50)
    time.sleep(RUN_s + 2)  # the histogram is of the last ten seconds
    latency = arm.request("latency")
    arm.stop()
    cycle = percentiles(latency["cycle"]["counts"])
    ahead = percentiles(latency["ahead"]["counts"])
    for share, name, limit in ((0.5, "p50", ""), (0.99, "p99", "limit 30"), (0.999, "p99.9", "")):
        row(f"a cycle, from wake-up to the goals in the port; {name}", cycle[share], "us", limit)
    for share, name in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")):
        row(f"network on the chip and Jacobian, while servos answer; {name}", ahead[share], "us")
    row("both together at most, p99", cycle[0.99] + ahead[0.99], "us")


def accepted(arm: Arm) -> None:
    took_ms = []
    for _ in range(REQUESTS):
        make_idle(arm)
        began = time.perf_counter()
        arm.move([0.0, 0.0, 0.0, 0.0])
        took_ms.append(1e3 * (time.perf_counter() - began))
        arm.stop()
    row("from request to accepted, over ipc and from Python; p50", percentile(took_ms, 0.5), "ms")
    row("from request to accepted, over ipc and from Python; p99", percentile(took_ms, 0.99), "ms",
        "limit 1")


def estop(arm: Arm) -> None:
    took_ms = []
    with arm.telemetry("event", "timing") as stream:
        stream.settle()
        for _ in range(ESTOPS):
            make_idle(arm)
            arm.run("wave")
            time.sleep(0.3)
            began_s = time.time()
            arm.estop()
            while True:
                topic, event = next(stream)
                if topic == "event" and event["kind"] == "state" and event["to"] == "estop":
                    break
            took_ms.append(1e3 * (event["t_s"] - began_s))
    row("from an estop request to zero command, 200 Hz; p50", percentile(took_ms, 0.5), "ms")
    row("from an estop request to zero command, 200 Hz; most", max(took_ms), "ms",
        "limit a cycle: 5")


def main() -> None:
    rig = Rig("bench")
    with rig.client() as arm:
        while True:
            try:
                if arm.status()["state"] == "idle":
                    break
            except ArmdError:
                pass
            time.sleep(0.1)
        wave = [[0.3 * math.sin(k / 16) ** 2, 0.2 * math.sin(k / 25) ** 2] for k in range(101)]
        arm.teach("wave", wave, duration_s=2.5)
        print("the arm in real time, 200 Hz, config/sim.yaml (real-time priority: "
              f"{'yes' if arm.status()['realtime'] else 'no'})")
        cycle_work(arm)
        accepted(arm)
        estop(arm)
        make_idle(arm)
    rig.end(is_kept=False)


if __name__ == "__main__":
    main()
