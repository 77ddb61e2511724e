"""What goes wrong at the probes, the round inputs that pages cite: each fault by a rule, none by name.

| kind      | of         | rule, at an input with a finite exact value v, the result not being v rounded     |
| invalid   | both       | NaN or infinite                                                                    |
| dead      | a gradient | 0 where |v| >= 0.1: a wrong prediction that is never mended                        |
| off       | a gradient | off by 10 % or more where |v| >= 0.1                                               |
| plateau   | a loss     | off by 10 % or more where v >= 1: a wrong prediction                               |
| cancelled | a loss     | off by 50 % or more where v < 1: a right prediction                                |
| faded     | a gradient | off by 50 % or more where |v| < 0.1                                                |
| narrowed  | both       | float64 inputs, and every result is a float32 number                               |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mpmath
import numpy as np

from harness.systems.pages.probes import Returned

KINDS = ("invalid", "dead", "off", "plateau", "cancelled", "faded", "narrowed")
LARGE_GRADIENT, LARGE_LOSS = 0.1, 1.0
SLIGHTLY, MOSTLY = 0.1, 0.5


@dataclass(frozen=True)
class Fault:
    """Name one fault of a system at the probe `x`, whose logit has the size `logit`."""

    kind: str
    returned: Returned
    x: float
    logit: float

    @property
    def value(self) -> float:
        """Return the value that the system returned at the probe, as float64."""
        return self.returned.at(self.x)

    @property
    def truth(self) -> mpmath.mpf:
        """Return the exact value at the probe, certified by mpmath."""
        return self.returned.truth(self.x)


def faults(returned: Returned) -> Iterator[Fault]:
    """Yield the faults of one result, each at the probe nearest to the centre, and where a 0 comes first."""
    for kind, where in masks(returned).items():
        for shown in (where, where & (returned.value == 0)):
            if shown.any():
                i = int(np.argmin(np.where(shown, returned.logit, np.inf)))
                i = i if shown[i] else int(np.argmax(shown))  # all of them at p = 0 or 1
                yield Fault(kind, returned, float(returned.x[i]), float(returned.logit[i]))


def masks(returned: Returned) -> dict[str, np.ndarray]:
    """Return for each kind of fault at which probes it shows, by the module's rules; boolean arrays of shape (n,)."""
    value, exact, gradient = returned.value, returned.exact, returned.is_gradient
    with np.errstate(all="ignore"):
        size, finite = np.abs(exact), np.isfinite(returned.rounded)
        relative = np.where(exact == 0, np.where(value == 0, 0, np.inf), np.abs(value - exact) / size)
        wrong = (
            finite
            & np.isfinite(value)
            & (value.astype(returned.fmt.dtype) != returned.rounded.astype(returned.fmt.dtype))
        )
    large = size >= (LARGE_GRADIENT if gradient else LARGE_LOSS)
    off = wrong & large & (relative >= SLIGHTLY)
    lost = wrong & ~large & (relative >= MOSTLY)
    nothing = np.zeros(len(value), bool)
    with np.errstate(over="ignore"):
        single = value.astype(np.float32).astype(np.float64)
    narrow = returned.fmt.name == "float64" and np.array_equal(value, single, equal_nan=True)
    return {
        "invalid": finite & ~np.isfinite(value),
        "dead": off & (value == 0) if gradient else nothing,
        "off": off & (value != 0) if gradient else nothing,
        "plateau": nothing if gradient else off,
        "cancelled": nothing if gradient else lost,
        "faded": lost if gradient else nothing,
        "narrowed": wrong if narrow else nothing,
    }
