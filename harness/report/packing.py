"""How the page's data are written: numbers as bytes in base64, whole files compressed, so that they stay small.

A browser opens the page from a folder, where scripts may be loaded and other files may not be read: each file of data
is a script of one call, `report.receive(name, text)`, whose text is JSON, compressed by gzip, in base64.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np

# Errors, medians and envelopes are written in steps of 2^(1/256), 0.3 %: code 0 stands for none, c for 2^((c-1)/256 - 64).
STEPS_PER_BINADE, LEAST_EXPONENT = 256, -64
LEVEL = 6  # a tenth larger than with 9, in a third of the time


def script(name: str, value: Any) -> str:
    """Write a file of data as a script that hands `value` (made of JSON's types) to the page under a name.

    The same value gives the same text; ValueError for NaN and infinities.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    packed = base64.b64encode(gzip.compress(text.encode(), LEVEL, mtime=0)).decode()
    return f'report.receive({json.dumps(name)}, "{packed}");\n'


def numbers(values: np.ndarray, single: bool) -> str:
    """Write numbers as float32 (where `single`) or float64 in base64, all first bytes first, then all second ones.

    Bytes of one place are alike, and compress better side by side.  Values that float32 cannot hold are the caller's
    error: nothing is checked.
    """
    array = np.ascontiguousarray(values, "<f4" if single else "<f8")
    return _base64(array.view(np.uint8).reshape(len(array), -1).T)


def scaled(values: np.ndarray) -> str:
    """Write positive numbers in steps of 0.3 % as 16-bit codes in base64; NaN, negative numbers and 0 are none.

    What exceeds the scale of 2^-64 to 2^192 is written as its end.
    """
    v = np.asarray(values, np.float64)
    with np.errstate(all="ignore"):
        code = np.rint((np.log2(v) - LEAST_EXPONENT) * STEPS_PER_BINADE) + 1
    code = np.where(v > 0, np.clip(np.nan_to_num(code, nan=0.0, posinf=65535.0), 1, 65535), 0)
    return _base64(code.astype("<u2").view(np.uint8).reshape(len(v), 2).T)


def small(values: np.ndarray) -> str:
    """Write integers from 0 to 255 as bytes in base64."""
    return _base64(np.asarray(values, np.uint8))


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
