"""Write an expression as NumPy code that stands by itself: a function of x, or x and y, and the few that it calls.

Each of these is the form of its function that neither cancels, overflows nor underflows early: log(1 + e^a) as
max(a, 0) + log1p(e^-|a|), and so on.  What occurs twice is computed once.  Constants are Python numbers, which take the
arrays' format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from harness.checking.rewriting.expression import CONDITIONS, Expression, every, is_number, parts

STABLE = {
    "softplus": '''\
def softplus(a):
    """Compute log(1 + e^a) for every a."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))
''',
    "sigmoid": '''\
def sigmoid(a):
    """Compute 1 / (1 + e^-a) for every a: neither exponential overflows, and nothing cancels."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)
''',
    "logaddexp": '''\
def logaddexp(a, b):
    """Compute log(e^a + e^b) for all a and b."""
    return np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b)))
''',
    "xlogy": '''\
def xlogy(a, b):
    """Compute a log b for b > 0, and its limit 0 where a is 0."""
    return a * np.log(np.where(a == 0, 1, b))
''',
    "xlog1py": '''\
def xlog1py(a, b):
    """Compute a log(1 + b) for b > -1, and its limit 0 where a is 0."""
    return a * np.log1p(np.where(a == 0, 0, b))
''',
    "log1mexp": '''\
def log1mexp(a):
    """Compute log(1 - e^-a) for a > 0."""
    return np.where(a < 0.6931472, np.log(-np.expm1(-a)), np.log1p(-np.exp(-a)))
''',
    "logit": '''\
def logit(p):
    """Compute log(p / (1 - p)) for 0 < p < 1; p - 1/2 is exact from p = 1/4 on."""
    return np.where(p < 0.25, np.log(p / (1 - p)), np.log1p(2 * (p - 0.5) / (1 - p)))
''',
    "binary_kl": '''\
def binary_kl(y, p):
    """Compute y log(y / p) + (1 - y) log((1 - y) / (1 - p)) for y and p in [0, 1], a sum of terms that are not negative."""
    return deviance(y, p, y - p) + deviance(1 - y, 1 - p, p - y)


def deviance(a, b, difference):
    """Compute a log(a / b) - a + b of difference = a - b, by Loader's series where a and b are close."""
    v = difference / np.where(a + b == 0, 1, a + b)
    total, square = 0 * v, v * v
    for k in range(17, 0, -1):
        total = (total + 1 / (2 * k + 1)) * square
    near = difference * v + 2 * (a * v) * total
    low, high = np.minimum(a, b), np.maximum(a, b)
    ratio = low / np.where(high == 0, 1, high)
    tiny = ratio < np.finfo(np.result_type(v)).tiny
    log = np.where(tiny, np.log(low) - np.log(high), np.log(np.where(tiny, 1, ratio)))
    far = np.where(a == 0, 0, a * np.where(a < b, log, -log)) - difference
    return np.where(np.abs(v) < 1 / 3, near, far)
''',
}
NAMED = {
    "Softplus": "softplus", "Sigmoid": "sigmoid", "Logaddexp": "logaddexp", "Xlogy": "xlogy", "Xlog1py": "xlog1py",
    "Log1mexp": "log1mexp", "Logit": "logit", "BinaryKl": "binary_kl", "Exp": "np.exp", "Expm1": "np.expm1",
    "Log": "np.log", "Log1p": "np.log1p", "Tanh": "np.tanh", "Sqrt": "np.sqrt", "Pow": "np.power", "Max": "np.maximum",
    "Min": "np.minimum", "Abs": "np.abs", "Where": "np.where", "IsNan": "np.isnan", "IsInf": "np.isinf",
    "IsFinite": "np.isfinite", "Not": "np.logical_not", "And": "np.logical_and", "Or": "np.logical_or",
}  # fmt: skip
COMPARED = {"Less": "<", "LessEqual": "<=", "Greater": ">", "GreaterEqual": ">=", "Equal": "==", "NotEqual": "!="}
VALUE = "value"  # what the code calls its result
SUM, PRODUCT, SIGN, ATOM = range(4)  # how tightly what is written holds together


def source(e: Expression, variable: str, has_target: bool, name: str = "fixed", reduction: str | None = None) -> str:
    """Return the code of an expression as a function `name` of the variable, and y where the problem has a target."""
    letters = {"X": variable, "Y": "y"}
    uses = Counter(operand for part in every(e) for operand in parts(part))
    written: dict[Expression, tuple[str, int]] = {}
    lines: list[str] = []
    for part in every(e):
        text, holds = _written(part, written, letters)
        if uses[part] > 1 and parts(part) and part is not e:
            name_of_part = f"t{len(lines) + 1}"
            lines.append(f"    {name_of_part} = {text}")
            text, holds = name_of_part, ATOM
        written[part] = text, holds
    arguments = f"{variable}, y" if has_target else variable
    # Of bfloat16 and a Python number NumPy makes float32.
    result = f"{VALUE}.astype({variable}.dtype, copy=False){f'.{reduction}()' if reduction else ''}"
    body = [*lines, f"    {VALUE} = {written[e][0]}", f"    return {result}\n"]
    main = "\n".join([f"def {name}({arguments}):", *body])
    return "\n\n".join(["import numpy as np\n", *_called(e), main])


def _called(e: Expression) -> Iterator[str]:
    """Yield the code of the stable functions that an expression calls, in the order of STABLE."""
    named = {NAMED.get(part[0]) for part in every(e)}
    yield from (text for name, text in STABLE.items() if name in named)


def constant(value: Fraction) -> str:
    """Write a constant: a whole number as such, else the shortest decimal of its float64."""
    return str(value.numerator) if value.denominator == 1 and abs(value) < 2**53 else repr(float(value))


def _written(e: Expression, known: dict[Expression, tuple[str, int]], letters: dict[str, str]) -> tuple[str, int]:
    """Write an expression of which the parts are written already, with how tightly it holds together."""
    name = e[0]
    if name in letters:
        return letters[name], ATOM
    if is_number(e):
        return constant(e[1]), ATOM if e[1] >= 0 else SIGN
    if name == "Neg":
        return f"-{_held(known[e[1]], PRODUCT)}", SIGN if known[e[1]][1] >= SIGN else PRODUCT
    if name == "Add":
        return _sum(e, known), SUM
    if name in ("Mul", "Div"):
        sign = " * " if name == "Mul" else " / "
        return f"{_held(known[e[1]], PRODUCT)}{sign}{_held(known[e[2]], SIGN if name == 'Mul' else ATOM)}", PRODUCT
    if name in COMPARED:
        return f"{_held(known[e[1]], PRODUCT)} {COMPARED[name]} {_held(known[e[2]], PRODUCT)}", SUM
    operands = [known[part][0] for part in parts(e)]
    if all(is_number(part) for part in parts(e) if part[0] not in CONDITIONS):
        first = 1 if name == "Where" else 0
        # Of Python numbers alone NumPy would make float64, or int64.
        operands[first] = f"{letters['X']}.dtype.type({operands[first]})"
    return f"{NAMED[name]}({', '.join(operands)})", ATOM


def _sum(e: Expression, known: dict[Expression, tuple[str, int]]) -> str:
    """Write a sum, with a negative second: the positive one of the two comes first."""
    first, second = e[1:]
    if first[0] == "Neg" and second[0] != "Neg":
        first, second = second, first
    if second[0] == "Neg" and known[second][1] != ATOM:
        return f"{known[first][0]} - {_held(known[second[1]], PRODUCT)}"
    if is_number(second) and second[1] < 0:
        return f"{known[first][0]} - {constant(-second[1])}"
    return f"{known[first][0]} + {_held(known[second], PRODUCT)}"


def _held(written: tuple[str, int], least: int) -> str:
    text, holds = written
    return text if holds >= least else f"({text})"


def compiled(text: str, name: str = "fixed") -> Callable[..., Any]:
    """Return the function that code defines."""
    scope: dict[str, Any] = {}
    exec(compile(text, "<fixed>", "exec"), scope)
    function: Callable[..., Any] = scope[name]
    return function


def operations(e: Expression) -> int:
    """Count the NumPy operations of an expression, those inside the stable functions too."""
    inside = {name: text.count("np.") + text.count(" * ") + text.count(" / ") for name, text in STABLE.items()}
    return sum(inside.get(NAMED.get(p[0], ""), 1) for p in every(e) if parts(p) and p[0] not in CONDITIONS)
