"""What each operation of a kernel is in exact arithmetic, by the name that NumPy or scipy.special gives it."""

from __future__ import annotations

from collections.abc import Callable

from mpmath import libmp

from harness.explain.expansions import (
    ONE,
    TWO,
    ZERO,
    Expansion,
    absolute,
    add,
    compare,
    divide,
    exp,
    is_finite,
    is_nan,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    of,
    sqrt,
    subtract,
)


def tanh(a: Expansion) -> Expansion:
    """Return tanh a = 1 - 2 / (e^2a + 1), or (e^2a - 1) / (e^2a + 1) near 0."""
    e = exp(add(a, a))
    if compare(absolute(a), ONE) < 0:
        return divide(subtract(e, ONE), add(e, ONE))
    return subtract(ONE, divide(TWO, add(e, ONE)))


def log1p(a: Expansion) -> Expansion:
    """Return log(1 + a); the sum loses nothing here."""
    return log(add(ONE, a))


def expm1(a: Expansion) -> Expansion:
    """Return e^a - 1; the difference loses nothing here."""
    return subtract(exp(a), ONE)


def expit(a: Expansion) -> Expansion:
    """Return 1 / (1 + e^-a), the tail holding what a saturated head does not."""
    return divide(ONE, add(ONE, exp(negative(a))))


def logaddexp(a: Expansion, b: Expansion) -> Expansion:
    """Return log(e^a + e^b) as max(a, b) + log1p(e^-|a - b|), which does not overflow."""
    high = maximum(a, b)
    return high if not is_finite(high) else add(high, log1p(exp(subtract(minimum(a, b), high))))


def xlogy(a: Expansion, b: Expansion) -> Expansion:
    """Return a log b, and 0 where a is 0."""
    return ZERO if a == ZERO and not is_nan(b) else multiply(a, log(b))


def power(a: Expansion, b: Expansion) -> Expansion:
    """Return a^b: a product where b is a whole number of up to 64, else e^(b log a)."""
    n = int(libmp.to_float(b[0])) if is_finite(b) and compare(absolute(b), of(64.0)) <= 0 else 0
    if b != of(n) or not n:
        return exp(multiply(b, log(a))) if b != ZERO else ONE
    product = a
    for _ in range(abs(n) - 1):
        product = multiply(product, a)
    return product if n > 0 else divide(ONE, product)


def log_to(base: float) -> Callable[[Expansion], Expansion]:
    """Return the logarithm to a base, log a / log base."""
    return lambda a: divide(log(a), log(of(base)))


def sinh(a: Expansion) -> Expansion:
    """Return (e^a - e^-a) / 2; the difference loses nothing here."""
    return divide(subtract(exp(a), exp(negative(a))), TWO)


def cosh(a: Expansion) -> Expansion:
    """Return (e^a + e^-a) / 2."""
    return divide(add(exp(a), exp(negative(a))), TWO)


def arctanh(a: Expansion) -> Expansion:
    """Return log((1 + a) / (1 - a)) / 2, infinite at -1 and 1."""
    return divide(log(divide(add(ONE, a), subtract(ONE, a))), TWO)


def rel_entr(a: Expansion, b: Expansion) -> Expansion:
    """Return a log(a / b), and 0 where a is 0."""
    return ZERO if a == ZERO and not is_nan(b) else multiply(a, log(divide(a, b)))


def sign(a: Expansion) -> Expansion:
    """Return -1, 0 or 1 as the sign of a says; NaN for NaN."""
    return a if is_nan(a) else of(compare(a, ZERO))


def nan_to_num(a: Expansion, nan: Expansion, above: Expansion, below: Expansion) -> Expansion:
    """Return a number itself, and what is put in the place of NaN and of the two infinities."""
    if is_finite(a):
        return a
    return nan if is_nan(a) else above if compare(a, ZERO) > 0 else below


OPERATIONS: dict[str, Callable[..., Expansion]] = {
    "add": add, "subtract": subtract, "multiply": multiply, "divide": divide, "negative": negative,
    "positive": lambda a: a, "absolute": absolute, "fabs": absolute, "sign": sign, "sqrt": sqrt,
    "square": lambda a: multiply(a, a), "reciprocal": lambda a: divide(ONE, a), "power": power,
    "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "tanh": tanh,
    "maximum": maximum, "minimum": minimum, "logaddexp": logaddexp, "expit": expit,
    "log_expit": lambda a: negative(log1p(exp(negative(a)))), "xlogy": xlogy,
    "log2": log_to(2.0), "log10": log_to(10.0), "exp2": lambda a: exp(multiply(a, log(TWO))), "sinh": sinh,
    "cosh": cosh, "arctanh": arctanh, "atanh": arctanh, "float_power": power, "entr": lambda a: negative(xlogy(a, a)),
    "rel_entr": rel_entr, "kl_div": lambda a, b: add(rel_entr(a, b), subtract(b, a)), "fmax": maximum, "fmin": minimum,
    "xlog1py": lambda a, b: xlogy(a, add(ONE, b)), "logit": lambda a: log(divide(a, subtract(ONE, a))),
    "astype": lambda a: a, "nan_to_num": nan_to_num,
}  # fmt: skip
