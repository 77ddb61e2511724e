"""What people read of the 8-bit pairs' table, and the facts that the answer's sentences are filled with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.studies.float8_pairs.measure import PROBLEMS
from harness.studies.study import Frames
from harness.tables.strongest import Known
from harness.tables.text import percent, short
from harness.tables.views import Cells, Column, plain
from harness.truth.errors import SPURIOUS


def _of(part: str, whole: str) -> Callable[[Cells], str]:
    """Write a count as a share: 3 of 8."""
    return lambda row: f"{row[part]} of {row[whole]}"


VIEWS = {
    "float8_pairs": [
        *plain("problem", "kernel", "format"),
        Column("max error (ulp)", "max_ulp", short),
        Column("at logit", "max_ulp_input", lambda v: f"{float.fromhex(v):g}"),
        Column("at target", "max_ulp_target", lambda v: f"{float.fromhex(v):.3g}"),
        Column("correctly rounded", "correctly_rounded", percent),
        Column("NaN / inf / zero / sign", lambda row: " / ".join(row[name] for name in SPURIOUS)),
        Column("limits missed", _of("limit_missed", "infinite_logit")),
        Column("finite, target outside", _of("outside_finite", "outside")),
        Column("NaN hidden", _of("nan_hidden", "nan_pairs")),
    ],
    "float8_pairs_map": [
        *plain("kernel", "format", "target"),
        Column("logits within 1 ulp", "classes", lambda c: f"{sum(map(c.count, '01'))} of {len(c)}"),
    ],
}


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Compute which kernels survive, how many pairs lie outside, and what hides NaN."""
    table = frames["float8_pairs"]
    loss = table[table["problem"] == PROBLEMS[0]]
    spurious = loss[list(SPURIOUS)].astype(int).sum(axis=1)
    broken = loss.assign(spurious=spurious).groupby("kernel")["spurious"].sum()
    whole = sorted(set(broken[broken == 0].index))
    errors = loss[loss["kernel"].isin(whole)]["max_ulp"].astype(float)
    outside = 100 * loss["outside_finite"].astype(int) / loss["outside"].astype(int)
    return {
        "kernels": len(broken),
        "whole": whole,
        "least_error": errors.min(),
        "largest_error": errors.max(),
        "least_outside": f"{outside.min():.0f}",
        "most_outside": f"{outside.max():.0f}",
        "hiding": sorted(set(table[table["nan_hidden"].astype(int) > 0]["kernel"])),
    }
