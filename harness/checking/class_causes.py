"""Where a function of K logits fails, and why: the row of logits, the label, what was computed and what is exact there.

Outcomes come first, NaN before infinity, then 0 and a wrong sign; the largest finite error is last.  Each is explained at
the first row that has it, among rows that go from plain to extreme, by the operations of the function where those can be
followed.  A second reason is told where it has another cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from harness.checking.class_forms import Form, form_like
from harness.checking.class_rows import ClassRows
from harness.explain.explanation import Explanation, explain_vector
from harness.explain.follow_vectors import follow_vectors
from harness.explain.notation import magnitude, number
from harness.numbers.formats import Format
from harness.tables.rows import Row
from harness.tables.text import OUTCOME_LABELS
from harness.truth.softmax import Evaluation

Place = tuple[int, "int | None"]  # the row, and the class of a derivative
Explain = Callable[[Place, Evaluation], Explanation]
SHOWN = 8  # logits of a row that a sentence has; of more the first few
FEW = 3
NOUNS = {"softmax_ce": "loss", "softmax_ce_grad": "gradient", "softmax_ce_hess": "Hessian"}


def caused(
    fmt: Format,
    given: ClassRows,
    places: Sequence[Place],
    found: Sequence[Evaluation],
    kinds: Sequence[str],
    max_ulp: float,
    explain: Explain,
    problem: str = "",
) -> Row:
    """Return cause, operation and reason of a row of the table; nothing of one that keeps its budget.

    `kinds` has the outcome of each of the results, `explain` says why one of them is wrong.  What cannot be followed is
    explained by the form of the `problem` that it behaves like.
    """
    told: list[tuple[Explanation, str]] = []
    like: tuple[str, Form] | None = None
    for what, i in _telling(found, kinds, max_ulp):
        why = explain(places[i], found[i])
        if why.not_followed:
            like = like or form_like(problem, given, found, kinds, [m.exact for m in found])
            why = _as_form(fmt, given, places[i], why, NOUNS.get(problem, "value"), *like) if like else why
        alike = any((why.cause, why.effects) == (e.cause, e.effects) for e, _ in told)
        computed, exact = number(float(found[i].computed), fmt.dtype), magnitude(found[i].exact, fmt)
        said = f"{computed} for {exact}, by the same cause." if alike else why.reason
        told.append((why, f"{what} {place_text(fmt, given, places[i])}: {said}"))
    if not told:
        return {}
    first = told[0][0]
    return {"cause": first.cause, "operation": first.operation, "reason": " ".join(text for _, text in told)}


def _as_form(
    fmt: Format, given: ClassRows, place: Place, why: Explanation, noun: str, name: str, form: Form
) -> Explanation:
    """Return why a form fails at a row, for a function that behaves like it."""
    i, of = place
    inputs = tuple(a[i : i + 1] for a in (given.logits, given.labels) if a is not None)
    with np.errstate(all="ignore"):
        computed = float(np.reshape(form(*inputs), -1)[of or 0])
    if _outcome(computed) != _outcome(why.computed):
        return why  # at this row it is not alike
    again = lambda *row: follow_vectors(form, *row).reshape(-1)[of or 0]  # noqa: E731
    found = explain_vector(again, noun, fmt, inputs, computed, why.exact)
    return replace(found, like=name, reason=f"behaves like {name}: {found.reason}", not_followed=why.not_followed)


def _outcome(value: float) -> str:
    return "finite" if np.isfinite(value) and value else f"{abs(value)}"


def _telling(found: Sequence[Evaluation], kinds: Sequence[str], max_ulp: float) -> list[tuple[str, int]]:
    """Return the results to explain, and how a sentence calls each: the first of each outcome, and the worst finite one."""
    firsts = [(f"The first {label}, at", kinds.index(name)) for name, label in OUTCOME_LABELS.items() if name in kinds]
    finite = [i for i, m in enumerate(found) if m.finite]
    worst = max(finite, key=lambda i: found[i].ulp, default=None)
    if worst is not None and found[worst].ulp > max_ulp and worst not in [i for _, i in firsts]:
        firsts.append(("The largest finite error, at" if firsts else "At", worst))
    return firsts


def place_text(fmt: Format, given: ClassRows, place: Place) -> str:
    """Write a row of logits with its label, and the class of a derivative, as a sentence has them."""
    i, of = place
    text = f"the logits {_numbers(given.logits[i])}"
    if given.labels is not None:
        label = given.labels[i]
        text += f", label {int(label)}" if np.ndim(label) == 0 else f", labels {_numbers(label)}"
        if np.ndim(label) == 0 and len(given.logits[i]) > SHOWN:
            text += f", whose logit is {number(float(given.logits[i][int(label)]), given.logits.dtype)}"
    return text if of is None else f"{text}, class {of}"


def _numbers(values: np.ndarray) -> str:
    few = values if len(values) <= SHOWN else values[:FEW]
    text = " ".join(number(float(v), values.dtype) for v in few)
    return text if len(few) == len(values) else f"{text} ... ({len(values)} of them)"
