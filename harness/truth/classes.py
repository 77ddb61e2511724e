"""Classes of error: how many of its bits a result has lost, in six steps that a figure can colour.

An error of 2^k ulp spoils the last k bits or so of the p that a result has; at 2^(p-1) ulp none is left.  The classes
are those within 4 ulp, the budget of a safe range, and then by the share k / (p - 1) of the bits lost: a quarter, a
half, three quarters, all.  The same class means the same in float16 and in float64.
"""

from __future__ import annotations

import math

from harness.numbers.formats import Format

WITHIN = 4.0  # ulp
SHARES = (0.25, 0.5, 0.75, 1.0)


def bits(fmt: Format) -> int:
    """Return log2 of the error in ulp from which on no bit is right: p - 1.

    For |v| in [2^e, 2^(e+1)), 2^(p-1) ulp are 2^e, the leading bit: at least half of the value.
    An error of 100 %, as of a spurious 0, is between 2^(p-1) and 2^p ulp.
    """
    return fmt.precision - 1


def error_class(ulp: float, fmt: Format) -> int:
    """Return an error's class, 0 to 5: 0 within 4 ulp, else 1 and the number of SHARES that log2(ulp) / (p - 1) reaches.

    `ulp` is at least 0, and may be infinite.
    """
    if ulp <= WITHIN:
        return 0
    share = math.log2(ulp) / bits(fmt)
    return 1 + sum(share >= bound for bound in SHARES)
