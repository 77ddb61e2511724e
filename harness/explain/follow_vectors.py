"""Run a user's NumPy code on rows of logits that remember how their elements came about, see followed_vectors.py.

What makes plain arrays, `np.asarray(x)`, `np.zeros(n)`, and SciPy's functions of rows, which look into their arrays by other
means, are replaced while the function runs, in NumPy, in SciPy and in the names of the function's own module.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from harness.explain.followed import NotFollowed, asked_for, names_of, put
from harness.explain.followed_vectors import FollowedVectors, cast, constants
from harness.explain.shadow import Shadow

Array = np.ndarray
MOST = 1 << 11  # elements of a row: each operation is written down for every one, which takes seconds


def _softmax(x: Any, axis: Any = None) -> FollowedVectors:
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: Any = None) -> FollowedVectors:
    apart = x - np.max(x, axis=axis, keepdims=True)
    return apart - np.log(np.sum(np.exp(apart), axis=axis, keepdims=True))


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, **options: Any) -> FollowedVectors:
    """Take m + log n + log1p(s / n), m the largest, n how many are, and s the sum of the others' e^(a - m), as SciPy does."""
    if b is not None or options:
        raise NotFollowed("scipy.special.logsumexp with weights or signs")
    largest = np.max(a, axis=axis, keepdims=True)
    is_largest = a.values == largest.values
    count = is_largest.sum(axis=axis, keepdims=True).astype(a.dtype)
    rest = np.sum(np.exp(np.where(is_largest, a.dtype.type(-np.inf), a) - largest), axis=axis, keepdims=True)
    whole = np.log1p(rest / count) + np.log(count) + largest
    return whole if keepdims else np.squeeze(whole, axis=axis)


OF_SCIPY: dict[str, Callable[..., Any]] = {"softmax": _softmax, "log_softmax": _log_softmax, "logsumexp": _logsumexp}


def _array(original: Callable[..., Any], copies: bool) -> Callable[..., Any]:
    def converted(value: Any, dtype: Any = None, *args: Any, **options: Any) -> Any:
        inside = isinstance(value, (list, tuple)) and any(isinstance(v, FollowedVectors) for v in value)
        if not inside and not isinstance(value, FollowedVectors):
            return original(value, dtype, *args, **options)
        found = constants(value) if dtype is None else cast(constants(value), np.dtype(dtype))
        return np.copy(found) if copies else found

    return converted


def _new(original: Callable[..., Any], names: set[str]) -> Callable[..., Any]:
    def made(*args: Any, **options: Any) -> Any:
        array = original(*args, **options)
        fits = array.dtype.kind in "fV" and array.dtype.names is None and asked_for(names)
        return constants(array) if fits else array

    return made


@contextmanager
def _replaced(function: Callable[..., Any]) -> Iterator[None]:
    """Put functions that know followed arrays in the place of NumPy's that make arrays, while a function runs."""
    names = {n: _array(getattr(np, n), n == "array") for n in ("asarray", "array", "ascontiguousarray")}
    own = getattr(inspect.unwrap(function), "__globals__", {})
    new = {n: getattr(np, n) for n in ("zeros", "ones", "empty", "full")}
    names |= {n: _new(f, names_of(f, n, own)) for n, f in new.items()}
    special = vars(sys.modules["scipy.special"]) if "scipy.special" in sys.modules else {}
    of_scipy = {n: _of_scipy(special[n], followed) for n, followed in OF_SCIPY.items() if n in special}
    both = (vars(np), names), (special, of_scipy)
    originals = {id(scope[n]): new for scope, known in both for n, new in known.items()}
    here = {n: originals[id(v)] for n, v in own.items() if id(v) in originals}
    with ExitStack() as stack:
        for scope, new in (*both, (own, here)):
            stack.enter_context(put(scope, new))
        yield


def _of_scipy(original: Callable[..., Any], followed: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of SciPy that takes followed arrays, too: by the operations that SciPy runs."""
    return lambda a, *args, **options: (followed if isinstance(a, FollowedVectors) else original)(a, *args, **options)


def follow_vectors(function: Callable[..., Any], *inputs: Array) -> Any:
    """Run a user's function on arrays and return the Shadows of its results, in an array of objects.

    Arrays of floating-point numbers are followed, others, such as class numbers, handed over as they are.  Raises
    NotFollowed, a TypeError, naming what could not be followed.
    """
    if max(a.size for a in inputs) > MOST:
        raise NotFollowed(f"a row of more than {MOST} numbers")
    given = [_inputs(a) if a.dtype.kind in "fV" else a.copy() for a in inputs]
    with np.errstate(all="ignore"), _replaced(function):
        result = function(*given)
    if not isinstance(result, FollowedVectors):
        raise NotFollowed(f"a result of type {type(result).__name__}, made by other means than NumPy's")
    return result.nodes


def _inputs(array: Array) -> FollowedVectors:
    nodes = np.empty(array.shape, object)
    for place in np.ndindex(array.shape):
        nodes[place] = Shadow("input", (), np.asarray(array[place]))
    return FollowedVectors(array.copy(), nodes)
