"""Families of kernels: those that fail alike, and are drawn together.

A kernel says its family when it is declared: one of these, or a new one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

NO_CLAMP = "no clamp"
OTHER_CLAMPS = "other clamps"
CLIPPED = "clipped to [eps, 1 − eps]"
EPS_ADDED = "eps added in the logs"
LINEAR_TERM = "softplus and a linear term"
TWO_SOFTPLUS = "sum of two softplus terms"
GRADIENT_FORMULAS = "gradient formulas"
OTHER = "other kernels"
# The order in which figures show them.
FAMILIES = (NO_CLAMP, OTHER_CLAMPS, CLIPPED, EPS_ADDED, LINEAR_TERM, TWO_SOFTPLUS, GRADIENT_FORMULAS)


def in_order(families: Iterable[str]) -> list[str]:
    """Return the families given, each once: those listed here first, new ones as they come, kernels of none last."""
    given = list(dict.fromkeys(families))
    new = [f for f in given if f not in (*FAMILIES, OTHER)]
    return [f for f in (*FAMILIES, *new, OTHER) if f in given]
