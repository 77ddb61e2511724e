"""The identifier of a row: ten hex digits by which a figure can be cited, found and measured again.

It is a hash of what was measured, not of what came out: the problem, the kernel or the system with its version, the
format, the target and the grid.  The same measurement has the same identifier in every table and every release; a
library's next version has another.  A table of other columns has its own names of a row, and its identifiers are
hashes of these and of the table's name.  Points of curves and cells of maps have none: their figure has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd

from harness.tables.text import as_cell

IDENTITY = ("problem", "kernel", "format", "target", "grid")
# What tells rows apart besides, in the tables that have it: a library's version, the classes of a softmax, the kind of
# vectors that it gets, the width of a probability.
BESIDES = ("version", "k", "kind", "probability_format")
DIGITS = 10

KERNEL = ("problem", "kernel", "format")
PAIR = ("probability_format", "loss_format")
# What names a row, in the tables that have other columns than the contract's.
KEYS: dict[str, tuple[str, ...]] = {
    "atlas": KERNEL,
    "bounds": (*KERNEL, "target"),  # and bounds_NAME of an experiment
    "claims": ("claim",),
    "claims_beliefs": ("claim",),
    "claims_libraries": ("library",),
    "claims_limits": ("kernel", "format", "target"),
    "costs": KERNEL,
    "epsilons_best": ("input", "form", "format", "range", "criterion"),
    "epsilons_circulating": ("input", "form", "format", "eps"),
    "epsilons_windows": ("format",),
    "float8_pairs": KERNEL,
    "pipeline_digits": (*PAIR, "logit"),
    "pipeline_percent": (*PAIR, "target", "way"),
    "pipeline_quantisation": (*PAIR, "sigmoid", "target"),
    "pipeline_ranges": (*PAIR, "target", "way"),
    "pipeline_round_trip": (*PAIR, "formula"),
    "realistic_logits": ("target", "least"),
    "reductions": ("quantity", "method", "format", "n"),
    "reductions_shortfall": ("format", "accumulator"),
    "reductions_stagnation": ("format", "loss"),
    "relatives_cutoff": ("format",),
    "relatives_cutoffs": ("format", "cutoff"),
    "relatives_gradient": KERNEL,
    "relatives_maechler": ("format", "a"),
    "softmax_confident": ("format", "kernel"),
    "softmax_equal": ("format", "k"),
    "softmax_gap": ("format", "gap"),
    "softmax_growth": ("format", "kernel", "k"),
    "softmax_pairs": ("format",),
    "softmax_special": ("case",),
    "special_values": (*KERNEL, "input", "input_value", "target"),
    "systems_special": (*KERNEL, "version", "input", "input_value", "target"),
    "targets_accepted": ("label", "problem", "format"),
    "targets_formulas": ("problem", "formula", "format", "labels"),
    "targets_identity": ("format", "target"),
    "targets_labels": (*KERNEL, "label"),
    "targets_powers": ("kernel", "format", "near", "k"),
    "targets_promotion": ("format", "labels", "expression"),
    "targets_smoothing": ("format", "s", "target", "formula"),
    "training": ("data", "model", "problem", "kernel", "gradient", "format", "setting"),
    "training_causes": ("problem", "kernel", "gradient", "format"),
    "training_summary": ("problem", "kernel", "gradient", "format"),
}


def identifier(row: Mapping[str, object]) -> str:
    """Return the identifier of a row of the contract's columns: 40 bits of a SHA-256, as hex digits."""
    named = [as_cell(row[name]) for name in IDENTITY]
    named += [f"{name}={as_cell(row[name])}" for name in BESIDES if row.get(name, "") != ""]
    return _hashed(named)


def identifier_in(table: str, row: Mapping[str, object]) -> str:
    """Return the identifier of a row of a table that has its own names of a row, see KEYS."""
    return _hashed([table, *(as_cell(row[name]) for name in key_of(table))])


def key_of(table: str) -> tuple[str, ...]:
    """Return the columns that name a row of a table of other columns than the contract's; none where rows have no names."""
    return KEYS.get("bounds" if table.startswith("bounds_") else table, ())


def _hashed(names: Sequence[str]) -> str:
    return hashlib.sha256("|".join(names).encode()).hexdigest()[:DIGITS]


def identified(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], table: str
) -> tuple[list[dict], list[str]]:
    """Return a table's rows and columns with `id`, the last column unless it is there; unchanged where rows have none."""
    of_row = _naming(columns, table)
    if of_row is None:
        return [dict(row) for row in rows], list(columns)
    named = [{**row, "id": of_row(row)} for row in rows]
    return named, [*columns, *(["id"] if "id" not in columns else [])]


def with_id(shown: pd.DataFrame, rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return what is shown of a table's rows, a line for each, with the column `id`; anything else as it is."""
    of_row = _naming(list(rows.columns), table)
    if of_row is None or len(shown) != len(rows) or "id" in shown.columns:
        return shown
    return shown.assign(id=[of_row(row) for row in rows.to_dict("records")])


def _naming(columns: Sequence[str], table: str) -> Callable[[Mapping[str, object]], str] | None:
    """Return what names the rows of a table with these columns, None where they have no identifiers."""
    if set(IDENTITY) <= set(columns):
        return identifier
    key = key_of(table)
    return partial(identifier_in, table) if key and set(key) <= set(columns) else None
