"""rig.py - the real programs on a bench, for tests and benchmarks in Python: armsim and armd on a
folder of their own.  BUILD names the folder with the programs."""
from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, "daemon")
from armd import Arm  # noqa: E402

BUILD = os.environ.get("BUILD", "build")


class Rig:
    """armsim and armd on a folder of their own."""

    def __init__(self, name: str, is_lockstep: bool = False, seed: int = 1) -> None:
        self.folder = tempfile.mkdtemp(prefix=f"armd-{name}-")
        self.name = name
        here = os.getcwd()
        with open("config/sim.yaml", encoding="utf-8") as file:
            text = file.read()
        edits = [("/run/armd", self.folder), ("/var/lib/armd", f"{self.folder}/state"),
                 ("arms/scorbot", f"{here}/config/arms/scorbot"),
                 ("weights/", f"{here}/config/weights/")]
        if is_lockstep:
            edits += [("  on_exit: hold", "  lockstep: true\n  on_exit: hold"),
                      ("rate_Hz: 200", "rate_Hz: 100")]
        for old, new in edits:
            text = text.replace(old, new)
        self.config = f"{self.folder}/armd.yaml"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        self.log = open(f"{self.folder}/log", "w", encoding="utf-8")
        self.sim = self.start("armsim", "--model", "config/arms/scorbot.xml", "--link",
                              f"{self.folder}/arm0", "--control", f"{self.folder}/sim",
                              "--seed", str(seed),
                              *(("--lockstep", "--cycle_us", "10000") if is_lockstep else ()))
        self.armd = self.start("armd", "-c", self.config)

    def start(self, program: str, *args: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([f"{BUILD}/{program}", *args], stdout=self.log, stderr=self.log)

    def client(self) -> Arm:
        return Arm(f"ipc://{self.folder}/control", client=self.name)

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

    def end(self, is_kept: bool) -> None:
        for process in (self.armd, self.sim):
            process.terminate()
            process.wait(30)
        self.log.close()
        if is_kept:
            print(f"what armd said and left: {self.folder}")
        else:
            shutil.rmtree(self.folder)
