"""Measure the numerical error of cross-entropy losses against certified ground truth."""

import os

__version__ = "1.0.0"

# NumPy chooses its loops by the CPU, and some of its AVX-512 loops (exp and expm1 in float16; log1p and expm1 in float32;
# exp, log, log1p, expm1 and tanh in float64) round otherwise than those for AVX2: without this line, tables made on one
# x86-64 machine would not repeat on another.  NumPy reads the variable when it is first imported; one that the user has set stands, so an
# empty one gives this CPU's own loops.  Names that a machine does not know do nothing.
os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")


class UsageError(ValueError):
    """Input that cannot be used; the message is the one sentence that a user sees."""
