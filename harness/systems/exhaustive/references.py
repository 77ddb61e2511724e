"""The reference of one block of inputs and of its mirror image, computed once for all libraries, calls and targets.

At hard targets two functions are all that is needed, softplus and sigmoid, each at x and at -x:

    bce_logits(x, 0) = softplus(x)         bce_logits_grad(x, 0) = sigmoid(x)
    bce_logits(x, 1) = softplus(-x)        bce_logits_grad(x, 1) = sigmoid(x) - 1 = -sigmoid(-x)
    log_sigmoid(x) = -softplus(-x)

Over x and -x together that is one evaluation of each function for each input, where every call by itself would need
one for each target.  Other problems are evaluated as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from harness.problems import problem_named
from harness.systems.exhaustive.calls import FMT
from harness.systems.exhaustive.repeated import unchanging
from harness.truth.fast import Reference, evaluate

Array = np.ndarray
# problem, target: the function, the sign of its argument, the sign of its value
FORMS = {
    ("bce_logits", "0"): ("softplus", 1, 1),
    ("bce_logits", "1"): ("softplus", -1, 1),
    ("bce_logits_grad", "0"): ("sigmoid", 1, 1),
    ("bce_logits_grad", "1"): ("sigmoid", -1, -1),
    ("log_sigmoid", ""): ("softplus", -1, -1),
}
Form = tuple[str, str, int, int]  # problem, target, sign of the argument, sign of the value


def form_of(problem: str, target: str) -> Form:
    """Return of which evaluation a problem's exact values at one target are made, and how."""
    name, argument, value = FORMS.get((problem, target), (problem, 1, 1))
    return name, target if name == problem else "", argument, value


class References:
    """Give the references at inputs x, shape (n,) in value order, and at -x in value order; each is computed when first asked for."""

    def __init__(self, x: Array):
        self.x = x
        self._known: dict[tuple, Reference] = {}

    def of(self, form: Form, mirror: bool = False) -> Reference:
        """Return the reference, shape (1, n), of a form at x, or with `mirror` at -x."""
        key = (form, mirror)
        if key not in self._known:
            name, target, argument, value = form
            found = self._evaluated(name, target, -argument if mirror else argument)
            found = flipped(found) if mirror else found
            self._known[key] = negated(found) if value < 0 else found
        return self._known[key]

    def unchanging(self, form: Form, mirror: bool = False) -> Reference | None:
        """Return the reference of one point that stands for the whole block, shape (1, 1); None where there is none."""
        name, _, argument, value = form
        problem = problem_named(name)
        ends = self.x[[0, -1]] * FMT.dtype.type(-argument if mirror else argument)
        if not problem.monotone or problem.has_target or len(self.x) < 2:
            return None
        first, last = problem.fast(ends.astype(np.float64))
        if first != last:
            return None
        found = unchanging(evaluate(problem, FMT, ends[None, :]))
        return found if found is None or value > 0 else negated(found)

    def _evaluated(self, name: str, target: str, sign: int) -> Reference:
        """Return the reference of a problem at `sign` times x, in the order of x."""
        key = (name, target, sign)
        if key not in self._known:
            columns = () if target == "" else (np.full((1, 1), float(target), FMT.dtype),)
            x = self.x if sign > 0 else -self.x
            self._known[key] = evaluate(problem_named(name), FMT, x[None, :], *columns)
        return self._known[key]


def flipped(exact: Reference) -> Reference:
    """Return a reference in the other order of its inputs."""

    def flip(a: Array) -> Array:
        return np.ascontiguousarray(a[:, ::-1])

    assert exact.low is None  # the wide format of float32 is float64
    value = flip(exact.value)
    return replace(
        exact, value=value, high=value, ulp=flip(exact.ulp), scales=tuple(map(flip, exact.scales)),
        ulp_per_value=flip(exact.ulp_per_value), rounded=flip(exact.rounded),
        rounded_working=flip(exact.rounded_working),
        parts=exact.parts and partial(_parts, exact, flip),
    )  # fmt: skip


def negated(exact: Reference) -> Reference:
    """Return the reference of the negative: all errors measured against it are those of the negative results."""
    value = -exact.value
    return replace(
        exact, value=value, high=value, rounded=-exact.rounded, rounded_working=-exact.rounded_working,
        parts=exact.parts and partial(_parts, exact, np.negative),
    )  # fmt: skip


def _parts(exact: Reference, change: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
    assert exact.parts is not None
    first, second, rest = exact.parts()
    return change(first), change(second), change(rest)
