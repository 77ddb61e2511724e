"""The truth: log-sum-exp and softmax cross-entropy of logits that are taken exactly, to 160 bits and more.

With m the largest logit and L = log1p(sum of exp(x_i - m) over the others), the log-sum-exp is
m + L and the cross-entropy of class c is (m - x_c) + L, where nothing cancels.  The exponentials are
MPFR's (gmpy2), rounded correctly to P bits, as is their sum; the rest is mpmath.  A difference
x_i - m below 2^11 in size that is rounded to P bits moves its exponential by less than 2^(11-P)
relatively, so that L is good to 2^(12-P).
"""

from __future__ import annotations

import gmpy2  # type: ignore[import-untyped]
import mpmath
import numpy as np
from mpmath import mp

BITS = 160  # relative error of the truth: 2^-BITS
START_BITS = BITS + 40
LARGEST_GAP = 2048.0


class Exact:
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
