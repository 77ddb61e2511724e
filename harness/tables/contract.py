"""What is shown of a table of the contract's columns: one line for each kernel, format and target.

The contract (see rows.py) is what programs read; these are the columns that people read, each with its heading,
where its text comes from, and how it is written.
"""

from __future__ import annotations

import pandas as pd

from harness.tables.identity import identifier
from harness.tables.text import averaged, decimal_input, largest, percent, safe, spurious
from harness.tables.views import Column, Rows, needed, plain, records, shown

WHAT = (*plain("problem", "kernel", "format", "target"),)
LARGEST = (Column("max error (ulp)", largest), Column("at input", "max_ulp_input", decimal_input))
SWEPT = (
    Column("mean (ulp)", averaged("mean_ulp")),
    Column("correctly rounded", averaged("correctly_rounded", percent)),
    Column("spurious", spurious),
    Column("safe range", safe),
)
VIEW = (*WHAT, *LARGEST, *SWEPT, Column("id", identifier))
NOTE = (
    "≥ marks a maximum over a sample: a lower bound. ⊆ marks a safe range on a sample: an outer bound. "
    "The safe range is where the error stays within 4 ulp with no spurious outcome. "
    "Means, shares and counts of spurious outcomes are over the bit patterns of the grid in the problem's domain, "
    "each once, NaN and infinities left out; means leave out results that are NaN or infinite, and poles; "
    "~ marks means and shares over a sample. `harness cite ID` tells how a row is cited and measured again."
)


def readable(rows: Rows) -> pd.DataFrame:
    """Return what is shown of rows of the contract: three digits, at-least signs, inputs in decimal."""
    return shown(rows, needed(rows, VIEW))


def note(rows: Rows) -> str:
    """Return what stands above a table: NOTE, and over how many points the means and shares of each format are."""
    points: dict[tuple[str, str], list[int]] = {}
    for row in records(rows):
        points.setdefault((row["format"], row["exhaustive"]), []).append(int(row["points"]))
    counted = []
    for (fmt, exhaustive), found in points.items():
        span = " to ".join(str(n) for n in dict.fromkeys((min(found), max(found))))
        counted.append(f"{fmt} {span} ({'every input' if exhaustive == 'true' else 'sample'})")
    return f"{NOTE} Points in a row: {', '.join(counted)}."


def caption(rows: Rows) -> str:
    """Return what stands as a table's caption in a paper: what was measured, of which problems, in which formats."""
    found = records(rows)
    whole = [f for f, every in _over(found).items() if every]
    part = [f for f, every in _over(found).items() if not every]
    over = [f"{_listed(whole)} over every input"] if whole else []
    over += [f"{_listed(part)} over samples (≥ a lower bound, ⊆ an outer bound)"] if part else []
    problems = _listed(list(dict.fromkeys(r["problem"].replace("_", " ") for r in found if r["problem"])))
    return f"Errors of {problems} in units in the last place of the format, against certified values; {'; '.join(over)}"


def _over(rows: list[dict[str, str]]) -> dict[str, bool]:
    """Tell of each format whether all its rows are over every input."""
    found: dict[str, bool] = {}
    for row in rows:
        found[row["format"]] = found.get(row["format"], True) and row["exhaustive"] == "true"
    return found


def _listed(names: list[str], most: int = 6) -> str:
    """Write names as a list; of more than `most`, how many they are."""
    if len(names) > most:
        return f"{len(names)} functions"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
