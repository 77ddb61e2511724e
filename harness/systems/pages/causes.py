"""The causes of what libraries do wrong: one operation each, written out so that it gives the library's own value.

A cause names a call, an input at which it shows, and the operation at fault as an expression in NumPy.  The tests
evaluate the expression and compare it with what the library returned: a cause that does not is none.  What cannot be
measured here, since when it is so and where it was reported, is told only where an old release was run or a public source
says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.numbers.formats import format_named
from harness.systems.commands import evaluated
from harness.systems.pages.faults import Fault, extent, masks
from harness.systems.pages.probes import Returned
from harness.systems.registry import library_named

GITHUB = "https://github.com/"


@dataclass(frozen=True)
class Cause:
    """Name one operation that makes a call wrong, and where.

    `library` to `target` tell the call, its problem, format, mode and target; `x` is the probe.  `operation` says what
    happens, and `formula` writes it in x and y of the format, with NumPy as np and the finfo of ml_dtypes.  A fault of these `kinds`, of any call,
    at which the formula gives the call's value has the same cause.  `since` is the release, or the time, that is known to have it, and
    how that is known: the line was run with an old release, or its source or a thread was read.  `mended` says which release
    or source has it no more, `issue` is an address of the library's own and what is said there.
    """

    title: str
    operation: str
    formula: str
    library: str
    system: str
    problem: str
    format: str
    mode: str
    target: str
    x: float
    kinds: tuple[str, ...]
    since: tuple[str, str] | None = None
    mended: str = ""
    issue: tuple[str, str] | None = None
    line: str | None = None  # where the adapter writes none

    def returned(self, every: Sequence[Returned]) -> Returned | None:
        """Return what the call gave at the probes; None where it was not run."""
        wanted = {name: getattr(self, name) for name in ("library", "system", "problem", "format", "mode", "target")}
        return next((r for r in every if all(r.row[c] == v for c, v in wanted.items())), None)

    def fault(self, every: Sequence[Returned]) -> Fault | None:
        """Return the fault at the probe, the gravest if it is several; None where the library is right there."""
        returned = self.returned(every)
        if returned is None:
            return None
        x = float(np.array(self.x).astype(returned.fmt.dtype).astype(np.float64))
        i = int(np.searchsorted(returned.x, x))
        for kind, shown in masks(returned).items():
            if kind in self.kinds and i < len(shown) and returned.x[i] == x and shown[i]:
                return Fault(kind, returned, x, float(returned.logit[i]), extent(returned, shown, i))
        return None

    def computed(self, x: float | None = None, fmt: str = "") -> float:
        """Return what the operation alone gives at an input in a format, those of the cause unless told otherwise."""
        dtype = format_named(fmt or self.format).dtype
        at = np.array(self.x if x is None else x).astype(dtype)
        call = evaluated("from ml_dtypes import finfo", self.formula)()
        with np.errstate(all="ignore"):
            return float(call(at, dtype.type(self.target or 0)))

    def explains(self, fault: Fault) -> bool:
        """Tell whether a fault has this cause: in the same library, where the operation alone gives the call's value."""
        row = fault.returned.row
        if library_named(str(row["library"])).family != library_named(self.library).family:
            return False  # a value of 0 tells little of its cause
        if (row["problem"], row["target"]) != (self.problem, self.target) or fault.kind not in self.kinds:
            return False
        return same(self.computed(fault.x, str(row["format"])), fault.value)


def same(a: float, b: float) -> bool:
    """Tell whether two values are one, given that some libraries print theirs: NaN both, or equal to nine digits."""
    return bool(np.isclose(a, b, rtol=1e-9, atol=0.0, equal_nan=True))


# Relative and absolute tolerance that the libraries' own tests apply unless they name others, by family and format,
# and the function that applies it; the tests of the causes read them from what is installed.
TORCH = "torch.testing.assert_close"
TENSORFLOW = "tf.test.TestCase.assertAllClose"
NUMPY = "numpy.testing.assert_allclose"
TOLERANCES: Mapping[str, tuple[str, Mapping[str, tuple[float, float]]]] = {
    "torch": (TORCH, {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}),
    "tensorflow": (TENSORFLOW, {"": (1e-6, 1e-6)}),
    "tf_keras": (TENSORFLOW, {"": (1e-6, 1e-6)}),
    "keras": ("keras.src.testing.TestCase.assertAllClose", {"": (1e-6, 1e-6)}),
    "sklearn": ("sklearn.utils._testing.assert_allclose", {"float32": (1e-4, 0.0), "": (1e-7, 0.0)}),
}  # fmt: skip
PLAIN = (NUMPY, {"": (1e-7, 0.0)})


@dataclass(frozen=True)
class Tolerance:
    """Hold how far a library's own tests let a result be off: `relative` |truth| + `absolute`, applied by `function`."""

    function: str
    relative: float
    absolute: float

    def notices(self, fault: Fault) -> bool:
        """Tell whether a test at the fault's input would fail."""
        apart = abs(float(fault.truth) - fault.value)
        return not apart <= self.absolute + self.relative * abs(float(fault.truth))  # NaN is noticed


def tolerance(fault: Fault) -> Tolerance:
    """Return the tolerance of the tests of a fault's library."""
    function, by_format = TOLERANCES.get(library_named(str(fault.returned.row["library"])).family, PLAIN)
    fmt = str(fault.returned.row["format"])
    relative, absolute = by_format.get(fmt) or by_format[""]
    return Tolerance(function, relative, absolute)


def found(causes: Sequence[Cause], every: Sequence[Returned]) -> Iterator[tuple[Cause, Fault]]:
    """Yield the causes that show in what was returned, with their faults."""
    for cause in causes:
        fault = cause.fault(every)
        if fault is not None:
            yield cause, fault
