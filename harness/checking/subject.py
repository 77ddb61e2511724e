"""A function under check, in the process that runs it: loaded, its library told, called on NumPy arrays.

The process that measures sends it inputs and gets results back, or one sentence that says why there are none.  What a
function does to its surroundings, from a patched NumPy to a thread that never ends, is looked at after every call.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from harness import Crash, UsageError
from harness.checking.functions import arranged, find
from harness.checking.libraries import NumpyArrays, arrays_of, candidates
from harness.checking.repeats import difference, usual_inputs
from harness.checking.rewriting.expression import Expression, recorded
from harness.checking.surroundings import Surroundings
from harness.explain.explanation import Explanation, explain_function, traced_function, tracer
from harness.explain.operations import table
from harness.explain.remedies import exact_at
from harness.numbers.formats import FORMATS, Format
from harness.problems import Problem, problem_named
from harness.sweep.own import Function, accepted, one_line

TRIALS = 9  # inputs of the trial call
REPEATS = 15  # calls of a loss whose least time is taken
TIMED = 5  # calls of the trial whose time is taken
MAPPED = 32  # inputs at which a library's vmap must give what calls for one input each give
LEAST_PADDED = 1024  # libraries that compile for each length get arrays of a power of two, of this at least

# What Python and NumPy say where a function for one number is given an array.
SCALAR_ONLY = (
    "only length-1", "only 0-dimensional", "only integer scalar", "ambiguous", "must be real number",
    "Python scalar", "cannot be converted to Scalar", "only one element tensors", "abstract tracer value",
    "TracerBoolConversionError", "a Python `bool`",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Hold what a user said of a function, beside the function itself; None where nothing was said."""

    library: str | None = None
    device: str = "cpu"
    each: bool = False
    reduction: str | None = None
    gradient: bool = False
    gradient_function: str | Callable[..., Any] | None = None


@dataclass(frozen=True)
class Loaded:
    """Say what a function turned out to be, when it was loaded and tried.

    `parts` are what it computes: loss, gradient, hessian.  `way` is how it is called: `whole` arrays, for `each` number
    by itself, or `singly` on arrays of one element; `seconds` is what one call takes then, 0 where a library maps it.
    """

    name: str
    library: str
    device: str
    parts: tuple[str, ...]
    way: str
    seconds: float
    notes: tuple[str, ...] = field(default=())


class Subject:
    """Hold a user's function and call it: `evaluate` and `explain`, on NumPy arrays of one dimension."""

    def __init__(self, target: str | Function, problem: Problem, fmt: Format, options: Options):
        self.target, self.problem, self.fmt, self.options = target, problem, fmt, options
        self.name = target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)
        self.surroundings = Surroundings()
        self.arrays: NumpyArrays = NumpyArrays()
        self.parts: dict[str, Function] = {}
        self._mapped: dict[int, Function | None] = {}  # of functions that are called for each input by itself
        self.calls = 0  # of the function, for one input by itself each
        self.way = "whole"
        self.notes: list[str] = []

    # -- loading ------------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Find the function, tell its library and how it wants to be called, and say so; UsageError where it fails."""
        function = self._found(self.target)
        self._try_libraries(function)
        if self.options.gradient and "loss" in self.parts:
            self.parts["gradient"] = self.arrays.slope(self.parts["loss"])
            if self.arrays.name != "jax":  # whose vmap alone goes over a derivative
                self._mapped[id(self.parts["gradient"])] = None
        own = self.options.gradient_function
        if own is not None:
            name = own if isinstance(own, str) else getattr(own, "__name__", "the gradient")
            self.parts["gradient"] = arranged(self.arrays.placed(self._found(own)), name, self.problem.has_target)
        self.surroundings.check(self.name)
        self.notes += called_with(self.arrays)
        seconds = self._seconds() if self._one_at_a_time() else 0.0
        return Loaded(
            self.name, self.arrays.name, self.arrays.device, tuple(self.parts), self.way, seconds, tuple(self.notes)
        )

    def _one_at_a_time(self) -> bool:
        """Tell whether any part is called for each input by itself, without a library that maps it."""
        return any(map(self._is_alone, self.parts.values()))

    def _is_alone(self, function: Function) -> bool:
        """Tell whether a function is called for each input by itself: an array of n inputs is n calls of it."""
        return self.way == "each" or (self.way == "singly" and self._map_of(function) is None)

    def _map_of(self, function: Function) -> Function | None:
        """Return a function mapped over arrays of one element by its library; made once, as it may be traced.

        None where the library cannot map it, or computes it by other code when it does: torch's vmap takes
        log(1 + e^-|x|) for the log1p of its own log_sigmoid, an error that the loss itself has not.
        """
        if id(function) not in self._mapped:
            mapped = self.arrays.each(function)
            kept = mapped if mapped is not None and self._maps_truly(function, mapped) else None
            self._mapped[id(function)] = kept
        return self._mapped[id(function)]

    def _maps_truly(self, function: Function, mapped: Function) -> bool:
        """Tell whether a mapped function gives what calls for one input each give, as near as two ways of a library come."""
        x = usual_inputs(self.problem, self.fmt, MAPPED)
        inputs = [np.tile(x, 2), np.repeat([0, 1], len(x)).astype(self.fmt.dtype)][: 1 + self.problem.has_target]
        try:
            together = self.arrays.taken(mapped(*(self.arrays.given(padded(a)) for a in inputs)))[: len(inputs[0])]
        except Exception:  # what branches on a value, or asks for one: it can only be called one by one
            return False
        return not difference(self.fmt, self._one_by_one(function, inputs), together).fault

    def _found(self, target: str | Function) -> Function:
        return find(target) if isinstance(target, str) else target

    def _try_libraries(self, function: Function) -> None:
        """Call the function on a few inputs in each library that it may be of, in each way; keep what works first."""
        first: UsageError | None = None
        arranged(function, self.name, self.problem.has_target)  # what it lacks is said before a library is loaded
        for library in candidates(function, self.options.library):
            try:
                self.arrays = arrays_of(library, self.options.device)
                placed = self.arrays.placed(function)
                self._try_ways(arranged(placed, self.name, self.problem.has_target))
                return
            except UsageError as e:
                first = first or e
        assert first is not None
        raise first

    def _try_ways(self, called: Function) -> None:
        x, y = self._trial_inputs()
        inputs = (x,) if y is None else (x, y)
        way = "each" if self.options.each else "singly" if self.options.reduction else "whole"
        try:
            self._take(called, way, inputs)
        except UsageError as e:
            if way == "whole" and any(hint in str(e) for hint in SCALAR_ONLY):
                raise UsageError(f"{e}; a function of one number at a time is called with --each") from e
            raise

    def _take(self, called: Function, way: str, inputs: Sequence[np.ndarray]) -> None:
        """Call a function in one way and keep it by what it returns: a loss, or the two parts of an objective."""
        self.way = way
        result = self._raw(called, inputs)
        pair = isinstance(result, (tuple, list)) and len(result) == 2 and way == "whole"
        self.parts = {"loss": called}
        if pair and all(getattr(self.arrays.taken(r), "shape", None) == inputs[0].shape for r in result):
            self.parts = {"gradient": lambda *a: called(*a)[0], "hessian": lambda *a: called(*a)[1]}
        for part in self.parts:
            self.evaluate(part, *inputs)

    def _trial_inputs(self) -> tuple[np.ndarray, np.ndarray | None]:
        lo, hi = max(self.problem.domain[0], -4.0), min(self.problem.domain[1], 4.0)
        x = np.linspace(lo + 0.1 * (hi - lo), hi - 0.1 * (hi - lo), TRIALS).astype(self.fmt.dtype)
        y = (np.arange(TRIALS) % 2).astype(self.fmt.dtype) if self.problem.has_target else None
        return x, y

    def _seconds(self) -> float:
        """Return what a call for one element takes, the least of a few: the machine may be busy with something else."""
        x, y = self._trial_inputs()
        part = list(self.parts)[-1]
        took = []
        for _ in range(TIMED):
            start = time.perf_counter()
            self.evaluate(part, x, *(() if y is None else (y,)))
            took.append(time.perf_counter() - start)
        return min(took) / len(x)

    # -- calls --------------------------------------------------------------------------------------

    def evaluate(self, part: str, *inputs: np.ndarray) -> np.ndarray:
        """Return the results of a part for inputs of shape (n,); UsageError where they cannot be used."""
        length = len(inputs[0])
        if self.arrays.pads and length and not self._is_alone(self.parts[part]):
            inputs = tuple(padded(a) for a in inputs)
        return self.unpadded(part, *inputs)[:length]

    def unpadded(self, part: str, *inputs: np.ndarray) -> np.ndarray:
        """Return the results of a part for arrays of just their own length."""
        return self._accepted(self._raw(self.parts[part], inputs), inputs[0])

    def alone(self, part: str, *inputs: np.ndarray) -> np.ndarray:
        """Return the results of a part asked for one at a time, in arrays of one element."""
        return np.concatenate([self.unpadded(part, *(a[i : i + 1] for a in inputs)) for i in range(len(inputs[0]))])

    def elsewhere(self, part: str, *inputs: np.ndarray) -> np.ndarray:
        """Return the results of a part for arrays that begin one element after a multiple of 64 bytes."""
        return self._accepted(self._raw(self.parts[part], inputs, offset=1), inputs[0])

    def draws(self, part: str, *inputs: np.ndarray) -> bool:
        """Tell whether a call draws random numbers of Python or NumPy."""
        before = _generators()
        self._raw(self.parts[part], inputs)
        return _generators() != before

    def called_alone(self) -> int:
        """Return how often the function was called for one input by itself so far."""
        return self.calls

    def _accepted(self, result: Any, x: np.ndarray) -> np.ndarray:
        """Return a result as a plain NumPy array of the inputs' shape and format, whatever library's array it is."""
        if type(result) is not np.ndarray:
            result = self.arrays.taken(result)
        shape = getattr(result, "shape", () if isinstance(result, float) else None)
        if shape in ((), (1,)) and len(x) > 1:
            raise UsageError(
                f"{self.name} returned {shape} for an input of shape {x.shape}; return one value for "
                "each input, or add --reduction mean (or sum) and it is called for each input by itself"
            )
        return accepted(result, x, self.name)

    def _raw(
        self,
        function: Function,
        inputs: Sequence[np.ndarray],
        offset: int = 0,
    ) -> Any:
        """Call a function in its way on copies of the inputs, which it must leave as they are."""
        kept = [aligned(a, offset) for a in inputs]
        try:
            with np.errstate(all="ignore"), self.surroundings.watched():
                result = self._in_its_way(function, kept)
        except (UsageError, Crash):
            raise
        except BaseException as e:
            self.surroundings.check(self.name)
            if isinstance(e, SystemExit):
                raise UsageError(f"{self.name} called sys.exit; it must return its results") from e
            on = "" if self.arrays.name == "numpy" else f" on arrays of {self.arrays.name}"
            raise UsageError(f"{self.name} raised {one_line(e)}{on}{self.arrays.elsewhere(function)}") from e
        self.surroundings.check(self.name)
        if any(a.tobytes() != b.tobytes() for a, b in zip(kept, inputs)):
            raise UsageError(f"{self.name} changed its input; it must leave its arrays as they are")
        return result

    def _in_its_way(self, function: Function, kept: Sequence[np.ndarray]) -> Any:
        if self.way == "whole":
            return function(*(self.arrays.given(a) for a in kept))
        if self.way == "singly":
            mapped = self._map_of(function)
            if mapped is not None:
                return self.arrays.taken(mapped(*(self.arrays.given(a) for a in kept)))
        return self._one_by_one(function, kept)

    def _one_by_one(self, function: Function, kept: Sequence[np.ndarray]) -> np.ndarray:
        """Call a function for every element, a NumPy scalar or an array of one; Python floats are of float64."""
        found = []
        for i in range(len(kept[0])):
            one = [a[i] if self.way == "each" and self.arrays.name == "numpy" else a[i : i + 1] for a in kept]
            if self.arrays.name != "numpy":
                one = [self.arrays.given(a)[0] if self.way == "each" else self.arrays.given(a) for a in one]
            self.calls += 1
            found.append(self._one_number(self.arrays.taken(function(*one)), kept[0].dtype))
        return np.array(found, dtype=kept[0].dtype) if found else np.empty(0, kept[0].dtype)

    def _one_number(self, value: Any, dtype: np.dtype) -> Any:
        try:
            given, size = np.asarray(value).dtype, np.size(value)
        except Exception:  # what says that it is an array, and is none
            given, size = np.dtype(object), 0
        known = given in {f.dtype for f in FORMATS.values()}
        if size != 1 or not known:
            got = f"{np.shape(value)}" if known else f"a {type(value).__name__}"
            raise UsageError(f"{self.name} returned {got} for one input; return one number of {dtype}")
        if given != dtype:
            reduced = self.way == "singly" and isinstance(value, float) and not isinstance(value, np.generic)
            if reduced and float(np.asarray(value).astype(dtype)) == value:
                return dtype.type(value)  # float(loss.mean()): a number of the format all the same
            python = isinstance(value, float) and not isinstance(value, np.generic)
            kind = "a Python float, which is float64," if python else f"{given}"
            raise UsageError(
                f"{self.name} returned {kind} for {dtype} inputs; compute in {dtype}, or check it in --format {given}"
            )
        return np.asarray(value).reshape(())[()]

    def explain(self, part: str, problem_name: str, x: float, y: float | None) -> Explanation:
        """Explain the error of a part at one input, and target; see explain/explanation.py."""
        problem, noun = problem_named(problem_name), "Hessian" if part == "hessian" else ""
        with np.errstate(all="ignore"), self.surroundings.watched():
            if y is not None and not problem.has_target:
                return explain_function(self._at_target(part, y), problem, self.fmt, x, noun=noun)
            return explain_function(self._followable(part), problem, self.fmt, x, y, noun)

    def formula(self, inputs: Sequence[tuple[float, ...]]) -> Expression:
        """Return the expression that the loss computes, the same at all the inputs given; UsageError where it cannot be told."""
        function = self._followable("loss")
        with np.errstate(all="ignore"), self.surroundings.watched():
            return recorded(tracer(function), function, self.name, inputs)

    def seconds(self, *inputs: np.ndarray) -> float:
        """Return the least time that a call of the loss takes, in seconds, of some calls."""
        took = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            with np.errstate(all="ignore"):
                self.parts["loss"](*inputs)
            took.append(time.perf_counter() - begun)
        return min(took)

    def operations(self, part: str, problem_name: str, x: float, y: float | None) -> str:
        """Return the table of a part's operations at one input, and target; see explain/operations.py.

        UsageError, naming what it was, where it does what cannot be followed.
        """
        with np.errstate(all="ignore"), self.surroundings.watched():
            problem = problem_named(problem_name)
            result = traced_function(self._followable(part), problem, self.fmt, x, y)
            return table(result, self.fmt, exact_at(problem_name, tuple(v for v in (x, y) if v is not None)))

    def _at_target(self, part: str, y: float) -> Function:
        """Return a part that wants a target as a function of its input alone, for a problem that has none."""
        function = self._followable(part)

        def of_input(x: np.ndarray) -> np.ndarray:
            return function(x, np.full(np.shape(x), y).astype(self.fmt.dtype))

        of_input.__name__ = self.name
        filled = np.full(1, y).astype(self.fmt.dtype)
        of_input.follow = lambda x: function.follow(x, filled)  # type: ignore[attr-defined]
        return of_input

    def _followable(self, part: str) -> Function:
        """Return a part as a function of NumPy arrays that can be followed, if its library's code can."""
        function = self.parts[part]

        def called(*given: np.ndarray) -> np.ndarray:
            return self.evaluate(part, *given)

        called.__name__ = self.name
        called.follow = partial(self._followed, function)  # type: ignore[attr-defined]
        return called

    def _followed(self, function: Function, *given: np.ndarray) -> Any:
        self.calls += 1
        return self.arrays.followed(function, *given, scalar=self.way == "each")


def called_with(arrays: NumpyArrays) -> list[str]:
    """Return a sentence on whose arrays a function is called with, and on which device; none of NumPy's."""
    where = f", on {arrays.device}" if arrays.device else ""
    return [] if arrays.name == "numpy" else [f"It is called with arrays of {arrays.name} {arrays.version}{where}."]


def padded(array: np.ndarray) -> np.ndarray:
    """Return an array lengthened to a power of two, LEAST_PADDED at least, by its last element."""
    length = max(LEAST_PADDED, 1 << (len(array) - 1).bit_length())
    return np.concatenate([array, np.full(length - len(array), array[-1])])


def aligned(array: np.ndarray, offset: int) -> np.ndarray:
    """Return a copy that begins some elements after a multiple of 64 bytes, what a vector register holds at most."""
    room = np.empty(array.nbytes + 64 + offset * array.itemsize, np.uint8)
    start = -room.ctypes.data % 64 + offset * array.itemsize
    copy = room[start : start + array.nbytes].view(array.dtype)
    copy[:] = array
    return copy


def _generators() -> tuple[Any, ...]:
    """Return the states of Python's and NumPy's global random numbers, to be compared."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return random.getstate(), name, np.asarray(keys).tobytes(), *rest
