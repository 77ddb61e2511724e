"""Exchange of the worst inputs between the rows of a table: what is bad for one kernel is tried on all others.

Kernels share their roundings: softplus from a logit is in most losses, and a loss for target 0 at x is
the one for target 1 at -x.  Each row's search looks at other inputs than the next row's, so an input
found for one row is often worse for another than what its own search found.  What earlier searches found takes part.
"""

from __future__ import annotations

import numpy as np

from harness.kernels import kernel_named
from harness.numbers.formats import Format
from harness.problems import problem_named
from harness.search.published import known_inputs, known_pairs
from harness.search.space import errors_at
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.tables.rows import Row, certified_extreme

Array = np.ndarray

EARLIER = "an earlier search"


def mirrored(x: Array, y: Array) -> tuple[Array, Array]:
    """Return inputs and targets (n,) with their mirror images, (-x, 1 - y) and (1 - x, 1 - y), shape (3 n,)."""
    return np.concatenate([x, -x, 1 - x]), np.concatenate([y, 1 - y, 1 - y])


def exchange(rows: list[Row], fmt: Format, joint: bool) -> None:
    """Try the worst input of each row, and its mirror images, on all rows of a format; change those that it beats.

    Rows without an input have no error at any.  What earlier searches found is tried as well.  With
    `joint` targets belong to the inputs; else each row keeps its own.  A changed row
    says in `found_for` whose search found its input, and has that search's `seed` and `evaluations_to_best`.
    """
    rows = [r for r in rows if r["max_ulp_input"]]
    with np.errstate(all="ignore"):
        x = np.array([float.fromhex(str(r["max_ulp_input"])) for r in rows]).astype(fmt.dtype)
        y = np.array([fmt.parse(str(r["target"]) or "0") for r in rows]).astype(fmt.dtype)
        known = known_pairs(fmt) if joint else (known_inputs(fmt), 0 * known_inputs(fmt))
        x, y = mirrored(np.append(x, known[0]), np.append(y, known[1]))
    names = [" ".join(filter(None, (str(r[key]) for key in ("problem", "kernel", "target")))) for r in rows]
    found_by = [(r["seed"], r["evaluations_to_best"]) for r in rows] + [("", "")] * len(known[0])
    names += [EARLIER] * len(known[0])
    for number, r in enumerate(rows):
        problem, kernel = problem_named(str(r["problem"])), kernel_named(str(r["problem"]), str(r["kernel"]))
        own = fmt.parse(str(r["target"])) if r["target"] else None
        inside = (x >= problem.domain[0]) & (x <= problem.domain[1]) & np.isfinite(x)
        inside[number] = True
        at = np.nonzero(inside)[0]
        targets = () if own is None else (y[at][None] if joint else np.full((1, 1), own),)
        ulp = errors_at(problem, kernel, fmt, (x[at][None], *targets))
        best = int(at[np.argmax(ulp)])
        if ulp.max() > ulp[at == number][0]:
            target = y[best] if joint and own is not None else own
            case = Case(problem, kernel.name, kernel, Grid("standard", problem, fmt), target)
            r.update(certified_extreme(case, int(fmt.ordinal(x[best : best + 1])[0])))
            r["target"] = "" if target is None else fmt.short(target)
            r["found_for"] = names[best % len(names)]
            r["seed"], r["evaluations_to_best"] = found_by[best % len(names)]
