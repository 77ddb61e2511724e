"""A function of K logits under check, in the process that runs it: loaded, its library told, called on rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import numpy as np

from harness import UsageError
from harness.checking.functions import arranged, find
from harness.checking.libraries import NumpyArrays, arrays_of, candidates
from harness.checking.subject import Loaded, Options, called_with
from harness.checking.surroundings import Surroundings
from harness.explain.explanation import Explanation, explain_vector
from harness.explain.followed import NotFollowed
from harness.explain.operations import table
from harness.explain.shadow import Shadow
from harness.numbers.formats import Format
from harness.problems.classes import HESSIAN, ClassProblem
from harness.sweep.own import Function, accepted, one_line

Array = np.ndarray


class ClassSubject:
    """Hold a user's f(logits, labels) or f(logits) and call it on arrays of shape (n, K), and (n,) or (n, K)."""

    def __init__(self, target: str | Function, problem: ClassProblem, fmt: Format, options: Options):
        self.target, self.problem, self.fmt, self.options = target, problem, fmt, options
        self.name = target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)
        self.surroundings = Surroundings()
        self.arrays: NumpyArrays = NumpyArrays()
        self.parts: dict[str, Callable[..., Any]] = {}

    def load(self, logits: Array, labels: Array | None) -> Loaded:
        """Find the function, its gradient if that is asked for, and its library, by a call on a few rows."""
        function = find(self.target) if isinstance(self.target, str) else self.target
        few = logits[:2], None if labels is None else labels[:2]
        self._try_libraries(function, *few)
        if "loss" in self.parts:
            self._with_gradient()
        for part in self.parts:
            self.evaluate(part, *few)
        notes = called_with(self.arrays)
        if self._by_row:
            notes.append("It is called for each row by itself.")
        way = "each" if self._by_row else "whole"
        return Loaded(self.name, self.arrays.name, self.arrays.device, tuple(self.parts), way, 0.0, tuple(notes))

    @property
    def _by_row(self) -> bool:
        return bool(self.options.reduction or self.options.each)

    def _with_gradient(self) -> None:
        own = self.options.gradient_function
        if (own is not None or self.options.gradient) and not self.problem.gradient:
            raise UsageError(f"{self.problem.name} has no gradient declared; leave out --gradient")
        if own is not None:
            name = own if isinstance(own, str) else getattr(own, "__name__", "the gradient")
            found = find(own) if isinstance(own, str) else own
            self.parts["gradient"] = arranged(self.arrays.placed(found), name, self.problem.has_target)
        elif self.options.gradient:
            self.parts["gradient"] = self.arrays.slope(self.parts["loss"])

    def _try_libraries(self, function: Function, logits: Array, labels: Array | None) -> None:
        first: UsageError | None = None
        for library in candidates(function, self.options.library):
            try:
                self.arrays = arrays_of(library, self.options.device)
                placed = self.arrays.placed(function)
                self.parts = {"loss": arranged(placed, self.name, self.problem.has_target)}
                if not self._take_pair(logits, labels):
                    self.evaluate("loss", logits, labels)
                return
            except UsageError as e:
                first = first or e
        assert first is not None
        raise first

    def _take_pair(self, logits: Array, labels: Array | None) -> bool:
        """Tell whether the function is an objective, which returns gradient and Hessian; keep it as these two parts."""
        if self._by_row:
            return False
        called = self.parts["loss"]
        result = self._called("loss", logits, labels)
        if not (isinstance(result, (tuple, list)) and len(result) == 2):
            return False
        self.parts = {"gradient": lambda *a: called(*a)[0], "hessian": lambda *a: called(*a)[1]}
        for part, shape in ((p, np.shape(self.arrays.taken(r))) for p, r in zip(self.parts, result)):
            if shape not in (logits.shape, *_flattened(logits)):
                self.parts = {"loss": called}
                raise UsageError(
                    f"{self.name} returned a {part} of shape {shape} for logits of shape {logits.shape}; an objective "
                    "returns gradient and Hessian, the diagonal, with one value for each logit"
                )
        return True

    def evaluate(self, part: str, logits: Array, labels: Array | None) -> Array:
        """Return one value for each row, of a derivative one for each logit; row by row where the function reduces."""
        shaped = logits if part in ("gradient", "hessian") or self.problem.each_class else logits[:, 0].copy()
        if not self._by_row:
            result = self._called(part, logits, labels)
            if "loss" not in self.parts and getattr(result, "shape", None) in _flattened(logits):
                result = np.reshape(result, logits.shape)
            if getattr(result, "shape", () if isinstance(result, float) else None) == () and len(logits) > 1:
                raise UsageError(
                    f"{self.name} returned one number for {len(logits)} rows; return one value for each row, or add "
                    "--reduction mean (or sum) and it is called for each row by itself"
                )
            return accepted(result, shaped, self.name)
        found = [self._called(part, *self._row(i, logits, labels)) for i in range(len(logits))]
        if any(np.size(v) != shaped[:1].size for v in found):
            raise UsageError(f"{self.name} returned {np.shape(found[0])} for one row; return {shaped[:1].size} numbers")
        return np.array([np.reshape(v, shaped.shape[1:]) for v in found]).reshape(shaped.shape).astype(self.fmt.dtype)

    def explain(
        self, part: str, logits: Array, labels: Array | None, place: int, computed: float, exact: mpmath.mpf
    ) -> Explanation:
        """Explain one result of a row, `computed` for `exact`: the row's own, or at `place` the derivative in that class."""
        given = tuple(a for a in self._row(0, logits, labels) if a is not None)
        noun = {"gradient": "gradient", "hessian": "Hessian"}.get(part) or self._noun()
        with np.errstate(all="ignore"), self.surroundings.watched():
            return explain_vector(partial(self._traced, part, place), noun, self.fmt, given, computed, exact)

    def operations(
        self, part: str, logits: Array, labels: Array | None, place: int, computed: float, exact: mpmath.mpf
    ) -> str:
        """Return the table of the operations that one result is made by; see explain/operations.py."""
        given = tuple(a for a in self._row(0, logits, labels) if a is not None)
        with np.errstate(all="ignore"), self.surroundings.watched():
            return table(self._traced(part, place, *given), self.fmt, exact)

    def _traced(self, part: str, place: int, *given: Array) -> Shadow:
        """Return one result of a part with all that it was made from; NotFollowed where that is not known."""
        from harness.explain.follow_vectors import follow_vectors  # for what fails alone

        if self.arrays.name != "numpy":
            raise NotFollowed(f"code of {self.arrays.name} on rows of logits")
        nodes = follow_vectors(self.parts[part], *given).reshape(-1)
        found: Shadow = nodes[place if len(nodes) > 1 else 0]
        return found

    def _noun(self) -> str:
        """Name what the problem's values are."""
        if self.problem.name == HESSIAN:
            return "Hessian"
        return "value" if not self.problem.has_target else "gradient" if self.problem.each_class else "loss"

    def _row(self, i: int, logits: Array, labels: Array | None) -> tuple[Array, Array | None]:
        """Return one row, as `each` wants it: a vector of logits and one label; else as arrays of one row."""
        if self.options.each:
            return logits[i], None if labels is None else labels[i]
        return logits[i : i + 1], None if labels is None else labels[i : i + 1]

    def _called(self, part: str, logits: Array, labels: Array | None) -> Any:
        given = [np.array(a) for a in (logits, labels) if a is not None]
        handed = [self.arrays.integers(a) if a.dtype == np.int64 else self.arrays.given(a) for a in given]
        try:
            with np.errstate(all="ignore"), self.surroundings.watched():
                result = self.arrays.taken(self.parts[part](*handed))
        except (UsageError, MemoryError):
            raise
        except BaseException as e:
            if isinstance(e, SystemExit):
                raise UsageError(f"{self.name} called sys.exit; it must return its results") from e
            on = "" if self.arrays.name == "numpy" else f" on arrays of {self.arrays.name}"
            where = self.arrays.elsewhere(self.parts[part])
            raise UsageError(f"{self.name} raised {one_line(e)}{on}{where}") from e
        self.surroundings.check(self.name)
        if any(a.tobytes() != b.tobytes() for a, b in zip(given, (logits, labels)) if b is not None):
            raise UsageError(f"{self.name} changed its input; it must leave its arrays as they are")
        return result


def _flattened(logits: Array) -> tuple[tuple[int, ...], ...]:
    """Return the shapes in which XGBoost before 2.1 wanted an objective's results: row after row, as one column."""
    return (logits.size, 1), (logits.size,)
