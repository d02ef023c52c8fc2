"""torch_model.py - both networks, the update and the loss of snn/grad.h in PyTorch.

Written from the equations in the headers (lif.h, rsnn.h, clock.h, code.h, eprop.h, grad.h);
shares no code with the library, and its backward pass is PyTorch's.

Arrays over time are (T, B, ...): steps, tasks.  Weights are [pre][post].
"""
import json
import struct
from types import SimpleNamespace

import numpy as np
import torch

TENSORS = ("lsg.w_in", "lsg.w_rec", "lsg.w_out", "lsg.w_direct",
           "trainee.w_in", "trainee.w_rec", "trainee.w_out")


def read_safetensors(path):
    """(tensors by name, metadata by key): 8 bytes of length, JSON header, raw data"""
    raw = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    meta = header.pop("__metadata__", {})
    types = {"F32": np.float32, "F64": np.float64, "U8": np.uint8}
    return {name: np.frombuffer(raw, types[t["dtype"]], int(np.prod(t["shape"])),
                                start + t["data_offsets"][0]).reshape(t["shape"])
            for name, t in header.items()}, meta


class Network:
    """constants and weights of FILE; weights are leaves that collect gradients"""

    def __init__(self, tensors, meta, dtype):
        self.meta, self.dtype, self.steps = meta, dtype, int(meta["steps"])
        self.w = {name: torch.tensor(tensors[name], dtype=dtype, requires_grad=True)
                  for name in TENSORS}
        self.trainee, self.lsg = self.layer("trainee"), self.layer("lsg")
        self.eta, self.tick_s = self.number("learning_rate"), self.number("tick_s")
        self.scale = torch.tensor([float(s) for s in meta["joint_scale_rad_s"].split(",")],
                                  dtype=dtype)
        self.clock = self.clock_spikes()

    def number(self, key):
        return float(self.meta[key])

    def layer(self, name):
        def get(key, otherwise=0.0):
            return float(self.meta.get(name + "." + key, otherwise))
        n, n_adaptive = int(get("n")), int(get("n_alif"))
        beta = torch.zeros(n, dtype=self.dtype)
        beta[n - n_adaptive:] = get("beta")  # the last ones have a moving threshold
        return SimpleNamespace(
            gamma=np.exp(-1 / get("tau_m_steps")), rho=np.exp(-1 / get("tau_a_steps", 600)),
            v_th=get("v_th"), dampening=get("dampening"), silent=get("refractory_steps") - 1,
            beta=beta if n_adaptive else None,
            no_self=1 - torch.eye(n, dtype=self.dtype),  # no neuron drives itself
            trace=self.filter(get("tau_m_steps")), readout=self.filter(get("tau_out_steps")))

    def filter(self, tau):
        """(T, T) matrix of y(t) = exp(-1 / tau) y(t - 1) + x(t)"""
        t = torch.arange(self.steps, dtype=self.dtype)
        return torch.exp(-(t[:, None] - t).clamp(min=0) / tau).tril()

    def clock_spikes(self):
        """(T, 1, channels)"""
        channels, stride, width, period = (int(self.meta["clock." + key]) for key in (
            "channels", "stride_steps", "width_steps", "period_steps"))
        since = torch.arange(self.steps)[:, None] - stride * torch.arange(channels)
        is_on = (since >= 0) & (since < width) & (since % period == 0)
        return is_on.to(self.dtype)[:, None]

    def show(self, omega, tip):
        """what the LSG sees, (T, B, inputs): the clock and the code of the targets"""
        T, B, J = omega.shape
        if self.meta["code.kind"] == "cartesian-16bit":
            level = ((tip.astype(np.float32) + 1) * np.float32(32768)).astype(int)
            code = torch.tensor(level[..., None] >> np.arange(16) & 1, dtype=self.dtype)
        else:
            reach, sd = self.number("code.range_rad_s"), self.number("code.sd_rad_s")
            centres = torch.linspace(-reach, reach, int(self.meta["code.units"]),
                                     dtype=self.dtype)
            code = torch.exp(-0.5 * ((omega[..., None] - centres) / sd) ** 2)
        return torch.cat([self.clock.expand(T, B, -1), code.reshape(T, B, -1)], 2)


class Spike(torch.autograd.Function):
    """a threshold whose derivative is declared to be h"""

    @staticmethod
    def forward(ctx, above, h, is_ready):
        ctx.save_for_backward(h)
        return (above > 0).to(above.dtype) * is_ready

    @staticmethod
    def backward(ctx, d_z):
        return ctx.saved_tensors[0] * d_z, None, None


def pseudo_derivative(layer, above, is_ready):
    return is_ready * layer.dampening / layer.v_th * torch.relu(1 - above.abs() / layer.v_th)


def run(layer, current, w_rec):
    """current (T, B, n); w_rec (n, n), or (B, n, n) when every task has weights of its own.
    Spikes z (T, B, n), and what pseudo-derivatives are made of, step by step."""
    z = v = b = silent = torch.zeros_like(current[0])
    steps = []
    for i in current.unbind(0):
        back = z @ w_rec if w_rec.dim() == 2 else torch.bmm(z[:, None], w_rec)[:, 0]
        threshold = layer.v_th
        if layer.beta is not None:
            b = layer.rho * b + z
            threshold = layer.v_th + layer.beta * b
        v = layer.gamma * v + i + back - z * threshold
        above = v - threshold
        is_ready = (silent <= 0).to(v.dtype)
        with torch.no_grad():
            h = pseudo_derivative(layer, above, is_ready)
        z = Spike.apply(above, h, is_ready)
        with torch.no_grad():
            silent = torch.where(z > 0, layer.silent, silent - 1)
        steps.append((z, above, is_ready))
    spikes, above, is_ready = zip(*steps)
    return SimpleNamespace(z=torch.stack(spikes), above=above, is_ready=is_ready)


def trainee_run(net, w_in, w_rec):
    """w_in (B, channels, n), w_rec (B, n, n)"""
    current = torch.einsum("tc,bcn->tbn", net.clock[:, 0], w_in)
    r = run(net.trainee, current, w_rec)
    r.y = torch.tensordot(net.trainee.readout, r.z @ net.w["trainee.w_out"], 1)
    return r


# Kinds of update: from the last run to learning signals (T, B, n), and the LSG's spikes
# where it took part.  Another kind is another function of this form in `updates` below.
def watch(net, task, last):
    x = task.seen
    lsg = run(net.lsg, x @ net.w["lsg.w_in"], net.w["lsg.w_rec"] * net.lsg.no_self)
    signal = torch.tensordot(net.lsg.readout, lsg.z @ net.w["lsg.w_out"], 1)
    return signal + x @ net.w["lsg.w_direct"], lsg.z


def eprop(net, last, signal):
    """weight changes (B, channels + n, n)"""
    before = torch.cat([torch.zeros_like(last.z[:1]), last.z[:-1]])  # what drove step t
    rows = torch.cat([net.clock.expand(-1, last.z.shape[1], -1), before], 2)
    trace = torch.tensordot(net.trainee.trace, rows, 1)
    return -net.eta * torch.einsum("tbi,tbj->bij", trace, last.h * signal)


def meta_loss(net, task, updates=(watch,), live=()):
    """E of grad.h.  `live` names what of the run before an update passes gradient on: its
    spikes "z", pseudo-derivatives "h" and readout "y" in the update, its "rate" in E."""
    w_in, w_rec = net.w["trainee.w_in"][None], net.w["trainee.w_rec"][None]
    w_rec = w_rec * net.trainee.no_self
    runs, lsg = [trainee_run(net, w_in, w_rec)], None
    for signal_of in updates:
        last = {"z": runs[-1].z, "y": runs[-1].y, "h": pseudo_derivative(
            net.trainee, torch.stack(runs[-1].above), torch.stack(runs[-1].is_ready))}
        last = SimpleNamespace(**{k: x if k in live else x.detach() for k, x in last.items()})
        signal, spikes = signal_of(net, task, last)
        lsg = lsg if spikes is None else spikes
        change = eprop(net, last, signal)
        channels = w_in.shape[1]
        w_in = w_in + change[:, :channels]
        w_rec = w_rec + change[:, channels:] * net.trainee.no_self
        if "rate" not in live:
            runs[-1].z = runs[-1].z.detach()
        runs.append(trainee_run(net, w_in, w_rec))
    e = runs[-1].y - task.omega / net.scale
    q = net.tick_s * e.cumsum(0)
    rate = sum(r.z.mean((0, 1)) for r in runs) / len(runs)
    p = task.weights
    loss = 0.5 * (e ** 2).mean() + 0.5 * p["position_weight"] * (q ** 2).mean()
    rates = ((rate - p["trainee_rate"]) ** 2).sum() + (
        (lsg.mean((0, 1)) - p["lsg_rate"]) ** 2).sum()
    return SimpleNamespace(loss=loss, total=loss + p["rate_weight"] * rates,
                           spikes={"first": runs[0].z, "second": runs[-1].z, "lsg": lsg})


def load(path, dtype):
    """network, task and every tensor of FILE; tensors of the file have the batch first"""
    tensors, meta = read_safetensors(path)
    net = Network(tensors, meta, dtype)
    omega = torch.tensor(tensors["task.omega"], dtype=dtype).transpose(0, 1)
    tip = tensors["task.tip"].swapaxes(0, 1) if "task.tip" in tensors else None
    weights = {key: float(meta["grad." + key]) for key in (
        "position_weight", "rate_weight", "trainee_rate", "lsg_rate")}
    live = ("rate", "z", "h") if float(meta["grad.is_first_run_exact"]) else ()
    with torch.no_grad():
        seen = net.show(omega / net.scale, tip)
    return net, SimpleNamespace(omega=omega, seen=seen, weights=weights, live=live), tensors


def gradients(net, task, **how):
    """loss and spikes; derivative of the whole E by every weight matrix"""
    result = meta_loss(net, task, **how)
    return result, dict(zip(TENSORS, torch.autograd.grad(result.total, net.w.values())))
