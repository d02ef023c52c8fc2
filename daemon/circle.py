#!/usr/bin/python3
"""circle.py [ENDPOINT] - teaches a circle to the arm, runs it, and plots the error."""
import math
import sys

from armd import Arm, plot

turn = [2 * math.pi * k / 100 for k in range(101)]
circle = [[0.12 * math.sin(a), 0.12 * math.cos(a) - 0.12] for a in turn]  # base, shoulder
with Arm(*sys.argv[1:]) as arm:
    learned = arm.teach("circle", circle, duration_s=5, replace=True)
    done, states = arm.record("circle")
print(f"rehearsed {learned['updates'][-1]['tip_rmse_mm']:.1f} mm,", end=" ")
print(f"executed {done['tip_rmse_mm']:.1f} mm")
plot(states, "tip_error_mm", "circle.png")
