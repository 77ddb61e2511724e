"""Where a curve differs from another: a panel draws what differs, and says in its key what does not.

Most kernels of a family err alike at most inputs.  Curves drawn over one another hide what a reader looks for; so the
first is drawn whole, a further one where it is away from the first, and one that is nowhere away shares its entry.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def away(height: Array, other: Array, tolerance: float, neighbours: int = 1) -> Array:
    """Tell at which points of a curve its height is away from another's, with so many neighbours on both sides.

    Heights of shape (n,) at the same inputs, NaN where nothing is drawn: two NaN are the same, one alone is not.  The
    neighbours join the piece that is drawn to the curve that it leaves.
    """
    alone = np.isnan(height) != np.isnan(other)
    with np.errstate(invalid="ignore"):  # inf - inf
        apart = alone | (np.abs(height - other) > tolerance)
    reach = apart.copy()
    for step in range(1, neighbours + 1):
        reach[step:] |= apart[:-step]
        reach[:-step] |= apart[step:]
    return reach


def only(height: Array, where: Array) -> Array:
    """Return a curve's heights where they are to be drawn, NaN elsewhere."""
    return np.where(where, height, np.nan)
