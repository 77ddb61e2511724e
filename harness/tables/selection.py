"""Rows of a table that a condition chooses: `format == float32 and target == 0`.

A condition is written as in Python, from comparisons with and, or, not and in.  A name is a column's, and any other
name stands for itself, so that `float32` needs no quotes; what is no name, such as `sigmoid_clip_1e-7`, needs them.
Cells and numbers are compared as numbers where both are: hex floats, and errors beyond float64's range, included.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd
from mpmath import mp

from harness import UsageError, choices

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
EXAMPLE = "write it like \"format == float32 and target == 0 and kernel in ['lse_log1p', 'naive']\""


def chosen(frame: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Return the rows of a table (cells as text) at which a condition holds, in their order.

    Raises UsageError where the condition is not one, or compares a name that is not a column's with nothing that is.
    """
    try:
        tree = ast.parse(condition.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise UsageError(f"--where {condition!r} is not a condition; {EXAMPLE}") from e
    columns = set(frame.columns)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not used & columns:
        raise UsageError(f"--where {condition!r} names no column; those there are: {', '.join(frame.columns)}")
    return frame[[_holds(tree, row, columns) for row in frame.to_dict("records")]]


def columns_in(frame: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return column names that a table has; UsageError for one that it has not, with the nearest that it has."""
    for name in names:
        if name not in frame.columns:
            raise UsageError(f"the table has no column {name!r}; its columns: {choices(name, map(str, frame.columns))}")
    return list(names)


def _holds(node: ast.expr, row: Mapping[Any, Any], columns: Collection[str]) -> bool:
    """Tell whether a condition holds at a row."""
    if isinstance(node, ast.BoolOp):
        every = all if isinstance(node.op, ast.And) else any
        return every(_holds(value, row, columns) for value in node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _holds(node.operand, row, columns)
    if isinstance(node, ast.Compare):
        values = [_value(part, row, columns) for part in (node.left, *node.comparators)]
        return all(_compared(op, a, b) for op, a, b in zip(node.ops, values, values[1:]))
    if isinstance(node, ast.Name) and node.id in columns:  # a column of true and false, or of counts
        return str(row[node.id]) not in ("", "0", "false")
    raise UsageError(f"--where cannot use {ast.unparse(node)!r}; {EXAMPLE}")


def _value(node: ast.expr, row: Mapping[Any, Any], columns: Collection[str]) -> Any:
    """Return what a part of a comparison stands for: a cell, a text, a number as text, or a list of them."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(part, row, columns) for part in node.elts]
    if isinstance(node, ast.Name):
        return str(row[node.id]) if node.id in columns else node.id
    if isinstance(node, ast.Constant):
        return str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return f"-{node.operand.value!r}"
    raise UsageError(f"--where cannot use {ast.unparse(node)!r} as a value; put a name that has signs into quotes")


def _compared(op: ast.cmpop, a: Any, b: Any) -> bool:
    """Compare two values, as numbers where both are; an empty cell is less and greater than nothing."""
    if isinstance(op, (ast.In, ast.NotIn)):
        found = any(_compared(ast.Eq(), a, each) for each in b) if isinstance(b, list) else a in b
        return found == isinstance(op, ast.In)
    if isinstance(a, list) or isinstance(b, list) or type(op) not in COMPARISONS:
        raise UsageError(f"--where compares a list with something; {EXAMPLE}")
    numbers = _number(a), _number(b)
    if None not in numbers:
        return COMPARISONS[type(op)](*numbers)
    if isinstance(op, (ast.Eq, ast.NotEq)):
        return COMPARISONS[type(op)](a, b)
    return "" not in (a, b) and COMPARISONS[type(op)](a, b)


def _number(text: str) -> mp.mpf | None:
    """Return a decimal or hex float as a number, of any size; None where it is something else."""
    try:
        return mp.mpf(float.fromhex(text)) if "0x" in text else mp.mpf(text)
    except (ValueError, OverflowError):
        return None
