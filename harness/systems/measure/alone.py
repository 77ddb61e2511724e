"""One element at a time: what a system returns for an array of one, on a sample of its inputs and at special ones.

A library computes long arrays by vector instructions and what is left over by scalar ones, and the two may differ: a
loss then depends on its place in the batch.  The grid is called as one long array; a sample of it is called again
here, each input alone, followed by the special inputs (infinities, NaN, zeros, the ends of the domain), which are
called alone because one refusal would take the others along.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np

from harness.numbers.formats import format_named, format_of
from harness.problems import problem_named
from harness.sweep.case import Case
from harness.systems.measure.agreement import steps_apart
from harness.systems.measure.inputs import Combination, Inputs, near_values
from harness.systems.registry import library_named
from harness.systems.run.supervise import Request, Result
from harness.tables.rows import Row, certified_extreme, significant
from harness.tables.special_points import SpecialPoint, expected_at, inputs_of, outcome

COLUMNS = (
    "alone_points", "alone_max_steps", "alone_max_steps_input", "alone_value", "batch_value",
    "alone_max_ulp", "alone_max_ulp_input",
)  # fmt: skip
SPECIAL_COLUMNS = (
    "problem", "kernel", "format", "input", "input_value", "target", "computed", "expected", "outcome",
    "system", "library", "version", "mode", "label_smoothing", "upcast", "reason",
)  # fmt: skip
EMPTY = "empty batch"


def sample_size(asked: Combination) -> int:
    """Return how many inputs are called alone: 0 but at the target 1, or where there is none, and 0 if all are anyway."""
    if asked.inputs.most is not None or asked.target not in (None, 1) or asked.system.label_smoothing:
        return 0
    return library_named(asked.system.library).sample


def sample_of(inputs: Inputs, count: int) -> np.ndarray:
    """Return positions, in value order, of at most `count` inputs of the grid, their logits evenly spread over ±20."""
    wanted = near_values(inputs.grid.problem, count).astype(inputs.grid.fmt.dtype)
    at = np.searchsorted(inputs.ordinals, inputs.grid.fmt.ordinal(wanted))
    return np.unique(np.clip(at, 0, len(inputs.ordinals) - 1))


def special_inputs(inputs: Inputs) -> dict[str, Any]:
    """Return the special inputs of a problem in a format, by name."""
    fmt = inputs.grid.fmt
    return {name: np.asarray(v).astype(fmt.dtype)[()] for name, v in inputs_of(inputs.grid.problem, fmt).items()}


@cache
def inputs_alone(inputs: Inputs, count: int) -> np.ndarray:
    """Return what is called one element at a time, the sample if any, then the special inputs; one object each time."""
    chosen = inputs.grid.fmt.from_ordinal(inputs.ordinals[sample_of(inputs, count)])
    return np.concatenate([chosen, np.array(list(special_inputs(inputs).values()), inputs.grid.fmt.dtype)])


def requests_alone(asked: Combination) -> list[Request]:
    """Return what a combination is asked beside its grid: inputs one at a time, and an empty batch; [] where not at all."""
    if not asked.system.alone:
        return []
    x = inputs_alone(asked.inputs, sample_size(asked))
    return [Request(asked.system.key, x, asked.given, alone=True), Request(asked.system.key, x[:0], asked.given)]


def alone_row(asked: Combination, recorded: np.ndarray, result: Result | None) -> Row:
    """Return how far results of single elements are from those of the long array, and their largest error."""
    row: Row = dict.fromkeys(COLUMNS, "")
    if not sample_size(asked) or result is None or result.output is None or result.output.dtype != recorded.dtype:
        return row
    at = sample_of(asked.inputs, sample_size(asked))
    there = np.array([i not in result.refusals for i in range(len(at))])
    at, alone = at[there], result.output[: len(there)][there]
    if not len(at):
        return row
    fmt, returned = asked.fmt, format_of(recorded.dtype)
    ordinals, batch = asked.inputs.ordinals[at], recorded[at]
    steps = steps_apart(returned, alone, batch)
    worst = int(np.argmax(steps))
    x = fmt.from_ordinal(ordinals)
    row |= {"alone_points": len(at), "alone_max_steps": significant(float(steps[worst]))}
    if steps[worst]:
        row |= {
            "alone_max_steps_input": fmt.hex(x[worst]),
            "alone_value": returned.hex(alone[worst]),
            "batch_value": returned.hex(batch[worst]),
        }
    return row | _error(asked, ordinals, alone.astype(fmt.dtype))


def _error(asked: Combination, ordinals: np.ndarray, computed: np.ndarray) -> Row:
    """Return the largest error of single elements, certified; empty where none is finite."""

    def look_up(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        return computed[np.searchsorted(ordinals, asked.fmt.ordinal(x[0]))][None, :]

    case = Case(asked.problem, asked.system.key, look_up, asked.inputs.grid, asked.target)
    ulp = case.errors(ordinals).ulp[0]
    if ulp.max() < 0:
        return {}
    found = certified_extreme(case, int(ordinals[int(ulp.argmax())]))
    return {"alone_max_ulp": found["max_ulp"], "alone_max_ulp_input": found["max_ulp_input"]}


# -- special values ------------------------------------------------------------------------------


def special_rows(asked: Combination, alone: Result | None, empty: Result | None) -> list[Row]:
    """Return a row for each special input, and one for the empty batch; none where nothing was called alone."""
    if alone is None or empty is None:
        return []
    first, fmt = len(sample_of(asked.inputs, sample_size(asked))), asked.fmt
    target = None if asked.target is None else float(asked.target)
    rows = []
    for i, (name, value) in enumerate(special_inputs(asked.inputs).items(), first):
        point = SpecialPoint(name, value, asked.target, *_expected(asked.problem.name, fmt.name, float(value), target))
        row = _named(asked, alone) | {
            "input": name,
            "input_value": fmt.hex(value),
            "expected": "" if point.expected is None else fmt.hex(point.expected),
        }
        rows.append(row | _returned(asked, point, alone, i))
    return [*rows, _named(asked, empty) | {"input": EMPTY, "outcome": _status(empty), "reason": empty.reason}]


def _returned(asked: Combination, point: SpecialPoint, result: Result, i: int) -> Row:
    """Return what came of one special input: the value in the format that came, the outcome in the working format."""
    if result.output is None:
        return {"outcome": _status(result), "reason": result.reason}
    if i in result.refusals:
        return {"outcome": "refused", "reason": result.refusals[i]}
    value, returned = result.output[i], format_of(result.output.dtype)
    rounded = float(np.asarray(value).astype(asked.fmt.dtype))
    return {
        "computed": returned.hex(value),
        "upcast": returned.name if returned != asked.fmt else "",
        "outcome": outcome(asked.problem, asked.fmt, point, rounded),
    }


@cache
def _expected(
    problem: str, fmt: str, value: float, target: float | None
) -> tuple[mpmath.mpf | None, np.generic | None]:
    f = format_named(fmt)
    return expected_at(problem_named(problem), f, value, None if target is None else f.round(target))


def _status(result: Result) -> str:
    return "ok" if result.status == "ok" else result.status


def _named(asked: Combination, result: Result) -> Row:
    """Return the columns that name a combination."""
    system = asked.system
    return {
        **dict.fromkeys(SPECIAL_COLUMNS, ""),
        "problem": asked.problem.name,
        "kernel": f"{system.library}:{system.key}",
        "format": asked.fmt.name,
        "target": "" if asked.target is None else asked.fmt.short(asked.target),
        "system": system.name,
        "library": system.library,
        "version": result.version,
        "mode": system.mode,
        "label_smoothing": f"{system.label_smoothing:g}" if system.label_smoothing else "",
    }
