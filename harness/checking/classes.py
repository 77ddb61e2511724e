"""Check a loss of K classes: a log-sum-exp or a softmax cross-entropy, on rows of logits.

The rows are the same for every function: equal logits, one class that leads by more and more, wide spreads, masked
classes (-inf), large offsets, log-probabilities, and random ones, all rounded into the format and then taken as exact.
A row of the table is what a sweep's would be, `max_ulp_input` holding all K logits; nothing is said of other rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness import UsageError
from harness.checking.child import started
from harness.checking.functions import find
from harness.checking.libraries import NumpyArrays, arrays_of, candidates
from harness.checking.loops import other_loops
from harness.checking.report import Report
from harness.checking.subject import Options
from harness.checking.surroundings import Surroundings
from harness.numbers.formats import Format
from harness.problems.classes import ClassProblem
from harness.problems.weights import Weights
from harness.sweep.own import Function, accepted, one_line
from harness.sweep.vectors import KINDS, kinds_of, largest, others, picked, vectors
from harness.tables.basis import bases
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import COLUMNS, EXACT_DIGITS, Row
from harness.truth.certified import decimal, significant
from harness.truth.errors import SPURIOUS
from harness.truth.softmax import LARGEST_GAP, Evaluation, SoftmaxTruth, evaluation

Array = np.ndarray
GRID = "rows"
SEED = 18
COUNT = {"standard": 16, "quick": 4}  # rows of a kind, fewer for many classes
MOST_LOGITS = 1 << 18
IGNORED = -100  # what torch takes for a label that does not count, if nothing is said


@dataclass(frozen=True)
class ClassRows:
    """Hold rows of logits, shape (rows, K), and labels: shape (rows,) or, one-hot and soft, (rows, K)."""

    logits: Array
    labels: Array | None
    weights: Sequence[Sequence[Fraction]] | None

    def exact(self, i: int) -> mpmath.mpf:
        """Return the exact value of a row."""
        truth = SoftmaxTruth(self.logits[i].astype(np.float64))
        return truth.lse() if self.weights is None else truth.soft_loss(self.weights[i])

    def hex(self, fmt: Format, i: int) -> str:
        """Write a row's logits in hex, a space between them, and its label behind a semicolon."""
        text = " ".join(fmt.hex(v) for v in self.logits[i])
        if self.labels is None:
            return text
        label = self.labels[i]
        return f"{text}; {int(label)}" if np.ndim(label) == 0 else f"{text}; {' '.join(fmt.hex(v) for v in label)}"


# -- rows -------------------------------------------------------------------------------------------


def logits_of(fmt: Format, classes: int, grid: str) -> dict[str, tuple[Array, dict[str, Array]]]:
    """Return rows by kind, each with the index of the largest logit and of another one."""
    if grid not in COUNT:
        raise UsageError(f"a loss of K classes is checked on the rows of grid {' or '.join(COUNT)}, not {grid!r}")
    count = max(1, min(COUNT[grid], MOST_LOGITS // classes // (len(KINDS) + 2)))
    drawn = {kind: vectors(fmt, kind, classes, count, SEED) for kind in kinds_of(classes)}
    rows = {kind: (v.x, v.classes) for kind, v in drawn.items()}
    steps = np.linspace(0, 1, count)
    top = min(float(fmt.max) / 4, LARGEST_GAP / 2)
    lead = np.zeros((count, classes))
    lead[:, 0] = -np.log(fmt.smallest_subnormal) * steps
    spread = np.linspace(-1, 1, classes)[None, :] * np.exp2(-10 + (10 + np.log2(top)) * steps)[:, None] / 2
    for kind, x in (("lead", lead), ("spread", spread)):
        at = x.argmax(axis=1)
        rows[kind] = x.astype(fmt.dtype), {"top": at, "other": (at + 1) % classes}
    return rows


def rows_of_target(fmt: Format, classes: int, grid: str, target: str, labels: str, smoothing: Fraction) -> ClassRows:
    """Return all rows with the labels of one target: `top`, `other`, `soft`, or "" for a function without labels."""
    kinds = logits_of(fmt, classes, grid)
    if smoothing:  # a masked class has weight then
        kinds.pop("masked", None)
    x = np.concatenate([rows for rows, _ in kinds.values()])
    if not target:
        return ClassRows(x, None, None)
    if target == "soft":
        drawn = np.random.default_rng(SEED).dirichlet(np.ones(classes), len(x))
        given = np.where(np.isneginf(x.astype(np.float64)), 0.0, drawn).astype(fmt.dtype)
        exact = [[Fraction(float(v)) for v in row] for row in given]
    else:
        at = np.concatenate([chosen[target] for _, chosen in kinds.values()]).astype(np.int64)
        hot = (np.arange(classes) == at[:, None]).astype(fmt.dtype)
        given = at if labels == "integer" else hot
        exact = [[Fraction(int(v)) for v in row] for row in hot.astype(np.int64)]
    smooth = [[t * (1 - smoothing) + smoothing / classes for t in row] for row in exact] if smoothing else exact
    return ClassRows(x, given, smooth)


def stable(x: Array, labels: Array | None) -> Array:
    """Compute (m - x_c) + log1p(sum of exp(x_i - m) over i other than the first largest), or m + that log1p."""
    at, m = largest(x)
    rest = np.log1p(np.exp(others(x, at) - m).sum(axis=1, dtype=x.dtype))
    if labels is None:
        return m[:, 0] + rest
    if labels.ndim == 1:
        return (m[:, 0] - picked(x, labels)) + rest
    gaps = np.where(labels == 0, labels, labels * (m - x + rest[:, None]))
    return gaps.sum(axis=1, dtype=x.dtype)


# -- the function under check ----------------------------------------------------------------------------


class ClassSubject:
    """Hold a user's f(logits, labels) or f(logits) and call it in the process that runs it."""

    def __init__(self, target: str | Function, fmt: Format, options: Options):
        self.target, self.fmt, self.options = target, fmt, options
        self.name = target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)
        self.surroundings = Surroundings()
        self.arrays: NumpyArrays = NumpyArrays()
        self.function: Callable[..., Any] = lambda *given: None

    def load(self, logits: Array, labels: Array | None) -> str:
        """Find the function and its library, by a call on a few rows; return the library's name."""
        self.function = find(self.target) if isinstance(self.target, str) else self.target
        first: UsageError | None = None
        for library in candidates(self.function, self.options.library):
            self.arrays = arrays_of(library, self.options.device)
            try:
                self.evaluate(logits[:2], None if labels is None else labels[:2])
                return library
            except UsageError as e:
                first = first or e
        assert first is not None
        raise first

    def evaluate(self, logits: Array, labels: Array | None) -> Array:
        """Return one value for each row; row by row where the function reduces."""
        if self.options.reduction or self.options.each:
            rows = [slice(i, i + 1) for i in range(len(logits))]
            found = [self._called(logits[r], None if labels is None else labels[r]) for r in rows]
            return np.array([np.reshape(v, ())[()] for v in found]).astype(self.fmt.dtype)
        return accepted(self._called(logits, labels), logits[:, 0].copy(), self.name)

    def _called(self, logits: Array, labels: Array | None) -> Any:
        given = [logits.copy(), *([] if labels is None else [labels.copy()])]
        handed = [self.arrays.given(a) if a.dtype == self.fmt.dtype else self._integers(a) for a in given]
        try:
            with np.errstate(all="ignore"):
                result = self.function(*handed)
        except (Exception, SystemExit) as e:
            raise UsageError(f"{self.name} raised {one_line(e)}") from e
        self.surroundings.check(self.name)
        if given[0].tobytes() != logits.tobytes():
            raise UsageError(f"{self.name} changed its input; it must leave its arrays as they are")
        return self.arrays.taken(result)

    def _integers(self, labels: Array) -> Any:
        """Return integer labels as an array of the function's library."""
        if self.arrays.name == "torch":
            return self.arrays.torch.from_numpy(labels).to(self.arrays.where)  # type: ignore[attr-defined]
        if self.arrays.name == "jax":
            return self.arrays.jax.device_put(labels, self.arrays.where)  # type: ignore[attr-defined]
        return self.arrays.tf.constant(labels) if self.arrays.name == "tensorflow" else labels  # type: ignore[attr-defined]


def check_classes(
    function: Function | str,
    problem: ClassProblem,
    fmt: Format,
    *,
    classes: int,
    labels: str,
    weights: Weights,
    grid: str,
    max_ulp: float,
    options: Options,
    timeout: float,
    memory: float,
) -> Report:
    """Measure a function of K logits, and labels, on rows of a format; see `harness.check`."""
    smoothing = Fraction(weights.smoothing or 0)
    targets = ("",) if not problem.has_target else ("soft",) if labels == "soft" else ("top", "other")
    subject = ClassSubject(function, fmt, options)
    rows: list[Row] = []
    notes = list(other_loops())
    with closing(started(subject, timeout, memory, False)) as process:  # type: ignore[arg-type]
        for target in targets:
            given = rows_of_target(fmt, classes, grid, target, labels, smoothing)
            if not rows:
                process.ask("load", given.logits, given.labels)
            computed = process.ask("evaluate", given.logits, given.labels)
            rows.append(row_of(subject.name, problem.of(classes, weights), fmt, target, given, computed, not smoothing))
        notes += _special(process.ask, fmt, classes, labels) if problem.has_target else []
    return Report(rows, max_ulp, notes)


def row_of(name: str, problem: str, fmt: Format, target: str, given: ClassRows, computed: Array, plain: bool) -> Row:
    """Return the contract's row of results: every error against the exact value of its row."""
    exact = [given.exact(i) for i in range(len(computed))]
    found = [evaluation(fmt, c, e, open_ties=True) for c, e in zip(computed, exact)]
    kinds = [
        "capped" if mpmath.isinf(e) and np.isfinite(float(c)) else m.outcome for c, e, m in zip(computed, exact, found)
    ]
    finite = [m for m in found if m.finite]
    row: Row = dict.fromkeys(COLUMNS, "")
    row |= {
        "problem": problem, "kernel": name, "format": fmt.name, "target": target, "grid": GRID, "points": len(found),
        "exhaustive": False, **_extremes(fmt, given, found),
        "mean_ulp": significant(mp.fsum(m.ulp for m in finite) / len(finite)) if finite else "",
        "correctly_rounded": significant(sum(bool(m.ulp < 0.5) for m in found) / len(found)),
        **{o: kinds.count(o) for o in SPURIOUS}, "capped": kinds.count("capped"),
    }  # fmt: skip
    for outcome, column in OUTCOME_INPUTS.items():
        row[column] = given.hex(fmt, kinds.index(outcome)) if outcome in kinds else ""
    row |= bases(row)
    row["usual_max_ulp"], row["usual_max_ulp_input"] = row["max_ulp"], row["max_ulp_input"]
    if plain:
        row["reason"] = _beside(fmt, given, exact)
    return row


def _extremes(fmt: Format, given: ClassRows, found: Sequence[Evaluation]) -> Row:
    """Return the largest errors with the rows where they are."""
    at = [i for i, m in enumerate(found) if m.finite and mpmath.isfinite(m.exact)]
    if not at:
        return {}
    ulp = max(at, key=lambda i: found[i].ulp)
    rel, most = max(at, key=lambda i: found[i].relative), max(at, key=lambda i: found[i].absolute)
    return {
        "max_ulp": significant(found[ulp].ulp), "max_ulp_input": given.hex(fmt, ulp),
        "max_ulp_computed": fmt.hex(found[ulp].computed), "max_ulp_exact": decimal(found[ulp].exact, EXACT_DIGITS),
        "max_rel": significant(found[rel].relative), "max_rel_input": given.hex(fmt, rel),
        "max_abs": significant(found[most].absolute), "max_abs_input": given.hex(fmt, most),
    }  # fmt: skip


def _beside(fmt: Format, given: ClassRows, exact: Sequence[mpmath.mpf]) -> str:
    """Say what the stable form does on the same rows."""
    labels = given.labels
    with np.errstate(all="ignore"):
        computed = stable(given.logits, labels)
    most = max((evaluation(fmt, c, e, open_ties=True).ulp for c, e in zip(computed, exact)), default=mp.mpf(0))
    form = "m + log1p(rest)" if labels is None else "(m - x_c) + log1p(rest)"
    return f"On these rows {form}, m the largest logit and rest the sum of the others' exp(x_i - m), errs by {significant(most, 3)} ulp"


def _special(ask: Callable[..., Any], fmt: Format, classes: int, labels: str) -> list[str]:
    """Say what becomes of a masked class of one's own, of an ignored label, and of an empty batch."""
    x = np.zeros((1, classes)).astype(fmt.dtype)
    masked = x.copy()
    masked[0, 0] = -np.inf
    zero = np.zeros(1, np.int64) if labels == "integer" else np.eye(1, classes).astype(fmt.dtype)
    cases: Mapping[str, tuple[Array, Array]] = {
        "the label's own class masked (-inf; the exact loss is inf)": (masked, zero),
        "an empty batch": (x[:0], zero[:0]),
    }
    if labels == "integer":
        cases = {**cases, f"the label {IGNORED} (ignore_index)": (x, zero + IGNORED)}
    return [f"At {name}: {_said(ask, fmt, *given)}." for name, given in cases.items()]


def _said(ask: Callable[..., Any], fmt: Format, logits: Array, labels: Array) -> str:
    try:
        found = ask("evaluate", logits, labels)
    except UsageError as e:
        return str(e)
    return f"returned {float(found[0]):.9g}" if len(found) else "returned an empty array"
