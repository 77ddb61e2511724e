"""Lines of shell that print what a system returned at one input, as a user would type them.

Each adapter writes its systems' lines beside its calls (`System.command`).  Where a call is a single expression
in `x` and `y`, that expression is both: `evaluated` makes the call of it, `printed` the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.numbers.formats import format_named
from harness.systems.registry import Call, Point, system_of


def command(row: Mapping[str, object], x: float) -> str | None:
    """Return the line that prints the value of a row's system at an input; None where there is none."""
    write = system_of(row).command
    if write is None:
        return None
    fmt = format_named(str(row["format"]))
    text = fmt.short(x)
    return write(Point(text if "." in text or "e" in text else text + ".", str(row["target"]), fmt.name))


def shell(python: str, **environment: str) -> str:
    """Return the line that runs a piece of Python in an environment."""
    settings = "".join(f"{name}={value} " for name, value in environment.items())
    return f'{settings}python -c "{python}"'


def evaluated(imports: str, expression: str) -> Callable[[], Call]:
    """Return the loader of a call that evaluates an expression in x and y, with NumPy as np and further imports."""

    def load() -> Call:
        known: dict[str, Any] = {}
        exec(f"import numpy as np\n{imports}\ndef call(x, y=None):\n    return {expression}\n", known)
        return known["call"]

    return load


def printed(imports: str, expression: str) -> Callable[[Point], str | None]:
    """Return the writer of a line that prints an expression in x and y; NumPy has no name for bfloat16."""

    def write(at: Point) -> str | None:
        if at.fmt == "bfloat16":
            return None
        inputs = f"x, y = np.array([[{at.x}], [{at.y}]], '{at.fmt}')" if at.y else f"x = np.array([{at.x}], '{at.fmt}')"
        return shell("; ".join(filter(None, [imports, "import numpy as np", inputs, f"print(({expression})[0])"])))

    return write
