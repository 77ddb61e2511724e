"""Time the float64 reference against a plain mpmath loop and Arb's ball arithmetic, in one run.

    python benchmarks/reference.py

All three evaluate bce_logits at the same inputs, one target, one core.  The tier's time includes
ulps, rounding, and the points that it hands to mpmath.
"""

import time

import numpy as np
from flint import arb, ctx
from mpmath import mp

from harness.formats import format_named
from harness.memory import keep_freed_memory
from harness.problems import problem_named
from harness.reference import truth
from harness.tiers import evaluate

POINTS, SLOW = 1 << 16, 1 << 11
ROUNDS = 5


def rate(function, points: int) -> float:
    """Return points per second of one call."""
    began = time.perf_counter()
    function()
    return points / (time.perf_counter() - began)


def main() -> None:
    """Print points per second of each, and the tier's ratio to the others, round by round."""
    np.seterr(all="ignore")
    fmt, problem = format_named("float64"), problem_named("bce_logits")
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-745, 745, POINTS))
    few, target = [float(v) for v in x[:: POINTS // SLOW]], 0.1
    mp.prec = ctx.prec = 128

    def plain() -> None:
        for v in few:
            tail = mp.log1p(mp.exp(-abs(mp.mpf(v))))
            target * max(-v, 0) + (1 - mp.mpf(target)) * max(v, 0) + tail

    def ziv() -> None:
        for v in few:
            truth(problem, (mp.mpf(v), mp.mpf(target)), 107)

    def balls() -> None:
        y = arb(target)
        for v in few:
            tail = (-abs(arb(v))).exp().log1p()
            y * max(-v, 0) + (1 - y) * max(v, 0) + tail

    keep_freed_memory()  # as sweeps do
    ratios = []
    for _ in range(ROUNDS):
        tier = rate(lambda: evaluate(problem, fmt, x[None, :], np.array([[target]])), POINTS)
        others = [rate(f, len(few)) for f in (plain, ziv, balls)]
        ratios.append([tier / o for o in others])
        shown = ", ".join(f"{name} {o:.3g}" for name, o in zip(("mpmath", "certified mpmath", "Arb"), others))
        print(f"points/s: tier {tier:.3g}, {shown}")
    middle = np.median(ratios, axis=0)
    print(
        f"tier / plain mpmath {middle[0]:.0f}, tier / certified mpmath {middle[1]:.0f}, tier / Arb {middle[2]:.1f} (medians)"
    )


if __name__ == "__main__":
    main()
