"""Run golden vectors on a function of NumPy arrays: failures("bce_logits.float32.csv", loss, np.float32) lists the rows it fails."""

import csv
import math

import numpy as np


def passes(computed, rounded, ulp):
    if computed == rounded or (math.isnan(computed) and math.isnan(rounded)):
        return True
    near = math.isfinite(computed) and math.isfinite(rounded) and abs(computed - rounded) <= 4 * float.fromhex(ulp)
    return near and (rounded == 0 or (computed != 0 and (computed < 0) == (rounded < 0)))


def failures(path, function, dtype):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    given = [[float.fromhex(row[c]) for row in rows] for c in ("input", "target") if rows[0][c]]
    with np.errstate(all="ignore"):
        computed = function(*(np.array(values).astype(dtype) for values in given))
    return [r for r, c in zip(rows, computed) if not passes(float(c), float.fromhex(r["rounded"]), r["ulp"])]
