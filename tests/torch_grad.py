#!/usr/bin/python3
"""torch_grad.py FILE [--first-run] - the library's meta-gradient against PyTorch's.

FILE is what tests/support_torch.h writes: weights, tasks, the library's spikes and gradient
(float32).  Here everything is float64.  Exit 1 when a spike train differs anywhere, or the
gradient of a weight matrix by more than 1e-4 of its norm.

--first-run also prints what the gradient would be if the first run were not taken as a
constant: direction (cosine) and length against the gradient with a constant first run.
"""
import sys

import torch

from torch_model import gradients, load

TOLERANCE = 1e-4


def compare(net, task, ours):
    """prints every comparison; how many of them fail"""
    result, exact = gradients(net, task, live=task.live)
    failures = 0
    for name, z in result.spikes.items():
        spikes = ours["spikes." + name].swapaxes(0, 1)
        differ = int((z.detach().numpy() != spikes).sum())
        failures += differ > 0
        print(f"{name:14s} {int(spikes.sum()):7d} spikes, {differ} differ")
    for name, g in exact.items():
        error = torch.linalg.norm(torch.tensor(ours["gradient." + name]) - g)
        share = float(error / torch.linalg.norm(g))
        failures += not share <= TOLERANCE
        print(f"{name:14s} relative error {share:.2e}")
    return failures


def first_run(net, task):
    _, constant = gradients(net, task)
    for live in (("rate",), ("rate", "z"), ("rate", "z", "h")):
        print("first run passes on:", ", ".join(live))
        _, full = gradients(net, task, live=live)
        for name, g in full.items():
            c, length = constant[name].flatten(), torch.linalg.norm(g)
            cosine = c @ g.flatten() / (torch.linalg.norm(c) * length)
            print(f"  {name:14s} cosine {float(cosine):7.4f}  "
                  f"length {float(length / torch.linalg.norm(c)):8.3f} times")


if __name__ == "__main__":
    torch.set_num_threads(1)
    case = load(sys.argv[1], torch.float64)
    failed = compare(*case)
    if "--first-run" in sys.argv[2:]:
        first_run(*case[:2])
    sys.exit(1 if failed else 0)
