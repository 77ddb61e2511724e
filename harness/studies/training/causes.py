"""Which operation gives the first value that is not finite: the tape of one loss at one logit, read forward and back.

The slope of an operation at its operand is what reverse mode multiplies the adjoint by.  An infinity may pass
without harm, as in 1 / (1 + inf) = 0; so the operation that first gives it and the one that first makes a NaN
of it are both named.  That a branch not taken can do so is known as the trap of `where`:
https://github.com/pytorch/pytorch/issues/10729.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.kernels import kernel_named, like
from harness.kernels.tape import Traced
from harness.numbers.formats import Format
from harness.studies.training.network import DifferentiatedLoss

Array = np.ndarray

# How an operation is written.
SIGNS = {
    "negative": "negation", "add": "+", "subtract": "-", "multiply": "×", "divide": "/",
    "maximum": "max or min", "minimum": "max or min",
}  # fmt: skip


def cause(loss: DifferentiatedLoss, fmt: Format, logit: float, target: float) -> tuple[str, str]:
    """Return the first infinity or NaN of the loss, and of its gradient, each as an operation; empty where finite."""
    x, y = (np.array([v]).astype(fmt.dtype) for v in (logit, target))
    chained = loss.kernel.problem == "bce"
    with np.errstate(all="ignore"):
        v = kernel_named("sigmoid", "branched")(x) if chained else x
        forward, backward = trace(loss, v, y)
        if loss.gradient:
            backward = first(_values(_tape(loss.gradient.function, loss.gradient.parameters, v, y)))
        if chained and backward.endswith("inf"):
            slope = float((v * (like(1, v) - v))[0])
            backward += f", then times p (1 - p) = {_short(slope)}" + (" gives nan" if slope == 0 else "")
    return forward, backward


def trace(loss: DifferentiatedLoss, v: Array, y: Array) -> tuple[str, str]:
    """Return the first value that is not finite, forward and in the gradient, of a loss's own tape."""
    tape = _tape(loss.kernel.function, loss.kernel.parameters, v, y)
    return first(_values(tape)), first(_adjoints(tape, v))


def first(found: Iterator[tuple[str, float]]) -> str:
    """Return the first operation that gives an infinity, and the first that gives NaN after it; empty for neither."""
    texts: list[str] = []
    for text, value in found:
        if np.isnan(value):
            return ", then ".join([*texts[:1], text])
        if np.isinf(value):
            texts.append(text)
    return texts[0] if texts else ""


def _tape(function, parameters, v: Array, y: Array) -> list[Traced]:  # type: ignore[no-untyped-def]
    tape: list[Traced] = []
    function(Traced(v, [], tape), y, **{name: like(value, v) for name, value in parameters.items()})
    return tape


def _values(tape: list[Traced]) -> Iterator[tuple[str, float]]:
    for node in tape[1:]:
        value = float(node.value[0])
        operands = [_short(np.ravel(p.value)[0]) for p, _ in node.parents]
        text = f"{_name(node)}({', '.join(operands)})"
        if _name(node) == "×" and np.isnan(value) and operands[0] in ("inf", "-inf"):
            text = f"0 × {operands[0]}"  # the other factor, a weight of the target, has no trace
        yield f"{text} = {_short(value)}", value


def _adjoints(tape: list[Traced], v: Array) -> Iterator[tuple[str, float]]:
    """Yield the part of each operand's adjoint that an operation sends back, in the order of reverse mode."""
    adjoints = {id(tape[-1]): like(1, v)}
    for node in reversed(tape):
        g = adjoints.get(id(node))
        if g is None:
            continue
        for parent, pullback in node.parents:
            part = pullback(g)
            adjoints[id(parent)] = adjoints[id(parent)] + part if id(parent) in adjoints else part
            given = float(np.ravel(g)[0])
            sent = float(np.ravel(part)[0])
            yield f"{_short(given)} × slope of {_name(node)}({_short(parent.value[0])}) = {_short(sent)}", sent


def _name(node: Traced) -> str:
    return SIGNS.get(node.name, node.name)


def _short(value: object) -> str:
    return f"{float(value):.4g}"  # type: ignore[arg-type]
