"""Guesses at losses that people train with in the place of the cross-entropy, or with a term added to it.

All of them are functions of one number, the logit z of the true class: x at y = 1, -x at y = 0, log(p / (1 - p)) of a
probability, and in K classes log(p_c / (1 - p_c)).  PolyLoss adds eps (1 - p), a confidence penalty takes a multiple of the
entropy away, a margin takes m from z, and so on.  Each guess has at most two parameters; a few of the values at moderate
inputs fix them and all others must then confirm them, the nearer the less they differ from the cross-entropy: an eps within
the log, which differs by a thousandth, is none of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from harness.checking.moderate import (
    BOUNDS,
    LEAST,
    ROUNDINGS,
    Array,
    ModerateValues,
    median,
    rounded,
    same,
    solved,
    written,
)
from harness.checking.recognition import Recognition
from harness.numbers.formats import Format
from harness.problems import Problem

DECLARE = "declare it with --exact to have its own errors measured (docs/own_problem.md)"
TRUE = "p being the probability of the true class"
# A guess may be off by so much of what it explains, and by the roundings of a sensible formula.
LEFT = 1 / 64
SHIFTS = (0.05, 0.1, 0.2, 0.02, 0.01)  # by which an asymmetric loss lowers the probability of a negative example
# What is added to the cross-entropy, and what it is called then: alone, beside the whole cross-entropy, beside a part of it.
NAMES = {
    "(1 - p)": (
        "the mean absolute error of the probability, or the reverse cross-entropy",
        "PolyLoss (Poly-1) with eps = {b}", "the symmetric cross-entropy",
    ),
    "(1 - p)^2": (
        "the squared error of the probability, the Brier score",
        "a squared error of the probability added", "a mixture with the squared error of the probability",
    ),
    "H(p)": ("the entropy of p", "a confidence penalty, or another use of the entropy H", "a use of the entropy H"),
    "x^2": ("the square of the logit", "a penalty on the logit's size", "a penalty on the logit's size"),
    "|x|": ("the size of the logit", "a penalty on the logit's size", "a penalty on the logit's size"),
    "sum (p_i - t_i)^2": ("the Brier score", "a squared error of the probabilities added", "a mixture with the Brier score"),
    "lse^2": ("the square of the log-sum-exp", "the z-loss added", "the z-loss added"),
}  # fmt: skip


def other_loss(problem: Problem, fmt: Format, hard: Sequence[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise another loss than the cross-entropy of a logit, or of a probability, for the targets 0 and 1."""
    probes = [p for p in (_at_true_class(problem, p) for p in hard) if p is not None]
    if len(probes) != len(hard):
        return None
    terms = [binary_terms(p.x) for p in probes]
    return published_loss(probes, terms, tolerance, ROUNDINGS * fmt.machine_epsilon)


def _at_true_class(problem: Problem, p: ModerateValues) -> ModerateValues | None:
    """Return values by the true class's logit; None where the problem is no cross-entropy, log(1 + e^-z)."""
    if len(p.x) < LEAST or problem.input not in ("logit", "probability"):
        return None
    x = p.x if problem.input == "logit" else np.log(p.x) - np.log1p(-p.x)
    for z in (-x if p.target == 0 else x, -x):
        if same(p.exact, entropy_of(z), 1e-9):
            return ModerateValues(z, p.target or 0.0, p.given, p.exact)  # softplus is the loss of the target 0
    return None


def entropy_of(z: Array) -> Array:
    """Return the cross-entropy log(1 + e^-z) of moderate z."""
    return np.log1p(np.exp(-z))


def binary_terms(z: Array) -> Mapping[str, Array]:
    """Return what may be added to a cross-entropy of two classes, by the name in NAMES."""
    wrong = 1 / (1 + np.exp(z))
    entropy = wrong * entropy_of(-z) + (1 - wrong) * entropy_of(z)
    return {"(1 - p)": wrong, "(1 - p)^2": wrong**2, "H(p)": entropy, "x^2": z**2, "|x|": np.abs(z)}


def published_loss(
    probes: Sequence[ModerateValues],
    terms: Sequence[Mapping[str, Array]],
    tolerance: float,
    floor: float,
    further: str = DECLARE,
) -> Recognition | None:
    """Return which published loss values are, by the true class's logit; None for none that is known here.

    `terms` has what may be added, for each of the probes; `tolerance` and `floor` bound relative differences: what a guess may
    leave open at most, and what roundings alone explain; `further` is what a user can do with such a loss.
    """
    agrees = lambda fits: _confirmed(probes, fits, tolerance, floor)  # noqa: E731
    guesses: Sequence[Callable[[], str | None]] = (
        lambda: _sum(probes, terms, agrees, tolerance),
        lambda: _power(probes, agrees, tolerance),
        lambda: _line(probes, agrees, tolerance),
        lambda: _bounded(probes, agrees, tolerance),
        lambda: _of_margin(probes, agrees, tolerance),
        lambda: _asymmetric(probes, agrees, tolerance),
    )
    said = next((told for guess in guesses if (told := guess()) is not None), None)
    return None if said is None else Recognition(f"{said}; {further}")


def _confirmed(probes: Sequence[ModerateValues], fits: Sequence[Array], tolerance: float, floor: float) -> bool:
    """Tell whether all values are a guess's, to roundings or to a small part of what tells them from the problem."""
    for p, fit in zip(probes, fits):
        if len(p.given) < LEAST or not np.isfinite(fit).all():
            return False
        size = np.maximum(np.abs(fit), median(np.abs(fit)) / 4)
        apart = float(np.abs(p.given - p.exact).max())
        allowed = np.maximum(floor * size, np.minimum(tolerance * size, LEFT * apart))
        if (np.abs(p.given - fit) > allowed).any():
            return False
    return True


Agrees = Callable[[Sequence[Array]], bool]


def _sum(
    probes: Sequence[ModerateValues], terms: Sequence[Mapping[str, Array]], agrees: Agrees, tolerance: float
) -> str | None:
    """Recognise a L + b T, L the cross-entropy and T one of the terms."""
    given, loss = (np.concatenate([getattr(p, name) for p in probes]) for name in ("given", "exact"))
    for name in terms[0]:
        term = np.concatenate([t[name] for t in terms])
        a, b = (float(v) for v in np.linalg.lstsq(np.stack([loss, term], axis=1), given, rcond=None)[0])
        a = next((whole for whole in (0.0, 1.0) if abs(a - whole) <= 8 * tolerance), rounded(a, tolerance))
        b = rounded(float(term @ (given - a * loss) / (term @ term)), 2 * tolerance)
        if b and agrees([a * p.exact + b * t[name] for p, t in zip(probes, terms)]):
            return _sum_in_words(a, b, name)
    return None


def _sum_in_words(a: float, b: float, name: str) -> str:
    """Write a times the cross-entropy + b times a term, and what it is called."""
    alone, beside, part = NAMES[name]
    called = alone if a == 0 else beside if a == 1 else part
    first = "" if a == 0 else "the cross-entropy" if a == 1 else f"{written(a)} times the cross-entropy"
    sign = "-" if b < 0 else "+" if first else ""
    bare = not first and b == 1 and not name.endswith("2")
    parts = first, sign, "" if abs(b) == 1 else written(abs(b)), name.strip("()") if bare else name
    where = f", {TRUE}" if "1 - p)" in name else ""
    return f"{' '.join(v for v in parts if v)}{where}: this looks like {called.format(b=written(b))}"


def _power(probes: Sequence[ModerateValues], agrees: Agrees, tolerance: float) -> str | None:
    """Recognise (1 - p^q) / q."""
    chances = [1 / (1 + np.exp(-p.x)) for p in probes]
    at = int(np.argmin(chances[0]))
    least, value = float(chances[0][at]), float(probes[0].given[at])
    q = rounded(solved(lambda k: (1 - least**k) / k - value, (1e-3, 4.0)), tolerance)
    if math.isnan(q) or not agrees([(1 - p**q) / q for p in chances]):
        return None
    return f"(1 - p^q) / q with q = {written(q)}, {TRUE}: this looks like the generalised cross-entropy"


def _line(probes: Sequence[ModerateValues], agrees: Agrees, tolerance: float) -> str | None:
    """Recognise the cross-entropy at s x + t: a margin, a bias, a scale."""
    lines = []
    for p in probes:
        if not (p.given > 0).all():
            return None
        slope, start = (float(v) for v in np.polyfit(p.x, -np.log(np.expm1(p.given)), 1))
        slope = rounded(slope, 8 * tolerance)
        lines.append((slope, 0.0 if abs(start) <= 8 * tolerance else rounded(start, 8 * tolerance)))
    if all(start == 0 for _, start in lines) or min(slope for slope, _ in lines) <= 0:
        return None
    if not agrees([entropy_of(s * p.x + t) for p, (s, t) in zip(probes, lines)]):
        return None
    if probes[0].target is None:
        slope, start = lines[0]
        taken = f"{written(-start)} taken from" if start < 0 else f"{written(start)} added to"
        return f"the problem with {taken} the label's logit: this looks like a margin" if slope == 1 else None
    told = [_place(p, s, t) for p, (s, t) in zip(probes, lines)]
    if len({place for place, _ in told}) == 1:
        return f"the problem at {told[0][0]} in the place of x: this looks like a shifted logit"
    where = " and ".join(f"at {place}{at}" for place, at in told)
    return f"the problem {where}: this looks like a margin"


def _place(p: ModerateValues, slope: float, start: float) -> tuple[str, str]:
    """Write s z + t by x, and the target that it belongs to: z is x, or -x at y = 0."""
    shift = -start if p.target == 0 else start
    scaled = "x" if slope == 1 else f"{written(slope)} x"
    sign = "-" if shift < 0 else "+"
    at = f" for y = {p.target:g}"
    return (scaled if shift == 0 else f"{scaled} {sign} {written(abs(shift))}"), at


def _bounded(probes: Sequence[ModerateValues], agrees: Agrees, tolerance: float) -> str | None:
    """Recognise the cross-entropy at c tanh(x / c)."""
    p = probes[0]
    at = int(np.argmin(p.x))
    if not p.given[at] > 0:
        return None
    seen = -math.log(math.expm1(p.given[at]))
    c = rounded(solved(lambda c: c * math.tanh(float(p.x[at]) / c) - seen, BOUNDS), 8 * tolerance)
    if math.isnan(c) or not agrees([entropy_of(c * np.tanh(p.x / c)) for p in probes]):
        return None
    return f"the problem at c tanh(x / c), c = {written(c)}: this looks like bounded logits"


def _of_margin(probes: Sequence[ModerateValues], agrees: Agrees, tolerance: float) -> str | None:
    """Recognise the hinge losses and the exponential one, up to a factor."""
    forms: Sequence[tuple[str, str, Callable[[Array], Array]]] = (
        ("max(0, 1 - z)", "the hinge loss", lambda z: np.maximum(0, 1 - z)),
        ("max(0, 1 - z)^2", "the squared hinge loss", lambda z: np.maximum(0, 1 - z) ** 2),
        ("max(0, -z)", "the perceptron's loss, or max(x, 0) without the log(1 + e^-|x|) beside it", lambda z: np.maximum(0, -z)),
        ("e^-z", "the exponential loss", lambda z: np.exp(-z)),
    )  # fmt: skip
    for text, name, form in forms:
        fits = [form(p.x) for p in probes]
        at = int(np.argmax(fits[0]))
        factor = rounded(float(probes[0].given[at] / fits[0][at]), tolerance)
        if factor and agrees([factor * fit for fit in fits]):
            told = text if factor == 1 else f"{written(factor)} {text}"
            return f"{told}, z being x at y = 1 and -x at y = 0: this looks like {name}"
    return None


def _asymmetric(probes: Sequence[ModerateValues], agrees: Agrees, tolerance: float) -> str | None:
    """Recognise (1 - p)^gamma times the cross-entropy, gamma another for each class, and 1 - p lowered by a shift at y = 0."""
    if len(probes) == 1:
        return _focal(probes[0], agrees, tolerance)
    wrong = [1 / (1 + np.exp(p.x)) for p in probes]
    one = _exponent(probes[1].given, wrong[1], tolerance)
    for shift in (0.0, *SHIFTS):
        lowered = np.maximum(wrong[0] - shift, 0)
        zero = _exponent(probes[0].given, lowered, tolerance)
        if math.isnan(one) or math.isnan(zero) or (zero == one and not shift):
            continue
        fits = [_modulated(q, k) for q, k in ((lowered, zero), (wrong[1], one))]
        if agrees(fits):
            told = f"{_times('p', one)} at y = 1, {_times('p' if not shift else 'r', zero)} at y = 0, {TRUE}"
            less = f", and 1 - r the larger of 0 and 1 - p - {written(shift)}" if shift else ""
            return f"{told}{less}: this looks like the asymmetric loss"
    return None


def _focal(p: ModerateValues, agrees: Agrees, tolerance: float) -> str | None:
    """Recognise the focal loss of K classes."""
    wrong = 1 / (1 + np.exp(p.x))
    gamma = _exponent(p.given, wrong, tolerance)
    if math.isnan(gamma) or not agrees([_modulated(wrong, gamma)]):
        return None
    return f"{_times('p', gamma)}, {TRUE}: this looks like the focal loss with gamma = {written(gamma)}"


def _exponent(values: Array, wrong: Array, tolerance: float) -> float:
    """Return gamma where values are q^gamma (-log(1 - q)) at the largest q, which `wrong` is; NaN where there is none."""
    at = int(np.argmax(np.abs(wrong - 0.5) < 0.2))
    q, value = float(wrong[at]), float(values[at])
    if not (0 < q < 1 and value > 0):
        return math.nan
    gamma = math.log(value / -math.log1p(-q)) / math.log(q)
    gamma = 0.0 if abs(gamma) <= 8 * tolerance else rounded(gamma, 8 * tolerance)
    return gamma if gamma >= 0 else math.nan


def _times(p: str, gamma: float) -> str:
    power = "" if gamma == 1 else f"^{written(gamma)}"
    return f"-log({p})" if not gamma else f"(1 - {p}){power} times -log({p})"


def _modulated(q: Array, gamma: float) -> Array:
    return (q**gamma if gamma else np.ones_like(q)) * -np.log1p(-q)
