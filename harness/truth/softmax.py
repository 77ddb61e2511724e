"""The truth, log-sum-exp and softmax cross-entropy of logits that are taken exactly, and the error of what is computed.

With m the largest logit and L = log1p(sum of exp(x_i - m) over the others), the log-sum-exp is
m + L and the cross-entropy of class c is (m - x_c) + L, where nothing cancels.  The exponentials are
MPFR's (gmpy2), rounded correctly to P bits, as is their sum; the rest is mpmath.  A difference
x_i - m below 2^11 in size that is rounded to P bits moves its exponential by less than 2^(11-P)
relatively, so that L is good to 2^(12-P); the values that are given are good to 2^-160.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import gmpy2  # type: ignore[import-untyped]
import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format
from harness.truth.certified import error_in_ulp

BITS = 160  # relative error of the truth: 2^-BITS
START_BITS = BITS + 40
LARGEST_GAP = 2048.0
DECIDED = 2.0**-100  # an ulp error is known far better than this


class SoftmaxTruth:
    """Give the exact values of one vector of finite or -inf logits held in float64, shape (K,).

    Raises ValueError where the largest is not finite or the finite ones are further apart than 2^11.
    """

    def __init__(self, x: np.ndarray):
        values, counts = np.unique(x[~np.isneginf(x)], return_counts=True)
        if not len(values) or not values[-1] - values[0] < LARGEST_GAP:
            raise ValueError(f"logits must be finite or -inf and within {LARGEST_GAP:g} of each other, not {x}")
        counts[-1] -= 1
        self.x, self.values, self.counts = x, values.tolist(), counts.tolist()
        self._found: dict[int, mpmath.mpf] = {}

    def rest(self, bits: int) -> mpmath.mpf:
        """Return L with a relative error of at most 2^(12-bits)."""
        if bits not in self._found:
            with gmpy2.context(gmpy2.get_context(), precision=bits):
                m = gmpy2.mpfr(self.values[-1])
                total = gmpy2.fsum([n * gmpy2.exp(v - m) for v, n in zip(self.values, self.counts)])
                mantissa, exponent = total.as_mantissa_exp()
            with mp.workprec(bits):
                self._found[bits] = mp.log1p(mp.ldexp(int(mantissa), int(exponent)))
        return self._found[bits]

    def lse(self) -> mpmath.mpf:
        """Return the log-sum-exp within 2^-BITS of itself; the precision doubles where m and L cancel."""
        bits, m = START_BITS, mp.mpf(self.values[-1])
        while True:
            rest = self.rest(bits)
            with mp.workprec(bits):
                value = m + rest
                radius = mp.ldexp(rest, 12 - bits) + mp.ldexp(abs(value), 1 - bits)
                if radius <= mp.ldexp(abs(value), -BITS):
                    return value
            bits *= 2

    def loss(self, c: int) -> mpmath.mpf:
        """Return the cross-entropy of class c within 2^-BITS of itself."""
        with mp.workprec(START_BITS):
            return mp.mpf(self.values[-1]) - mp.mpf(float(self.x[c])) + self.rest(START_BITS)

    def soft_loss(self, targets: Sequence[Fraction]) -> mpmath.mpf:
        """Return the sum of t_i ((m - x_i) + L) within 2^-BITS of itself: the cross-entropy of targets that are not negative.

        A class without weight counts for nothing, even where it is masked; infinite where a masked one has weight.
        """
        if any(t and np.isneginf(x) for t, x in zip(targets, self.x)):
            return mp.inf
        m = Fraction(self.values[-1])
        linear = sum((t * (m - Fraction(float(x))) for t, x in zip(targets, self.x) if t), Fraction(0))
        total = sum(targets, Fraction(0))
        with mp.workprec(START_BITS):
            parts = [mp.mpf(v.numerator) / v.denominator for v in (linear, total)]
            return parts[0] + parts[1] * self.rest(START_BITS)

    def gradient(self, targets: Sequence[Fraction] | None) -> list[mpmath.mpf]:
        """Return T softmax(x)_i - t_i of each class within 2^-BITS of itself, T the sum of the t_i; the softmax without targets.

        The precision doubles until what cancellation leaves is known: softmax(x)_i is rational where all logits that
        are not masked are equal, and the value may be 0 there; elsewhere e^(x_j - x_i) is transcendental, and it is not.
        """
        t = [Fraction(0)] * len(self.x) if targets is None else list(targets)
        total = Fraction(1) if targets is None else sum(t, Fraction(0))
        if len(self.values) == 1:
            share = total / (self.counts[0] + 1)
            return [_rational((0 if np.isneginf(x) else share) - w) for x, w in zip(self.x, t)]
        known: dict[tuple[float, Fraction], mpmath.mpf] = {}
        for pair in zip(self.x.tolist(), t):
            if pair not in known:
                known[pair] = self._slope(*pair, total)
        return [known[pair] for pair in zip(self.x.tolist(), t)]

    def hessian(self, targets: Sequence[Fraction] | None) -> list[mpmath.mpf]:
        """Return T p_i (1 - p_i) of each class, p its softmax and T the sum of the t_i, 1 without targets, within 2^(2-BITS) of itself.

        It is the diagonal of the second derivatives; p_i and 1 - p_i come each from a derivative, where nothing is lost.
        """
        total = Fraction(1) if targets is None else sum(targets, Fraction(0))
        if len(self.values) == 1:
            share = Fraction(1, self.counts[0] + 1)
            return [_rational(0 if np.isneginf(x) else total * share * (1 - share)) for x in self.x]
        known: dict[float, mpmath.mpf] = {-np.inf: mp.mpf(0)}
        for x in self.x.tolist():
            if x not in known:
                share, lacking = self._slope(x, Fraction(0), Fraction(1)), self._slope(x, Fraction(1), Fraction(1))
                with mp.workprec(START_BITS):
                    known[x] = _rational(total) * share * -lacking
        return [known[x] for x in self.x.tolist()]

    def _slope(self, x: float, t: Fraction, total: Fraction) -> mpmath.mpf:
        """Return total softmax(x) - t of one logit, with as many bits as it takes."""
        if np.isneginf(x):
            return _rational(-t)
        bits = START_BITS
        while True:
            rest = self.rest(bits)
            with mp.workprec(bits):
                # e^(x - m - L); the exponent is off by at most 2^(13-bits) of itself, which is below 2^13 in size
                share = _rational(total, bits) * mp.exp(mp.mpf(x) - self.values[-1] - rest)
                value = share - _rational(t, bits)
                radius = mp.ldexp(share, 28 - bits) + mp.ldexp(abs(value) + _rational(t, bits), 2 - bits)
                if radius <= mp.ldexp(abs(value), -BITS):
                    return value
            bits *= 2


def _rational(value: Fraction | int, bits: int = 2 * START_BITS) -> mpmath.mpf:
    with mp.workprec(bits):
        return mp.mpf(Fraction(value).numerator) / Fraction(value).denominator


@dataclass(frozen=True)
class Evaluation:
    """Hold one computed value against the truth; ulp, relative and absolute errors are infinite where it is not finite."""

    computed: Any
    exact: mpmath.mpf
    ulp: mpmath.mpf
    relative: mpmath.mpf
    absolute: mpmath.mpf

    @property
    def finite(self) -> bool:
        """Tell whether there is an error to speak of."""
        return bool(mpmath.isfinite(self.absolute))

    @property
    def outcome(self) -> str:
        """Return the name of a spurious outcome, or `finite`; every exact value is within the format's range."""
        value = float(self.computed)
        if not self.finite:
            return "spurious_nan" if np.isnan(value) else "spurious_inf"
        if value == 0:
            return "spurious_zero" if self.ulp > 0.5 else "finite"
        return "wrong_sign" if value * mpmath.sign(self.exact) < 0 or not self.exact else "finite"


def evaluation(fmt: Format, computed: Any, exact: mpmath.mpf, open_ties: bool = False) -> Evaluation:
    """Compare one value of the format with the exact one.

    Where the exact value is 0, the relative error is 0 if the computed one is 0 too, else infinite.
    Raises ArithmeticError where the exact value is too near to the middle between two numbers of the
    format to tell whether the computed one is correctly rounded, unless `open_ties` takes it for one that is not.
    """
    if mpmath.isinf(exact) and float(computed) == float(exact):
        return Evaluation(computed, exact, mp.mpf(0), mp.mpf(0), mp.mpf(0))
    if not np.isfinite(float(computed)) or mpmath.isinf(exact):
        return Evaluation(computed, exact, mp.inf, mp.inf, mp.inf)
    ulp = error_in_ulp(fmt, computed, exact)
    if abs(ulp - 0.5) < DECIDED and not open_ties:
        raise ArithmeticError(f"the truth {exact} is too near to a tie to tell whether {computed} is correctly rounded")
    with mp.workprec(200):
        absolute = abs(mp.fsub(float(computed), exact, exact=True)) if exact else abs(mp.mpf(float(computed)))
        relative = absolute / abs(exact) if exact else (mp.inf if absolute else mp.mpf(0))
    return Evaluation(computed, exact, ulp, relative, absolute)
