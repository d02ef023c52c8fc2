#!/usr/bin/python3
"""torch_bench.py FILE - an iteration of meta-training in PyTorch, float32, one thread.

Prints the loss before training and the median processor time of an iteration in seconds:
both runs, the LSG, the update, the gradient, clipping and Adam.  FILE as for torch_grad.py.
Matrix products take the whole batch at once, inputs and readouts all steps at once.
"""
import os
import statistics
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # PyTorch's own setting does not reach it

import torch

from torch_model import load, meta_loss

torch.set_num_threads(1)
net, task, _ = load(sys.argv[1], torch.float32)
weights = list(net.w.values())
adam = torch.optim.Adam(weights, lr=1e-3)
seconds, losses = [], []
for _ in range(1 + 3):  # the first one warms up
    start = time.process_time()
    adam.zero_grad()
    result = meta_loss(net, task)
    result.total.backward()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    adam.step()
    seconds.append(time.process_time() - start)
    losses.append(result.loss.item())
print(f"{losses[0]:.9g} {statistics.median(seconds[1:]):.6g}")
