"""Whether NumPy computes with the loops that the tables were made with, see docs/method.md, CPU features.

`import harness` chooses them, but NumPy reads the choice when it is first imported: in a notebook that loads NumPy
before the harness it comes too late.
"""

from __future__ import annotations

from importlib import import_module

OTHERS = ("X86_V4", "AVX512_ICL", "AVX512_SPR")  # as in harness/__init__.py


def other_loops() -> list[str]:
    """Return a sentence where NumPy uses loops that the tables' NumPy does not; an empty list where it does not."""
    features = _features()
    used = [name for name in OTHERS if features.get(name)]
    if not used:
        return []
    return [
        f"NumPy computes with this CPU's {', '.join(used)} loops, the tables without them: import harness before NumPy."
    ]


def _features() -> dict[str, bool]:
    """Return the CPU's features by name, each with whether NumPy uses it."""
    return getattr(import_module("numpy._core._multiarray_umath"), "__cpu_features__", {})
