"""Verdicts on kernels, from the rows of their tables and from the kernels themselves.

The first that holds, for one kernel and format:
    safe                    at every input and every tested target the error is at most 4 ulp,
                            no outcome is spurious and no pole is capped; where only a sample of the
                            inputs was visited, at all that were visited or searched
    safe for hard targets   the same for y = 0 and y = 1
    limited                 for y = 0 and y = 1 and logits from -20 to 20, or the probabilities between
                            sigmoid(-20) = 2e-9 and sigmoid(20), every result is within
                            sqrt(machine_epsilon) max(1, |exact|) of the exact value
    unsafe                  the rest

A loss is for training: its verdict is the worse of its own and of its gradient's, and says which half fails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from mpmath import mp

from harness.kernels import Kernel
from harness.tables.atlas.failures import HARD, Failure, Sample
from harness.tables.atlas.phrases import Phrases
from harness.tables.atlas.spoken import weakest
from harness.tables.rows import Row
from harness.tables.strongest import intersection

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
    rows: list[Row]  # the strongest that is known, one for each target

    def range(self, hard: bool) -> tuple[str, str]:
        """Return the intersection of the targets' safe ranges as hex, empty where it is empty."""
        return intersection([(str(r["safe_lo"]), str(r["safe_hi"])) for r in self._of(hard)])

    def inner(self, hard: bool) -> tuple[str, str]:
        """Return the intersection of what is known to lie inside the targets' safe ranges as hex, empty where one is unknown."""
        return intersection([(str(r["safe_inner_lo"]), str(r["safe_inner_hi"])) for r in self._of(hard)])

    def premises(self, hard: bool) -> str:
        """Return what the inner range is proved from, each premise once; empty where every input was seen or nothing is proved."""
        if not self.inner(hard)[0]:
            return ""
        return "; ".join(dict.fromkeys(p for r in self._of(hard) for p in str(r["safe_premises"]).split("; ") if p))

    def _of(self, hard: bool) -> list[Row]:
        return [r for r in self.rows if not hard or is_hard(r)]

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
    def worst(self) -> Row:
        """Return the row of the largest ulp error of the hard targets."""
        return largest([r for r in self.rows if is_hard(r)])

    def basis(self, hard: bool) -> str:
        """Return on which basis the range stands, the weakest of its targets'; a range that meets its inner one is proved."""
        return weakest([str(r["safe_basis"]) for r in self._of(hard)])

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


def largest(rows: Sequence[Row]) -> Row:
    """Return the row of the largest ulp error."""
    return max(rows, key=lambda r: mp.mpf(r["max_ulp"] or 0))


def of_training(loss: Entry, gradient: Entry) -> tuple[str, str]:
    """Return the verdict on a loss with its gradient, the worse of both, and which half fails: empty where none does."""
    loss_at, gradient_at = (VERDICTS.index(e.verdict) for e in (loss, gradient))
    at = max(loss_at, gradient_at)
    if VERDICTS[at] == SAFE:
        return SAFE, ""
    halves = [name for name, mine in (("loss", loss_at), ("gradient", gradient_at)) if mine == at]
    return VERDICTS[at], " and ".join(halves)


def is_hard(row: Row) -> bool:
    """Tell whether a row is of the target 0 or 1, or of a problem without target."""
    return row["target"] in ("", *(f"{t:g}" for t in HARD))
