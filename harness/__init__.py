"""Measure the numerical error of cross-entropy losses against certified ground truth.

`harness.check(function, problem, format)` measures a loss of one's own and returns a `Report`; see docs/own_loss.md.
`harness.fix(function, problem, format)` rewrites one that errs and returns the code that errs less; see docs/fix.md.
`harness.problem(function, domain=...)` declares an exact function of one's own to check against; see docs/own_problem.md.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.checking.engine import check
    from harness.checking.report import Report
    from harness.checking.rewriting.fixing import fix
    from harness.problems.own import problem
    from harness.problems.weights import Weights

__version__ = "1.0.0"
__all__ = ["Crash", "Report", "UsageError", "Weights", "__version__", "check", "fix", "problem"]

# NumPy chooses its loops by the CPU, and some of its AVX-512 loops (exp and expm1 in float16; log1p and expm1 in float32;
# exp, log, log1p, expm1 and tanh in float64) round otherwise than those for AVX2: without this line, tables made on one
# x86-64 machine would not repeat on another.  NumPy reads the variable when it is first imported; one that the user has set stands, so an
# empty one gives this CPU's own loops.  Names that a machine does not know do nothing.
os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")

# What is loaded when it is first asked for, so that `import harness` loads neither NumPy nor anything else.
_PUBLIC = {
    "check": "harness.checking.engine",
    "Report": "harness.checking.report",
    "fix": "harness.checking.rewriting.fixing",
    "problem": "harness.problems.own",
    "Weights": "harness.problems.weights",
}


class UsageError(ValueError):
    """Input that cannot be used; the message is the one sentence that a user sees."""


class Crash(RuntimeError):
    """A user's function ran out of time or memory, or its process ended; the message is one sentence."""


def choices(name: object, known: Iterable[str]) -> str:
    """Return known names, for the end of a sentence about an unknown one, with the nearest: `a, b; did you mean a?`."""
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(str(name), names, 1)
    return (", ".join(names) or "none") + (f"; did you mean {near[0]}?" if near else "")


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
