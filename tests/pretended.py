"""Searches whose errors are given, so that what they find is known: no kernel, no exact value, and each visit remembered."""

import hashlib
from dataclasses import replace

import numpy as np

from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.search.space import BoxSearch

E4M3, BF16, F16, F32, F64 = (FORMATS[n] for n in ("float8_e4m3fn", "bfloat16", "float16", "float32", "float64"))


def same(domain=(-np.inf, np.inf), **fields):
    """The problem of which the value is the input itself."""
    known = {"terms": lambda x: (x, []), "fast": lambda x: x.copy(), "rational": lambda x: x, "nonnegative": False}
    return replace(PROBLEMS["exp"], domain=domain, **(known | fields))


class Pretended(BoxSearch):
    """A search whose errors are a function of the points (d, n), also along runs; `asked` has the points of each look."""

    def __init__(self, ulp, fmt=F32, budget=1 << 16):
        super().__init__(None, None, fmt, None, budget, 0)
        self.ulp_at, self.asked = ulp, []

    def errors(self, points):
        self.asked.append(points.copy())
        return np.asarray(self.ulp_at(points), float)

    def runs(self, points):
        """What run_errors returns of points (d, runs, n)."""
        self.asked.append(points.copy())
        return np.asarray(self.ulp_at(points), float)

    def digest(self):
        """Eight hex digits of all that was asked, in order."""
        parts = [repr(p.shape).encode() + np.ascontiguousarray(p, "<i8").tobytes() for p in self.asked]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:8]


class Numbers:
    """Random numbers that are known: each array is filled, in order, from those given, over and over."""

    def __init__(self, *numbers):
        self.numbers, self.at = numbers, 0

    def random(self, shape):
        count = int(np.prod(shape))
        taken = [self.numbers[(self.at + i) % len(self.numbers)] for i in range(count)]
        self.at += count
        return np.array(taken, float).reshape(shape)


def hashed(points, bits=9):
    """Numbers in [0, 8) of so many bits that look random from point to point."""
    mixed = points[0].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for other in points[1:]:
        mixed = (mixed ^ other.astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed ^ (mixed >> np.uint64(29))) >> np.uint64(20) & np.uint64(2**bits - 1)) * 2.0 ** (3 - bits)


def hashed_finely(points):
    """The same of 44 bits, so that no two are equal: of equals, what NumPy takes for the least is its own affair."""
    return hashed(points, 44)
