"""Time the float64 reference against a plain mpmath loop and Arb's ball arithmetic, in one run.

    python benchmarks/reference.py

All evaluate the same loss at the same inputs, one target, one core: bce_logits at logits where exp(-|x|) is a
number of the format, bce at probabilities of (0, 1).  The tier's time includes ulps, rounding, and the points
that it hands to mpmath.
"""

import time

from harness.numbers.formats import format_named
from harness.sweep.memory import keep_freed_memory
from harness.problems import problem_named
from harness.truth.certified import truth
from harness.truth.fast import evaluate

import numpy as np
from flint import arb, ctx
from mpmath import mp


POINTS, SLOW = 1 << 16, 1 << 11
ROUNDS = 5
TARGET = 0.1


def plain_logits(v: float) -> None:
    """Compute the loss from a logit as anyone would with mpmath."""
    TARGET * max(-v, 0) + (1 - mp.mpf(TARGET)) * max(v, 0) + mp.log1p(mp.exp(-abs(mp.mpf(v))))


def arb_logits(v: float) -> None:
    """Compute the same in ball arithmetic."""
    y = arb(TARGET)
    y * max(-v, 0) + (1 - y) * max(v, 0) + (-abs(arb(v))).exp().log1p()


def plain_probabilities(v: float) -> None:
    """Compute the loss from a probability as anyone would with mpmath."""
    -TARGET * mp.log(mp.mpf(v)) - (1 - mp.mpf(TARGET)) * mp.log1p(-mp.mpf(v))


def arb_probabilities(v: float) -> None:
    """Compute the same in ball arithmetic."""
    y, p = arb(TARGET), arb(v)
    -y * p.log() - (1 - y) * (-p).log1p()


CASES = {
    "bce_logits": ((-745.0, 745.0), plain_logits, arb_logits),
    "bce": ((0.0, 1.0), plain_probabilities, arb_probabilities),
}


def rate(function, points: int) -> float:
    """Return points per second of one call."""
    began = time.perf_counter()
    function()
    return points / (time.perf_counter() - began)


def compare(problem_name: str) -> None:
    """Print points per second of each, and the tier's ratio to the others, round by round."""
    fmt, problem = format_named("float64"), problem_named(problem_name)
    ends, plain, ball = CASES[problem_name]
    x = np.sort(np.random.default_rng(0).uniform(*ends, POINTS))
    few = [float(v) for v in x[:: POINTS // SLOW]]
    slow = (plain, lambda v: truth(problem, (mp.mpf(v), mp.mpf(TARGET)), 107), ball)
    ratios = []
    for _ in range(ROUNDS):
        tier = rate(lambda: evaluate(problem, fmt, x[None, :], np.array([[TARGET]])), POINTS)
        others = [rate(lambda f=f: [f(v) for v in few], len(few)) for f in slow]
        ratios.append([tier / o for o in others])
        shown = ", ".join(f"{name} {o:.3g}" for name, o in zip(("mpmath", "certified mpmath", "Arb"), others))
        print(f"{problem_name}, points/s: tier {tier:.3g}, {shown}")
    mpmath, certified, arb_ = np.median(ratios, axis=0)
    print(
        f"{problem_name}: tier / plain mpmath {mpmath:.0f}, tier / certified mpmath {certified:.0f},"
        f" tier / Arb {arb_:.1f} (medians)"
    )


def main() -> None:
    """Compare on each loss."""
    np.seterr(all="ignore")
    keep_freed_memory()  # as sweeps do
    mp.prec = ctx.prec = 128
    for name in CASES:
        compare(name)


if __name__ == "__main__":
    main()
