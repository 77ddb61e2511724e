"""Kernels of exp, log, log1p, expm1 and tanh: NumPy's own, and the folklore replacements.

They explain the losses: a loss is no better than the exp and log under it.
"""

from __future__ import annotations

from harness.kernels.registry import Array, kernel, like

NUMPY = "numpy==2.4.6 numpy/_core/src/umath (SIMD loops or the C library, by CPU)"

# Problem and kernel as which each function that kernels call is measured.
MEASURED_AS = {
    **{name: (name, "numpy") for name in ("exp", "log", "log1p", "expm1", "tanh")},
    "logaddexp": ("softplus", "logaddexp"),  # logaddexp(0, x): the only use that kernels make of it
}


def _numpy(problem: str, symbol: str) -> None:
    def primitive(x: Array) -> Array:
        return getattr(x.__array_namespace__(), problem)(x)

    kernel(
        problem,
        "numpy",
        formula=rf"{symbol}(x)",
        source=NUMPY,
        notes="the library's own; float16 and bfloat16 go through float32 and are rounded once more",
    )(primitive)


for _problem, _symbol in (
    ("exp", r"\exp"),
    ("log", r"\log"),
    ("log1p", r"\mathrm{log1p}"),
    ("expm1", r"\mathrm{expm1}"),
    ("tanh", r"\tanh"),
):
    _numpy(_problem, _symbol)


@kernel(
    "log1p",
    "naive",
    formula=r"\log(1 + x)",
    source="textbook form",
    notes="1 + x rounds: no correct digit once |x| is below half of machine epsilon",
)
def log1p_naive(x: Array) -> Array:
    return x.__array_namespace__().log(like(1, x) + x)


@kernel(
    "log1p",
    "corrected",
    formula=r"u = 1 + x;\ u = 1: x;\ \text{else } \log(u) \cdot x / (u - 1)",
    source="Goldberg (1991), doi:10.1145/103162.103163, theorem 4",
    notes="the rounding of 1 + x is divided out again",
)
def log1p_corrected(x: Array) -> Array:
    xp, one = x.__array_namespace__(), like(1, x)
    u = one + x
    exact = u == one
    return xp.where(exact, x, xp.log(u) * x / xp.where(exact, one, u - one))


@kernel(
    "expm1",
    "naive",
    formula=r"e^{x} - 1",
    source="textbook form",
    notes="cancels for small |x|",
)
def expm1_naive(x: Array) -> Array:
    return x.__array_namespace__().exp(x) - like(1, x)


@kernel(
    "expm1",
    "tanh",
    formula=r"t = \tanh(x/2);\ 2 t / (1 - t)",
    source="identity",
    notes="1 - t cancels for large x",
)
def expm1_tanh(x: Array) -> Array:
    xp, one, two = x.__array_namespace__(), like(1, x), like(2, x)
    t = xp.tanh(x / two)
    return two * t / (one - t)


@kernel(
    "tanh",
    "naive",
    formula=r"(e^{x} - e^{-x}) / (e^{x} + e^{-x})",
    source="textbook form",
    notes="cancels near 0; inf / inf for large |x|",
)
def tanh_naive(x: Array) -> Array:
    xp = x.__array_namespace__()
    a, b = xp.exp(x), xp.exp(-x)
    return (a - b) / (a + b)


@kernel(
    "tanh",
    "expm1",
    formula=r"t = \mathrm{expm1}(-2|x|);\ -\mathrm{sign}(x)\, t / (2 + t)",
    source="fdlibm s_tanh.c (one of its branches)",
    notes="no cancellation and no overflow",
)
def tanh_expm1(x: Array) -> Array:
    xp, two, zero = x.__array_namespace__(), like(2, x), like(0, x)
    t = xp.expm1(-two * xp.abs(x))
    r = -t / (two + t)
    return xp.where(x < zero, -r, r)
