"""armd.py - a Python client of armd, for scripts in the lab.

One module; it needs pyzmq (Debian: python3-zmq) and the standard library.

    from armd import Arm
    with Arm("ipc:///run/armd/control") as arm:
        learned = arm.teach("wave", [[0, 0], [0.3, -0.2], [0, 0]], duration_s=2)
        print(learned["updates"][-1]["tip_rmse_mm"], "mm, rehearsed")
        print(arm.run("wave", wait=True)["tip_rmse_mm"], "mm on the arm")

Angles are in rad, lengths in m, times in s unless a name says otherwise.  What armd
refuses raises ArmdError with armd's own sentence.  An Arm is for one thread.
"""
from __future__ import annotations

import getpass
import json
import math
import os
import socket
import time
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import zmq

__all__ = ["Arm", "ArmdError", "Telemetry", "load_certificate", "plot"]

Json = Dict[str, Any]
Points = Sequence[Sequence[float]]

REPLY_TIMEOUT_s = 5.0
LEARN_TIMEOUT_s = 120.0
SILENCE_s = 10.0  # armd sends `timing` each second, whatever the arm does


class ArmdError(Exception):
    """armd said no, or nothing.

    str(error) is its sentence; error.code is its code as in armd(8): "bad_path", "busy",
    "fault", "lease", "unknown_skill", ..., or "unavailable" when no answer came.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def load_certificate(path: str) -> Dict[str, bytes]:
    """Keys of a certificate as `armctl keygen` writes it: public-key and, where the file has
    it, secret-key (40 characters of Z85 each)."""
    keys: Dict[str, bytes] = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition("=")
            if name.strip() in ("public-key", "secret-key"):
                keys[name.strip()] = value.strip().strip('"').encode()
    if len(keys.get("public-key", b"")) != 40:
        raise ArmdError("bad_key", f"{path}: holds no public-key of 40 characters")
    return keys


class Arm:
    """A connection to armd.

    endpoint     where armd takes commands, ipc:// or tcp://.
    client       the name under which the control lease is held; ARMCTL_CLIENT of the
                 environment, else USER@HOST, as armctl says it: both share one lease.  "" gives none.
    certificate  for tcp://: file with the own secret key (`armctl keygen`).
    server       for tcp://: file with armd's public key.
    """

    def __init__(
        self,
        endpoint: str = "ipc:///run/armd/control",
        *,
        client: Optional[str] = None,
        certificate: Optional[str] = None,
        server: Optional[str] = None,
        timeout_s: float = REPLY_TIMEOUT_s,
    ) -> None:
        if (certificate is None) != (server is None):
            raise ValueError("certificate and server go together")
        self.client = _own_name() if client is None else client
        self.timeout_s = timeout_s
        self._endpoint = endpoint
        self._keys = (
            (load_certificate(certificate), load_certificate(server))
            if certificate and server
            else None
        )
        if self._keys and "secret-key" not in self._keys[0]:
            raise ArmdError("bad_key", f"{certificate}: holds no secret-key")
        self._context = zmq.Context()
        self._id = 0  # armd remembers ids of a connection, and answers each once
        self._socket = self._open(zmq.DEALER)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.connect(endpoint)

    def _open(self, kind: int) -> "zmq.Socket[bytes]":
        opened = self._context.socket(kind)
        opened.setsockopt(zmq.LINGER, 0)
        if self._keys:
            own, server = self._keys
            opened.curve_publickey = own["public-key"]
            opened.curve_secretkey = own["secret-key"]
            opened.curve_serverkey = server["public-key"]
        return opened

    def close(self) -> None:
        """Ends the connection; the arm goes on with what it does."""
        self._context.destroy(linger=0)

    def __enter__(self) -> "Arm":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- requests ----

    def request(self, cmd: str, *, timeout_s: Optional[float] = None, **fields: Any) -> Json:
        """Any command of armd(8); its reply without id and ok."""
        self._id += 1
        message: Json = {"id": self._id, "cmd": cmd}
        if self.client:
            message["client"] = self.client
        message.update({k: v for k, v in fields.items() if v is not None})
        text = json.dumps(message, allow_nan=False).encode()
        reply = self._exchange(text, self._id, timeout_s or self.timeout_s)
        if not reply.pop("ok", False):
            error = reply.get("error", {})
            raise ArmdError(error.get("code", "internal"), error.get("message", "no reason"))
        reply.pop("id", None)
        return reply

    def _exchange(self, text: bytes, ours: int, timeout_s: float) -> Json:
        end = time.monotonic() + timeout_s
        if not self._socket.poll(int(1e3 * timeout_s), zmq.POLLOUT):
            raise ArmdError("unavailable", "armd is not there, or does not know our key")
        self._socket.send(text)
        while self._socket.poll(max(0, int(1e3 * (end - time.monotonic())))):
            reply = json.loads(self._socket.recv_multipart()[-1])
            # a request that could not be read is answered without its id
            if reply.get("id", ours) == ours:
                return dict(reply)
        raise ArmdError("unavailable", f"armd did not answer within {timeout_s:g} s")

    def hello(self) -> Json:
        """Version, arm (name, joints with limits), tick_ms, steps, backend."""
        return self.request("hello")

    def status(self) -> Json:
        """state, skill, q_rad, faults, timing, chip."""
        return self.request("status")

    def skills(self) -> List[Json]:
        """What was learned: name, duration_s, segments, updates, tip_rmse_mm, learned_s."""
        return list(self.request("skills")["skills"])

    def teach(
        self,
        name: str,
        points: Union[Points, Json],
        *,
        space: str = "joint",
        times_s: Optional[Sequence[float]] = None,
        duration_s: Optional[float] = None,
        updates: Optional[int] = None,
        replace: bool = False,
    ) -> Json:
        """Learns a movement, arm still, and returns when it is learned.

        points   space "joint": angles in rad of the arm's first joints, a row a point;
                 space "tip": x, y, z in m in the frame of the base; or a dictionary like
                 ROS 2's JointTrajectory, which says its own times.
        times_s  of the points; or duration_s: they are evenly spaced over it.
        The reply holds segments and updates: tip_rmse_mm after 0, 1, ... of them.
        """
        fields: Json = {"trajectory": points}
        if not isinstance(points, dict):
            rows = [[float(x) for x in point] for point in points]
            _check_finite(rows)
            fields = {"space": space, "points": rows, "duration_s": duration_s}
            fields["times_s"] = None if times_s is None else [float(t) for t in times_s]
        return self.request(
            "teach",
            timeout_s=LEARN_TIMEOUT_s,
            name=name,
            updates=updates,
            replace=replace or None,
            **fields,
        )

    def forget(self, name: str) -> None:
        """Takes a skill away, from disk too."""
        self.request("forget", timeout_s=LEARN_TIMEOUT_s, name=name)

    def run(
        self,
        name: str,
        *,
        speed: Optional[float] = None,
        repeat: Optional[int] = None,
        start: Optional[str] = None,
        wait: bool = False,
    ) -> Json:
        """Begins a run; with wait it returns the event run_done, as wait_run_done().

        start  "current": from where the arm is; "start": it goes to the first point first.
        """
        request: Json = {"name": name, "speed": speed, "repeat": repeat, "from": start}
        return self._follow(request)[0] if wait else self.request("run", **request)

    def record(self, name: str, **options: Any) -> Tuple[Json, List[Json]]:
        """As run with wait; returns run_done and every message `state` of the movement:
        t_s, q_rad, tip_m, target_tip_m, tip_error_mm, ... as in armd(8)."""
        if "start" in options:
            options["from"] = options.pop("start")
        return self._follow({"name": name, **options})

    def _follow(self, request: Json) -> Tuple[Json, List[Json]]:
        states: List[Json] = []
        with self.telemetry("event", "state", "timing") as stream:
            stream.settle()
            self.request("run", **request)
            return self.wait_run_done(stream, states), states

    def wait_run_done(
        self, stream: Optional["Telemetry"] = None, states: Optional[List[Json]] = None
    ) -> Json:
        """The next event run_done: tip_rmse_mm, tip_max_mm, omega_rmse_rad_s, overruns, ...

        A fault, an emergency stop or a run that cannot begin raises ArmdError; its code is
        that of the fault.  stream: telemetry with event, opened before the run; states:
        a list for what `state` says of the movement meanwhile.
        """
        if stream is None:
            with self.telemetry("event", "state", "timing") as own:
                return self.wait_run_done(own)
        for topic, message in stream:
            if topic == "state" and states is not None and "tip_error_mm" in message:
                states.append(message)
            kind = message.get("kind")
            if kind == "run_done":
                return message
            if kind == "fault":
                raise ArmdError(
                    message["fault"], f"{message['cause']}; {message['way_out']}"
                )
            if kind == "state" and message["to"] == "estop":
                raise ArmdError("estop", "the emergency stop is latched; reset first")
            if kind == "forgotten":
                raise ArmdError("forgotten", f"{message['name']}: {message['reason']}")
        raise ArmdError("unavailable", "telemetry has ended")

    def move(self, q_rad: Sequence[float], *, v_scale: Optional[float] = None) -> None:
        """To a pose, under limits; accepted when this returns (event move_done ends it)."""
        self.request("move", q_rad=[float(q) for q in q_rad], v_scale=v_scale)

    def home(self, *, v_scale: Optional[float] = None) -> None:
        """As move, to the home pose."""
        self.request("home", v_scale=v_scale)

    def stop(self) -> None:
        """Ramps to rest.  Needs no lease."""
        self.request("stop")

    def estop(self) -> None:
        """At once, and latched until reset.  Needs no lease."""
        self.request("estop")

    def reset(self) -> None:
        """Leaves a fault or an emergency stop; raises with what is still wrong."""
        self.request("reset", timeout_s=LEARN_TIMEOUT_s)

    def lease(self, action: str = "take", *, force: bool = False) -> Json:
        """The right to change things: "take", "renew" or "release" it; owner, left_s."""
        return dict(self.request("lease", action=action, force=force or None)["lease"])

    # ---- telemetry ----

    def telemetry(self, *topics: str) -> "Telemetry":
        """Messages of these topics (none named: all) as they come, as (topic, message)."""
        info = self.request("subscribe_info")
        endpoint = _reachable(info["endpoint"], self._endpoint)
        return Telemetry(self._open(zmq.SUB), endpoint, topics or info["topics"])

    def events(self, *kinds: str) -> Iterator[Json]:
        """Events of these kinds (none named: all), without an end."""
        with self.telemetry("event", "timing") as stream:
            for topic, message in stream:
                if topic == "event" and (not kinds or message["kind"] in kinds):
                    yield message


class Telemetry:
    """A subscription; iterate over it: (topic, message).  Close it, or use `with`."""

    def __init__(
        self, opened: "zmq.Socket[bytes]", endpoint: str, topics: Iterable[str]
    ) -> None:
        self._socket = opened
        self._kept: List[Tuple[str, Json]] = []
        for topic in topics:
            opened.setsockopt(zmq.SUBSCRIBE, topic.encode())
        opened.connect(endpoint)

    def settle(self) -> None:
        """Returns when messages come in: nothing that is sent from now on is missed."""
        self._kept.append(next(self))

    def read(self, timeout_s: float) -> Optional[Tuple[str, Json]]:
        """The next (topic, message), or None when there is none so long."""
        if self._kept:
            return self._kept.pop(0)
        if not self._socket.poll(int(1e3 * timeout_s)):
            return None
        topic, text = self._socket.recv_multipart()[:2]
        return topic.decode(), json.loads(text)

    def __iter__(self) -> "Telemetry":
        return self

    def __next__(self) -> Tuple[str, Json]:
        message = self.read(SILENCE_s)
        if message is None:
            raise ArmdError("unavailable", "telemetry has gone silent")
        return message

    def close(self) -> None:
        """Ends the subscription."""
        self._socket.close(linger=0)

    def __enter__(self) -> "Telemetry":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def plot(states: Sequence[Json], key: str, path: str) -> None:
    """Draws a number of the messages `state` over time: a picture at path when matplotlib is
    here (Debian: python3-matplotlib), else bars of text on the terminal."""
    t_s = [state["t_s"] - states[0]["t_s"] for state in states]
    values = [float(state[key]) for state in states]
    try:
        from matplotlib.figure import Figure  # type: ignore
    except ImportError:
        _print_bars(t_s, values, key)
        return
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(t_s, values)
    axes.set(xlabel="time / s", ylabel=key, ylim=(0, None))
    figure.savefig(path)
    print(path)


def _print_bars(t_s: Sequence[float], values: Sequence[float], key: str) -> None:
    rows, width = 24, 50
    most = max(values) or 1.0
    print(f"{'t/s':>6} {key}")
    for k in range(0, len(values), -(-len(values) // rows)):
        print(f"{t_s[k]:6.2f} {values[k]:6.1f} {'#' * round(width * values[k] / most)}")


def _own_name() -> str:
    """As armctl calls itself; at most what armd takes."""
    given = os.environ.get("ARMCTL_CLIENT")
    if given is not None:
        return given
    return f"{getpass.getuser()}@{socket.gethostname()}".encode()[:63].decode(errors="ignore")


def _reachable(named: str, control: str) -> str:
    """armd may listen everywhere: it is found where its control endpoint is."""
    host, _, port = named.rpartition(":")
    if host in ("tcp://*", "tcp://0.0.0.0") and control.startswith("tcp://"):
        return control.rpartition(":")[0] + ":" + port
    return named


def _check_finite(rows: Points) -> None:
    for k, row in enumerate(rows):
        if not all(math.isfinite(x) for x in row):
            raise ArmdError("bad_path", f"point {k} is not finite")
