"""Verdicts on kernels, from the rows of their tables and from the kernels themselves.

The first that holds, for one kernel and format:
    safe                    at every input and every tested target the error is at most 4 ulp and
                            no outcome is spurious
    safe for hard targets   the same for y = 0 and y = 1
    limited                 for y = 0 and y = 1 and logits from -20 to 20, or the probabilities between
                            sigmoid(-20) = 2e-9 and sigmoid(20), every result is within
                            sqrt(machine_epsilon) max(1, |exact|) of the exact value
    unsafe                  the rest
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from mpmath import mp

from harness.kernels import Kernel
from harness.tables.atlas.failures import HARD, Failure, Sample
from harness.tables.atlas.phrases import Phrases
from harness.tables.rows import Row

SAFE, SAFE_FOR_HARD, LIMITED, UNSAFE = "safe", "safe for hard targets", "limited", "unsafe"
VERDICTS = (SAFE, SAFE_FOR_HARD, LIMITED, UNSAFE)  # from the best to the worst
SAFE_ENDS = ("safe_lo", "safe_hi")
WORKING_LOGIT = 20.0  # confident networks reach it; e^-20 = 2e-9


@dataclass
class Entry:
    """Hold what is known of one kernel and format."""

    kernel: Kernel
    phrases: Phrases
    found: list[Failure]
    usable: bool
    rows: list[Row]  # of its table, one for each target

    def range(self, hard: bool) -> tuple[str, str]:
        """Return the intersection of the targets' safe ranges as hex, empty where it is empty."""
        ends = [(str(r["safe_lo"]), str(r["safe_hi"])) for r in self.rows if not hard or is_hard(r)]
        if any(not lo for lo, _ in ends):
            return "", ""
        return max((lo for lo, _ in ends), key=float.fromhex), min((hi for _, hi in ends), key=float.fromhex)

    def everywhere(self, hard: bool) -> bool:
        """Tell whether the safe range is the whole domain."""
        grid, fmt = self.phrases.grid, self.phrases.fmt
        whole = [fmt.hex(v) for v in fmt.from_ordinal(np.array([grid.start, grid.stop - 1]))]
        return list(self.range(hard)) == whole

    @cached_property
    def verdict(self) -> str:
        """Return the verdict, the first of the module's four that holds."""
        if self.everywhere(hard=True):
            return SAFE if self.everywhere(hard=False) else SAFE_FOR_HARD
        return LIMITED if self.usable else UNSAFE

    @cached_property
    def max_ulp(self) -> str:
        """Return the largest ulp error of the hard targets, as its table states it."""
        return max((str(r["max_ulp"]) for r in self.rows if is_hard(r)), key=lambda t: mp.mpf(t or 0))

    def first(self, kind: str, target: float, side: int) -> Failure | None:
        """Return the failure of a kind, target and side, if there is one."""
        return next((f for f in self.found if (f.kind, f.target, f.side) == (kind, target, side)), None)


def usable(sample: Sample, computed: np.ndarray) -> bool:
    """Tell whether every result in the working range is close to the exact value; see `limited`."""
    inputs = sample.inputs[0][0].astype(np.float64)
    if sample.problem.input == "probability":
        least = 1 / (1 + math.exp(WORKING_LOGIT))
        inside = (inputs >= least) & (inputs <= 1 - least)
    else:
        inside = abs(inputs) <= WORKING_LOGIT
    exact, values = sample.exact.high[:, inside], computed[:, inside].astype(np.float64)
    with np.errstate(invalid="ignore"):
        close = abs(values - exact) <= math.sqrt(sample.fmt.machine_epsilon) * np.maximum(1, abs(exact))
    return bool((close | (values == sample.exact.rounded[:, inside])).all())


def is_hard(row: Row) -> bool:
    """Tell whether a row is of the target 0 or 1, or of a problem without target."""
    return row["target"] in ("", *(f"{t:g}" for t in HARD))
