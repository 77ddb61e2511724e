"""Follow a user's NumPy code on a row of K logits: arrays whose elements remember how they came about.

A loss of K classes takes maxima and sums along a row, picks the label's class out of it, and broadcasts.  So its function
gets arrays of which each element has, beside the number that NumPy computed, the Shadow that it came from (followed.py has
the same for a single number).  NumPy runs every operation on the whole array, so that results are those of the array's
own loops; a sum along a row is a chain of additions with NumPy's result at its end, whatever order NumPy has added in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.explain.counterparts import OPERATIONS
from harness.explain.followed import FollowedArray, NotFollowed, chosen, clip
from harness.explain.shadow import Shadow, nan_to_num

Array = np.ndarray
Nodes = Any  # an array of Shadows, which NumPy holds as objects

REDUCED = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum", "amax": "maximum", "amin": "minimum"}
# Functions that move elements about and compute nothing.
MOVING = (
    "reshape", "ravel", "squeeze", "expand_dims", "transpose", "swapaxes", "moveaxis", "broadcast_to", "take_along_axis",
    "take", "copy", "flip", "roll", "repeat", "tile", "diagonal", "diag", "atleast_1d", "atleast_2d", "delete", "choose",
)  # fmt: skip
JOINING = ("concatenate", "stack", "hstack", "vstack", "column_stack")
# Functions of which no derivative or error is asked: where something is, or whether.
TELLING = ("argmax", "argmin", "argsort", "any", "all", "count_nonzero", "nonzero", "flatnonzero", "shape", "size", "ndim",
           "isneginf", "isposinf", "result_type", "array_equal", "argwhere")  # fmt: skip
EXTREMES = ("maximum", "minimum", "fmax", "fmin")
IN_ORDER = 8  # terms that NumPy adds one after the other
METHODS = (*REDUCED, *MOVING, *TELLING, "mean", "clip", "flatten", "dot")


class FollowedVectors(FollowedArray):
    """Stand for an array in a user's code; `values` are NumPy's, `nodes` the Shadows of its elements, in the same shape."""

    def __init__(self, values: Array, nodes: Nodes):
        self.values, self.nodes = values, nodes

    computed = property(lambda self: self.values)
    dtype = property(lambda self: self.values.dtype)
    shape = property(lambda self: self.values.shape)
    size = property(lambda self: self.values.size)
    ndim = property(lambda self: self.values.ndim)
    T = property(lambda self: np.transpose(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("values", "nodes"):
            raise AttributeError(name)
        if name == "flatten":
            return lambda *_: np.ravel(self)
        if name in METHODS:
            return lambda *args, **options: getattr(np, name)(self, *_axes(name, args), **options)
        raise NotFollowed(f"an array's {name}")

    def astype(self, dtype: Any, **_: Any) -> FollowedVectors:
        """Round into another format, as arrays do; of the exact values, nothing changes."""
        return cast(self, np.dtype(dtype))

    def fill(self, value: Any) -> None:
        """Put a constant in the place of all elements."""
        self[...] = value

    def item(self, *place: Any) -> FollowedVectors:
        """Return an element as Python has it, in float64."""
        return cast(np.reshape(self, -1)[place or 0], np.dtype(np.float64))

    def __getitem__(self, key: Any) -> FollowedVectors:
        at = _plain(key)
        return _made(self.values[at], self.nodes[at])

    def __setitem__(self, key: Any, value: Any) -> None:
        at = _plain(key)
        masked = isinstance(at, np.ndarray) and at.dtype == bool
        new = cast(constants(value, self.dtype), self.dtype)
        values, nodes = self.values.copy(), self.nodes.copy()
        before = nodes[at] if masked else None
        values[at], room = new.values, np.shape(values[at])
        nodes[at] = np.broadcast_to(new.nodes, room) if room else new.nodes.reshape(())[()]
        if masked and isinstance(key, FollowedVectors):  # a branch: the condition stays known
            conditions, after = key.nodes[at], nodes[at]
            nodes[at] = _each(chosen, conditions, after, before)
        self.values, self.nodes = values, nodes

    # -- NumPy's protocols ----------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__
        if method == "reduce" and len(inputs) == 1:
            return _reduced(name, ufunc.reduce, inputs[0], **{"axis": 0, **options})
        out, dtype = options.pop("out", (None,)), options.pop("dtype", None)
        if method != "__call__" or set(options) - {"casting", "subok", "order"} or ufunc.nout != 1:
            raise NotFollowed(f"np.{name}.{method}" if method != "__call__" else f"np.{name} with options")
        result = _operated(ufunc, inputs, dtype)
        if out[0] is None:
            return result
        if not isinstance(out[0], FollowedVectors):
            raise NotFollowed(f"np.{name} with a plain array for its result")
        out[0][...] = result
        return out[0]

    def __array_function__(self, function: Any, _types: Any, args: Any, options: Any) -> Any:
        name = function.__name__
        if name in TELLING:
            return function(*map(_plain, args), **{k: _plain(v) for k, v in options.items()})
        if name in MOVING:
            rest, named = [_plain(a) for a in args[1:]], {k: _plain(v) for k, v in options.items()}
            whole = constants(args[0])
            return _made(function(whole.values, *rest, **named), function(whole.nodes, *rest, **named))
        if name in JOINING:
            parts = [constants(a) for a in args[0]]
            found = function([p.values for p in parts], *args[1:], **options)
            return _made(found, function([cast(p, found.dtype).nodes for p in parts], *args[1:], **options))
        if name in REDUCED:
            return _reduced(REDUCED[name], function, *args, **options)
        if name not in FUNCTIONS:
            raise NotFollowed(f"np.{name}")
        return FUNCTIONS[name](*args, **options)


def _made(values: Any, nodes: Any) -> FollowedVectors:
    """Return values with their Shadows; an array of no dimensions for one element."""
    values = np.asarray(values)
    if isinstance(nodes, np.ndarray):
        return FollowedVectors(values, nodes)
    held = np.empty((), object)
    held[()] = nodes  # a single element, of which NumPy makes no array
    return FollowedVectors(values, held.reshape(values.shape))


def _axes(name: str, args: tuple) -> tuple:
    """Return a method's arguments as the function of its name takes them: shapes and axes in one tuple."""
    several = name in ("reshape", "transpose") and len(args) > 1
    return (args,) if several else args


def _plain(value: Any) -> Any:
    """Return NumPy's values for followed ones, within tuples and lists as well."""
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(v) for v in value)
    return value.values if isinstance(value, FollowedVectors) else value


def _each(function: Callable[..., Shadow], *arrays: Nodes) -> Nodes:
    """Return the results of a function of Shadows for each element of arrays that broadcast."""
    several = np.broadcast_arrays(*arrays)
    found = np.empty(several[0].shape, object)
    for place in np.ndindex(found.shape):
        found[place] = function(*(a[place] for a in several))
    return found


def constants(value: Any, dtype: Any = None) -> FollowedVectors:
    """Return a followed value as it is, and a number or an array as constants."""
    if isinstance(value, FollowedVectors):
        return value
    if isinstance(value, (tuple, list)) and any(isinstance(v, FollowedVectors) for v in value):
        stacked: Any = np.stack([constants(v) for v in value])  # type: ignore[arg-type]
        return stacked
    array = np.asarray(value, dtype=dtype if isinstance(value, (bool, int, float)) else None)
    if array.dtype.kind not in "fiubV":
        raise NotFollowed(f"an operand of type {type(value).__name__}")
    nodes = np.empty(array.shape, object)
    for place in np.ndindex(array.shape):
        nodes[place] = Shadow("constant", (), np.asarray(array[place]))
    return FollowedVectors(array, nodes)


def cast(value: FollowedVectors, dtype: Any) -> FollowedVectors:
    """Return values in another format; a constant is exact as that format holds it."""
    if value.dtype == dtype:
        return value
    values = value.values.astype(dtype)
    nodes = np.empty(values.shape, object)
    for place in np.ndindex(values.shape):
        node, computed = value.nodes[place], np.asarray(values[place])
        constant = node.name == "constant" and not node.operands
        nodes[place] = Shadow("constant", (), computed) if constant else Shadow("astype", (node,), computed)
    return FollowedVectors(values, nodes)


def _operated(ufunc: np.ufunc, inputs: Sequence[Any], dtype: Any) -> FollowedVectors:
    """Run an operation on the whole arrays, and write it down for each element."""
    name = ufunc.__name__
    given = [_plain(v) for v in inputs]
    found = np.asarray(ufunc(*given) if dtype is None else ufunc(*given, dtype=dtype))
    if found.dtype != bool and name not in OPERATIONS:
        raise NotFollowed(f"{name}, which has no exact counterpart here")
    common = found.dtype if found.dtype != bool else np.result_type(*given)
    operands = [cast(constants(v, common), common) if common.kind in "fV" else constants(v) for v in inputs]
    nodes: Any = [np.broadcast_to(o.nodes, found.shape) for o in operands]
    held = np.empty(found.shape, object)
    for place in np.ndindex(found.shape):
        held[place] = Shadow(name, tuple(n[place] for n in nodes), np.asarray(found[place]))
    return FollowedVectors(found, held)


def _reduced(name: str, function: Callable[..., Any], a: Any, axis: Any = None, *args: Any, **options: Any) -> Any:
    """Take a sum, a product or an extreme along axes: a chain of operations, with what NumPy computes at its end."""
    if args or set(options) - {"keepdims", "dtype", "initial", "out"} or options.pop("out", None) is not None:
        raise NotFollowed(f"a reduction by {name} with options")
    whole, initial = constants(a), options.pop("initial", None)
    keepdims = bool(options.pop("keepdims", False))
    if name.startswith("logical"):
        return function(whole.values, axis=axis, keepdims=keepdims)
    if name not in OPERATIONS or initial not in (None, 0, -np.inf):
        raise NotFollowed(f"a reduction by {name}")
    found = np.asarray(function(whole.values, axis=axis, keepdims=keepdims, **options))
    nodes = cast(whole, found.dtype).nodes
    axes = tuple(range(nodes.ndim)) if axis is None else tuple(np.atleast_1d(axis) % nodes.ndim)
    kept = [i for i in range(nodes.ndim) if i not in axes]
    rows = nodes.transpose([*kept, *axes]).reshape(*(nodes.shape[i] for i in kept), -1)
    held = np.empty([nodes.shape[i] for i in kept], object)
    for place in np.ndindex(held.shape):
        held[place] = _chain(name, list(rows[place]), found.reshape(held.shape)[place])
    return _made(found, held.reshape(found.shape))


def _chain(name: str, terms: Sequence[Shadow], computed: Any) -> Shadow:
    """Return an operation over terms, two at a time; its last result is what NumPy has computed.

    A few terms are taken one after the other, as NumPy does; more of them half by half, so that no chain gets long.
    """
    if not terms:
        return Shadow("constant", (), np.asarray(computed))
    if name in EXTREMES and not np.isnan(float(computed)):  # which round nothing: the element itself
        return next(t for t in terms if t.number == float(computed))
    total = _nested(getattr(np, name), name, terms)
    return total if len(terms) == 1 else Shadow(name, total.operands, np.asarray(computed, total.dtype))


def _nested(operation: np.ufunc, name: str, terms: Sequence[Shadow]) -> Shadow:
    if len(terms) == 1:
        return terms[0]
    at = len(terms) - 1 if len(terms) <= IN_ORDER else len(terms) // 2
    a, b = (_nested(operation, name, part) for part in (terms[:at], terms[at:]))
    return Shadow(name, (a, b), np.asarray(operation(a.computed, b.computed)))


# -- NumPy's functions that are no ufuncs ---------------------------------------------------------------


def _where(condition: Any, a: Any, b: Any) -> FollowedVectors:
    found = np.where(*map(_plain, (condition, a, b)))
    whether, yes, no = (constants(v) for v in (condition, a, b))
    kind = found.dtype
    yes, no = (cast(v if isinstance(o, FollowedVectors) else constants(o, kind), kind) for v, o in ((yes, a), (no, b)))
    return _made(found, _each(chosen, *(np.broadcast_to(v.nodes, found.shape) for v in (whether, yes, no))))


def _mean(a: Any, axis: Any = None, **options: Any) -> FollowedVectors:
    found = np.asarray(np.mean(_plain(a), axis=axis, **options))
    total = np.sum(a, axis=axis, keepdims=bool(options.get("keepdims", False)))
    count = Shadow("constant", (), np.asarray(constants(a).size // max(found.size, 1), found.dtype))
    nodes = np.empty(found.shape, object)
    for place in np.ndindex(found.shape):
        nodes[place] = Shadow("divide", (cast(total, found.dtype).nodes[place], count), np.asarray(found[place]))
    return FollowedVectors(found, nodes)


def _nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    instead = {"nan": nan, "posinf": posinf, "neginf": neginf}
    made = _each(lambda a: nan_to_num(a, np.nan_to_num(a.computed, **instead), *instead.values()), x.nodes)
    value = FollowedVectors(np.nan_to_num(x.values, **instead), made)
    if copy:
        return value
    x[...] = value
    return x


def _full(like: Any, value: Any, dtype: Any = None, **_: Any) -> FollowedVectors:
    return constants(np.full(like.shape, value, dtype or like.dtype))


def _sorted(a: Any, axis: int = -1, **_: Any) -> Any:
    return np.take_along_axis(a, np.argsort(a.values, axis=axis), axis=axis)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "where": _where, "clip": clip, "mean": _mean, "nan_to_num": _nan_to_num, "full_like": _full, "sort": _sorted,
    "zeros_like": lambda a, *r, **o: _full(a, 0, *r, **o), "ones_like": lambda a, *r, **o: _full(a, 1, *r, **o),
    "empty_like": lambda a, *r, **o: _full(a, 0, *r, **o),
    "dot": lambda a, b: _dot(a, b), "inner": lambda a, b: _dot(a, b),
}  # fmt: skip


def _dot(a: Any, b: Any) -> FollowedVectors:
    """Take the sum of products of two vectors, which BLAS computes in its own order."""
    if a.ndim != 1 or b.ndim != 1:
        raise NotFollowed("np.dot of arrays of more than one dimension")
    products = a * b
    return _made(np.dot(_plain(a), _plain(b)), _chain("add", list(products.nodes), np.dot(_plain(a), _plain(b))))
