"""What other packages ship: their entry points, loaded when a name is asked for that the harness itself has not.

A distribution that has, in its pyproject.toml,

    [project.entry-points."xent_harness.problems"]
    anything = "package.module"

has that module imported, which declares its problems by `harness.problem`; the group xent_harness.kernels does the
same for kernels, and xent_harness.systems names modules that are adapters.  The harness's own tables never look here: an
installed package changes what can be named, and no figure.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from harness import UsageError

PROBLEMS, KERNELS, SYSTEMS = "xent_harness.problems", "xent_harness.kernels", "xent_harness.systems"


@cache
def loaded(group: str) -> tuple[str, ...]:
    """Import what all installed packages ship in a group, once; return the modules' names in the order of theirs.

    Raises UsageError that names the entry point whose import fails.
    """
    found = sorted(entry_points(group=group), key=lambda point: (point.name, point.value))
    for point in found:
        try:
            point.load()
        except Exception as e:
            text = " ".join(str(e).split())
            raise UsageError(
                f"the entry point {point.name} = {point.value} of {group} cannot be loaded: {type(e).__name__}: {text}"[
                    :300
                ]
            ) from e
    return tuple(point.module for point in found)


def shipped_problems() -> None:
    """Declare the problems that installed packages ship."""
    loaded(PROBLEMS)
