"""The second oracle: Arb's ball arithmetic confirms what mpmath found, before it is cited.

mpmath's functions are good to one unit in the last place by its own claim, which is tested and not proved.
Arb (Johansson 2017, doi:10.1109/TC.2017.2690633) computes with balls, a midpoint and a radius, and the
radius holds every rounding by proof.  Each problem has a form here that is not the one that mpmath is given,
so that a mistake in a formula shows as well as one in a function.  Where the two disagree, nothing is written.
Arb comes with python-flint, which need not be installed: `oracle` says which oracles there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import Any

import mpmath

from harness import UsageError
from harness.problems import Problem, Weights
from harness.problems.weights import Number
from harness.truth.certified import Point, truth

INSTALLED = find_spec("flint") is not None
# A ball that is too wide to tell is computed again with four times the bits.
START_BITS, LIMIT_BITS = 256, 1 << 18
# `truth` promises 2^-160 of the exact value; this leaves room for nothing else.
AGREED_BITS = 159
# A tie is half a unit off, which a ball of any radius cannot tell from more; so little more is let pass.
TIE_BITS = 60
# An exact 0 of inputs that are not binary keeps a ball around it.  It is let pass with so many bits and four for each
# of the inputs': a rational function of them that is not 0 would be seen to be none long before.
ZERO_BITS = 4096

Ball = Any  # flint.arb, which has no types


class OracleDisagreement(UsageError):
    """The oracles mpmath and Arb give different values, or Arb none: nothing that rests on the value can be cited."""


def oracle() -> str:
    """Return what the cited values of this machine are computed by: 'mpmath and Arb 3.6.0', or 'mpmath' alone."""
    if not INSTALLED:
        return "mpmath"
    import flint

    return f"mpmath and Arb {getattr(flint, '__FLINT_VERSION__', f'of python-flint {flint.__version__}')}"


def oracles(recorded: Iterable[str]) -> str:
    """Return what was recorded by the parts of a table as one text; more than one where they differ."""
    return "; ".join(sorted(set(recorded)))


@lru_cache(maxsize=4096)  # a row's largest absolute, relative and ulp errors are often at one input
def cited(problem: Problem, point: Point, bits: int = 160) -> mpmath.mpf:
    """Return the exact value at finite inputs, as `truth` does, after Arb has confirmed it; for whatever is cited.

    Arb confirms 2^-159 of it, also where more bits are asked for.
    """
    value = truth(problem, point, bits)
    confirm(problem, [_fraction(v) for v in point], value)
    return value


def _fraction(value: mpmath.mpf) -> Fraction:
    """Return a finite mpf as it is."""
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction(-int(mantissa) if sign else int(mantissa)) * Fraction(2) ** int(exponent)


def confirm(problem: Problem, point: Sequence[Fraction], value: mpmath.mpf) -> None:
    """Raise OracleDisagreement unless Arb proves the exact value to be within 2^-159 of mpmath's, relative to it.

    Does nothing where python-flint is not installed, and for a problem that has no form here.
    """

    def agreed() -> tuple[Ball, Ball]:
        from flint import arb

        middle = arb(value)
        return middle, abs(middle) / 2**AGREED_BITS

    _hold(problem, point, agreed, lambda: mpmath.nstr(value, 25))


def confirm_digits(problem: Problem, point: Sequence[Fraction], text: str) -> None:
    """Raise OracleDisagreement unless Arb proves the exact value to be within half a unit of a decimal's last digit."""

    def agreed() -> tuple[Ball, Ball]:
        from flint import arb, fmpz

        mantissa, _, exponent = text.partition("e")
        if mantissa.lstrip("-") in ("inf", "nan"):
            return arb(mantissa), arb(0)
        whole, _, fraction = mantissa.partition(".")
        unit = arb(10) ** (fmpz(exponent.lstrip("+") or "0") - len(fraction))
        middle = arb(fmpz(whole + fraction)) * unit
        return middle, unit / 2 * (1 + arb(2) ** -TIE_BITS) if middle != 0 else arb(0)

    _hold(problem, point, agreed, lambda: text)


def _hold(
    problem: Problem, point: Sequence[Fraction], agreed: Callable[[], tuple[Ball, Ball]], said: Callable[[], str]
) -> None:
    """Compare the problem's ball with a middle and a distance, with more and more bits until it is clear."""
    if not INSTALLED or form_of(problem) is None:
        return
    from flint import ctx

    bits, zero_bits = (
        START_BITS,
        ZERO_BITS + 4 * sum(v.numerator.bit_length() + v.denominator.bit_length() for v in point),
    )
    while bits <= LIMIT_BITS:
        with ctx.workprec(bits):
            found, (middle, distance) = ball(problem, point), agreed()
            off = abs(found - middle)
            if off <= distance or (not found.is_finite() and not middle.is_finite()):
                return
            if middle == 0 and bits >= zero_bits and found.contains(0):
                return
            if off > distance or (found.is_finite() and not middle.is_finite()):
                raise OracleDisagreement(_sentence(problem, point, said(), f"Arb proves that it is {found.str(25)}"))
        bits *= 4
    raise OracleDisagreement(_sentence(problem, point, said(), f"Arb cannot tell with {LIMIT_BITS} bits"))


def _sentence(problem: Problem, point: Sequence[Fraction], said: str, other: str) -> str:
    at = ", ".join(mpmath.nstr(mpmath.mpf(v.numerator) / v.denominator, 20) for v in point)
    return f"{problem.name} at ({at}) is {said[:40]} by mpmath, but {other}"


def ball(problem: Problem, point: Sequence[Fraction]) -> Ball:
    """Return a ball that holds the exact value at rational inputs, by Arb at its working precision."""
    from flint import arb, fmpq

    form = form_of(problem)
    assert form is not None
    return form(*(arb(fmpq(v.numerator, v.denominator)) for v in point))


def form_of(problem: Problem) -> Callable[..., Ball] | None:
    """Return the form of a problem, that of its family with its weights where it has some; None where there is none."""
    if not problem.weights:
        return FORMS.get(problem.name)
    weighted = WEIGHTED_FORMS.get(problem.base)
    return partial(weighted, problem.weights) if weighted else None


# -- one form for each problem ------------------------------------------------------------------------
# Balls compare with numbers only where that is certain; x < 0 is, of an exact x.


def _log1p(v: Ball) -> Ball:
    """Return log(1 + v) = 2 atanh(v / (2 + v)) of |v| < 1/2, and log of the sum elsewhere."""
    return 2 * (v / (2 + v)).atanh() if abs(v) < 0.5 else (1 + v).log()


def _softplus(x: Ball) -> Ball:
    """Return log(1 + e^x) = x/2 + log(2 cosh(x/2)) of |x| < 1; by the series' own tail elsewhere."""
    if abs(x) < 1:
        return x / 2 + (2 * (x / 2).cosh()).log()
    return (x if x > 0 else 0) + _log1p((-abs(x)).exp())


def _sigmoid(x: Ball) -> Ball:
    return 1 / (1 + (-x).exp())


def _sum(*pairs: tuple[Ball, Callable[[], Ball]]) -> Ball:
    """Add weight times value, leaving out what has no weight."""
    return sum(w * f() for w, f in pairs if w != 0)


def _bce(p: Ball, y: Ball) -> Ball:
    return -_sum((y, p.log), (1 - y, lambda: _log1p(-p)))


def _bce_logits(x: Ball, y: Ball) -> Ball:
    return _sum((y, lambda: _softplus(-x)), (1 - y, lambda: _softplus(x)))


def _bce_grad(p: Ball, y: Ball) -> Ball:
    if y == 0 or y == 1:
        return 1 / (1 - p - y)
    return (p - y) / (p * (1 - p))


def _bce_logits_grad(x: Ball, y: Ball) -> Ball:
    """Return sigmoid(x) - y = ((1-y) (e^x - 1) + 1 - 2y) / (1 + e^x); beyond 1 as weighted sigmoids."""
    if abs(x) < 1:
        return ((1 - y) * _expm1(x) + (1 - 2 * y)) / (1 + x.exp())
    return _sum((1 - y, lambda: _sigmoid(x)), (-y, lambda: _sigmoid(-x)))


def _sigmoid_grad(x: Ball) -> Ball:
    """Return 1 / (2 cosh(x/2))^2."""
    return 1 / (2 * (x / 2).cosh()) ** 2


def _expm1(x: Ball) -> Ball:
    return 2 * (x / 2).exp() * (x / 2).sinh()


def _tanh(x: Ball) -> Ball:
    return _expm1(2 * x) / ((2 * x).exp() + 1)


def _log1mexp(a: Ball) -> Ball:
    return (2 * (a / 2).sinh()).log() - a / 2 if a < 1 else _log1p(-(-a).exp())


def _log1mexp_grad(a: Ball) -> Ball:
    """Return (coth(a/2) - 1) / 2 below 1, by the exponential beyond."""
    return ((a / 2).coth() - 1) / 2 if a < 1 else (-a).exp() / (1 - (-a).exp())


def _logit(p: Ball) -> Ball:
    return 2 * (2 * p - 1).atanh() if abs(p - 0.5) < 0.25 else p.log() - _log1p(-p)


def _entropy(p: Ball) -> Ball:
    return -_sum((p, p.log), (1 - p, lambda: _log1p(-p)))


def _kl(p: Ball, y: Ball) -> Ball:
    return _sum((y, lambda: (y / p).log()), (1 - y, lambda: ((1 - y) / (1 - p)).log()))


def _focal(power: Callable[[Ball], Ball], x: Ball) -> Ball:
    return power(_sigmoid(-x)) * _softplus(-x)


def _focal_grad(gamma: float, power: Callable[[Ball], Ball], x: Ball) -> Ball:
    q = _sigmoid(-x)
    return -power(q) * (gamma * _sigmoid(x) * _softplus(-x) + q)


def _square(q: Ball) -> Ball:
    return q * q


def _root(q: Ball) -> Ball:
    return q.sqrt()


# -- weighted losses: the plain forms of what each weight does, in its own words ---------------------------


def _rational(value: Number) -> Ball:
    from flint import arb, fmpq

    exact = Fraction(value)
    return arb(fmpq(exact.numerator, exact.denominator))


def _label(w: Weights, y: Ball) -> Ball:
    """Return the label moved towards 1/2."""
    return y if not w.smoothing else y + _rational(w.smoothing) * (_rational(Fraction(1, 2)) - y)


def _factor(w: Weights, y: Ball) -> Ball:
    """Return what the whole loss is multiplied by: 1 - alpha and alpha are the ends of a line."""
    alpha = None if w.alpha is None else _rational(w.alpha)
    return _rational(w.weight or 1) * (1 if alpha is None else 1 - alpha + y * (2 * alpha - 1))


def _of_one(w: Weights, y: Ball) -> Ball:
    label = _label(w, y)
    return _factor(w, label) * _rational(w.pos or 1) * label


def _of_zero(w: Weights, y: Ball) -> Ball:
    label = _label(w, y)
    return _factor(w, label) * (1 - label)


def _weighted_bce(w: Weights, p: Ball, y: Ball) -> Ball:
    return -_sum((_of_one(w, y), p.log), (_of_zero(w, y), lambda: _log1p(-p)))


def _weighted_bce_logits(w: Weights, x: Ball, y: Ball) -> Ball:
    return _sum((_of_one(w, y), lambda: _softplus(-x)), (_of_zero(w, y), lambda: _softplus(x)))


def _weighted_bce_grad(w: Weights, p: Ball, y: Ball) -> Ball:
    a, b = _of_one(w, y), _of_zero(w, y)
    if a == 0 or b == 0:
        return b / (1 - p) if a == 0 else -a / p
    return ((a + b) * p - a) / (p * (1 - p))


def _weighted_bce_logits_grad(w: Weights, x: Ball, y: Ball) -> Ball:
    a, b = _of_one(w, y), _of_zero(w, y)
    if abs(x) < 1:
        return (b * _expm1(x) + (b - a)) / (1 + x.exp())
    return _sum((b, lambda: _sigmoid(x)), (-a, lambda: _sigmoid(-x)))


def _weighted_bce_logits_hess(w: Weights, x: Ball, y: Ball) -> Ball:
    return (_of_one(w, y) + _of_zero(w, y)) * _sigmoid_grad(x)


def _to_gamma(w: Weights, base: Ball) -> Ball:
    """Return base^gamma; Arb's own power of numbers above 0."""
    return base ** _rational(w.gamma or 0)


def _focal_label(w: Weights, x: Ball, y: Ball) -> Ball:
    label = _label(w, y)
    wrong = _sum((label, lambda: _sigmoid(-x)), (1 - label, lambda: _sigmoid(x)))
    loss = _sum((label, lambda: _softplus(-x)), (1 - label, lambda: _softplus(x)))
    return _factor(w, label) * _to_gamma(w, wrong) * loss


def _focal_label_grad(w: Weights, x: Ball, y: Ball) -> Ball:
    """Return the derivative by the product rule: (m^g)' c + m^g c'."""
    label = _label(w, y)
    wrong = _sum((label, lambda: _sigmoid(-x)), (1 - label, lambda: _sigmoid(x)))
    loss = _sum((label, lambda: _softplus(-x)), (1 - label, lambda: _softplus(x)))
    slope = _sum((1 - label, lambda: _sigmoid(x)), (-label, lambda: _sigmoid(-x)))
    turning = (1 - 2 * label) * _sigmoid(x) * _sigmoid(-x) / wrong
    return _factor(w, label) * _to_gamma(w, wrong) * (_rational(w.gamma or 0) * turning * loss + slope)


def _focal_probability(w: Weights, p: Ball, y: Ball) -> Ball:
    label = _label(w, y)
    wrong = _sum((label, lambda: 1 - p), (1 - label, lambda: p))
    loss = -_sum((label, p.log), (1 - label, lambda: _log1p(-p)))
    return _factor(w, label) * _to_gamma(w, wrong) * loss


def _focal_probability_grad(w: Weights, p: Ball, y: Ball) -> Ball:
    """Return the derivative by the product rule: (m^g)' c + m^g c'."""
    label = _label(w, y)
    wrong = _sum((label, lambda: 1 - p), (1 - label, lambda: p))
    loss = -_sum((label, p.log), (1 - label, lambda: _log1p(-p)))
    slope = _sum((1 - label, lambda: 1 / (1 - p)), (-label, lambda: 1 / p))
    return _factor(w, label) * _to_gamma(w, wrong) * (_rational(w.gamma or 0) * (1 - 2 * label) / wrong * loss + slope)


def _focal_true_class(w: Weights, x: Ball) -> Ball:
    return _rational(w.weight or 1) * _to_gamma(w, _sigmoid(-x)) * _softplus(-x)


def _focal_true_class_grad(w: Weights, x: Ball) -> Ball:
    q, gamma = _sigmoid(-x), _rational(w.gamma or 0)
    return -_rational(w.weight or 1) * _to_gamma(w, q) * (gamma * _sigmoid(x) * _softplus(-x) + q)


def _focal_label_hess(w: Weights, x: Ball, y: Ball) -> Ball:
    """Return the second derivative by the product rule: (m^g)'' c + 2 (m^g)' c' + m^g c''."""
    label, gamma, both = _label(w, y), _rational(w.gamma or 0), _sigmoid(x) * _sigmoid(-x)
    wrong = _sum((label, lambda: _sigmoid(-x)), (1 - label, lambda: _sigmoid(x)))
    loss = _sum((label, lambda: _softplus(-x)), (1 - label, lambda: _softplus(x)))
    slope = _sum((1 - label, lambda: _sigmoid(x)), (-label, lambda: _sigmoid(-x)))
    turning = (1 - 2 * label) * both / wrong
    bent = (1 - 2 * label) * both * (_sigmoid(-x) - _sigmoid(x)) / wrong
    of_power = gamma * (gamma - 1) * turning * turning + gamma * bent
    return _factor(w, label) * _to_gamma(w, wrong) * (of_power * loss + 2 * gamma * turning * slope + both)


def _focal_true_class_hess(w: Weights, x: Ball) -> Ball:
    """Return the derivative of -w q^g (g p s + q) by the product rule, with q = sigmoid(-x), p = 1 - q, s = softplus(-x)."""
    q, p, gamma, loss = _sigmoid(-x), _sigmoid(x), _rational(w.gamma or 0), _softplus(-x)
    inner = gamma * p * (gamma * p * loss + q) - gamma * p * q * loss + gamma * p * q + p * q
    return _rational(w.weight or 1) * _to_gamma(w, q) * inner


WEIGHTED_FORMS: dict[str, Callable[..., Ball]] = {
    "bce": _weighted_bce,
    "bce_logits": _weighted_bce_logits,
    "bce_grad": _weighted_bce_grad,
    "bce_logits_grad": _weighted_bce_logits_grad,
    "bce_logits_hess": _weighted_bce_logits_hess,
    "focal": _focal_true_class,
    "focal_grad": _focal_true_class_grad,
    "focal_bce_logits": _focal_label,
    "focal_bce_logits_grad": _focal_label_grad,
    "focal_bce": _focal_probability,
    "focal_bce_grad": _focal_probability_grad,
    "focal_bce_logits_hess": _focal_label_hess,
    "focal_hess": _focal_true_class_hess,
}

FORMS: dict[str, Callable[..., Ball]] = {
    "bce": _bce,
    "bce_logits": _bce_logits,
    "bce_grad": _bce_grad,
    "bce_logits_grad": _bce_logits_grad,
    "sigmoid": _sigmoid,
    "sigmoid_grad": _sigmoid_grad,
    "softplus": _softplus,
    "log_sigmoid": lambda x: -_softplus(-x),
    "exp": lambda x: (x / 2).exp() ** 2,
    "log": lambda x: 2 * x.sqrt().log(),
    "log1p": _log1p,
    "expm1": _expm1,
    "tanh": _tanh,
    "log1mexp": _log1mexp,
    "log1mexp_grad": _log1mexp_grad,
    "log1mexp_neg": lambda x: _log1mexp(-x),
    "log1mexp_neg_grad": lambda x: -_log1mexp_grad(-x),
    "logit": _logit,
    "binary_entropy": _entropy,
    "bernoulli_kl": _kl,
    "focal": partial(_focal, _square),
    "focal_grad": partial(_focal_grad, 2, _square),
    "focal_g0.5": partial(_focal, _root),
    "focal_g0.5_grad": partial(_focal_grad, 0.5, _root),
}
