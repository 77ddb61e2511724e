"""The condition number of a problem at an input: is the problem hard there, or is the kernel bad?

κ = |x f'(x) / f(x)| says how many times larger the relative change of the value is than that of the input.  An input
that is off by half an ulp therefore costs κ/4 to κ ulp to first order, whatever is computed with it: an ulp is 2^-p to
2^(1-p) of a normal number, and of the value too.  What a kernel loses beyond max(½, κ) ulp is its own doing.
"""

from __future__ import annotations

from functools import lru_cache

import mpmath
from mpmath import mp

from harness.problems import Problem, gradient_of, problem_named
from harness.truth.certified import LIMIT_BITS, Point, enclose, truth

AGREED_BITS = 40  # to so many bits two steps' quotients, and each quotient's enclosure, agree: nine digits are certain
FIRST_STEP, NEXT_STEP, LAST_STEP = 48, 24, 4096  # a step is 2^-k of the input


def condition(problem: Problem, *values: float) -> mpmath.mpf:
    """Return κ = |x f'(x) / f(x)| at an input, and target, with a relative error of about 2^-40.

    f' is the problem's gradient where it names one, else a quotient of differences towards 0 whose step shrinks until
    two agree; f(x) − f(x − h) is enclosed, the exact part of a value that saturates apart, so that no digit cancels.
    Infinite where f is 0 and x is not; NaN at a pole and where x and f are both 0.
    """
    return _condition(problem.name, values)


@lru_cache(maxsize=1 << 14)  # many kernels are worst at the same input
def _condition(problem_name: str, values: tuple[float, ...]) -> mpmath.mpf:
    problem, point = problem_named(problem_name), tuple(mp.mpf(v) for v in values)
    value, x = truth(problem, point), point[0]
    if not mpmath.isfinite(value) or (not x and not value):
        return mp.nan
    if not x or not value:
        return mp.inf if x else mp.mpf(0)
    gradient = gradient_of(problem)
    if gradient is not None:
        slope = truth(gradient, point)
        return abs(x * slope / value) if mpmath.isfinite(slope) else mp.inf
    before = _quotient(problem, point, value, FIRST_STEP)
    for k in range(FIRST_STEP + NEXT_STEP, LAST_STEP, NEXT_STEP):
        now = _quotient(problem, point, value, k)
        if abs(now - before) <= mp.ldexp(abs(now), -AGREED_BITS):
            return now
        before = now
    return mp.nan


def _quotient(problem: Problem, point: Point, value: mpmath.mpf, k: int) -> mpmath.mpf:
    """Return |f(x) − f(x − x 2^-k)| 2^k / |f(x)|, the difference enclosed to AGREED_BITS; 0 where it is none."""
    bits = k + 2 * AGREED_BITS + 64
    while bits <= LIMIT_BITS:
        with mp.workprec(bits + 64):
            nearer = (point[0] - mp.ldexp(point[0], -k), *point[1:])
            here, there = enclose(problem, point, bits), enclose(problem, nearer, bits)
            difference = mp.fsub(here.exact, there.exact, exact=True) + (here.rest - there.rest)
            if here.rest_radius + there.rest_radius <= mp.ldexp(abs(difference), -AGREED_BITS - 2):
                return abs(mp.ldexp(difference, k) / value)
        bits *= 2
    return mp.mpf(0)
