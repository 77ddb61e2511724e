"""The C library's log1pf on arrays, for `harness check docs/examples/log1pf.py:log1pf --problem log1p ...`.

NumPy hands float32 to the C library's log1pf.  That this is so here is checked when the file is loaded, on
4096 inputs, against the library itself; where it is not, the function would measure something else.
"""

import ctypes
import ctypes.util

import numpy as np

LIBM = ctypes.CDLL(ctypes.util.find_library("m"))
LIBM.log1pf.restype, LIBM.log1pf.argtypes = ctypes.c_float, [ctypes.c_float]

_x = np.random.default_rng(0).integers(0, 0x7F800000, 4096, np.uint32).view(np.float32)
_x = np.concatenate([_x, -1 / (1 + _x)]).astype(np.float32)
with np.errstate(divide="ignore"):
    if not (np.log1p(_x) == np.array([LIBM.log1pf(float(v)) for v in _x], np.float32)).all():
        raise ImportError("NumPy's float32 log1p is not the C library's log1pf on this machine")


def log1pf(x):
    """Return log1pf(x) for an array of float32."""
    return np.log1p(x)
