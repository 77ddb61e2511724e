"""What a problem is, and the register of all of them.

A problem is the exact function that a kernel is meant to compute, such as the cross-entropy of a
logit.  It is one entry: its domain, its reference forms, its derivative and the inputs at which its
kernels are likely to fail stand there and nowhere else, so that no other code asks for its name.

Each problem has two independent forms.  `terms` gives an exact mpmath number and others, good to
the working precision, that sum to the value.  Where the value saturates, as sigmoid(x) does at 1,
the exact number is what it saturates at, so that the small rest decides every rounding.  `fast` is
written for whole arrays of a wider format (see numbers/wide.py), without cancellation anywhere.
Zero weights drop their term: 0 * log 0 = 0, the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import mpmath
import numpy as np
from mpmath import mp

from harness import UsageError, choices
from harness.numbers.formats import Format
from harness.problems.plugins import shipped_problems as shipped
from harness.problems.weights import MARK, Weights, weights_of

Terms = tuple[mpmath.mpf, list[mpmath.mpf]]
Array = np.ndarray

REAL, UNIT = (-math.inf, math.inf), (0.0, 1.0)
EXTRA_BITS = 16
NONE = Weights()
ZERO_BITS = 400  # more than enough to round a zero to the nearest number of a format, or to its neighbour


@dataclass(frozen=True)
class Problem:
    """Describe an exact function of an input and, for losses, a target.

    `domain` is the closed interval of inputs; `centre` is where the safe range starts;
    beyond `monotone_beyond` in size, on either side of 0, it is monotone in the input for every target,
    which allows a rounding to be decided for a whole run of inputs at its ends.  A problem that is
    neither monotone throughout nor convex has `between(start, stop, *target)`, float64 bounds (least, most) of
    what it may reach between two inputs beyond its values at them, NaN where there is no such value.
    `gradient` names the problem that is its derivative in the input, `hessian` the second, "" where none is declared.
    A problem whose values grow without bound has `split(x, *target)`: arrays (a, b, rest) of the wide format, a + b
    being exact to twice its precision, whose sum is the value; by them an absolute error is known where the value
    itself, to the last bit of the wide format, says nothing of it.
    `exact_parts(x, *target)` gives arrays (a, b, rest, known): where `known`, a + b is an exact number and the value is
    a + b + rest, the rest being of the right sign and, where it counts beside the numbers' last bits, good to 2^-20: how such a value rounds, and on which side of a
    power of two it lies, is then seen from its parts, without mpmath.
    `critical` gives inputs of a format that every grid visits, besides the centre and those of the
    kind of input.  `zero` gives the input inside the domain, for a target in (0, 1), at which the exact value is 0:
    there a difference cancels, whatever the target, so that every sample visits its neighbours too.  None where the
    value is nowhere 0 inside, or at the centre.  `inside` has the library functions, and the sign of the input that they are given,
    that computing it needs: the worst arguments published for them are searched around; where it is
    empty, those of the kind of input are.

    `rational` gives the exact value at rational inputs where that is a rational number, None elsewhere: there
    it is transcendental by the theorems of Lindemann and Weierstrass (one e^x or log x) and of Baker (a sum of
    logs with rational weights), so that no digit, rounding or side is ever a tie, and asking for more bits ends.
    Of the focal losses away from 0 no theorem says so; they are asked for more bits all the same.
    `log_slope` is a proved bound of |d log |f| / dx|, x being the logit of the input where that is a probability;
    with it, |f| changes with a target by a factor of at most that of min(y, 1 - y).  None where none is needed:
    the function is monotone in the input and in the target, as bernoulli_kl is on either side of p = y.
    `lost_bits` is by how many bits the relative error bound of `fast` is weaker than that of truth/fast.py.
    `weights` are those that a weighted loss has in its name, none for any other; `at` fixes the target of such a one
    at a rational number: a problem of the input alone, of the same name, for the digits of one value.
    `ends(point, bits)` encloses the value at rational inputs by proof, where a problem of one's own has that.
    `targets` are those that it is checked at if nothing is said (none: those of the tables), in `target_domain`.
    """

    name: str
    input: str  # "logit", "probability" or "input"
    has_target: bool
    formula: str
    domain: tuple[float, float]
    centre: float
    nonnegative: bool
    terms: Callable[..., Terms]
    fast: Callable[..., Array]
    monotone_beyond: float = 0.0
    between: Callable[..., tuple[Array, Array]] | None = None
    gradient: str = ""
    hessian: str = ""
    split: Callable[..., tuple[Array, Array, Array]] | None = None
    exact_parts: Callable[..., tuple[Array, Array, Array, Array]] | None = None
    critical: Callable[[Format], list[float]] | None = None
    zero: Callable[[mpmath.mpf], mpmath.mpf] | None = None
    inside: tuple[tuple[str, int], ...] = ()
    rational: Callable[..., Fraction | None] = lambda *point: None
    log_slope: float | None = None
    lost_bits: int = 0
    weights: Weights = NONE
    at: Callable[[Fraction], Problem] | None = None
    ends: Callable[[Sequence[Fraction], int], tuple[mpmath.mpf, mpmath.mpf] | None] | None = None
    targets: tuple[str, ...] = ()
    target_domain: tuple[float, float] = UNIT

    @property
    def base(self) -> str:
        """Return the name without weights: the family that a weighted loss is of."""
        return self.name.partition(MARK)[0]

    @property
    def monotone(self) -> bool:
        """Tell whether the function is monotone in its input throughout the domain, for every target."""
        return self.monotone_beyond == 0

    @property
    def variable(self) -> str:
        """Return the letter that formulas have for the input: p for a probability, else x."""
        return "p" if self.input == "probability" else "x"

    def critical_points(self, fmt: Format) -> list[float]:
        """Return the critical inputs of a format within the domain: the centre, those of the kind of input, its own."""
        ordinary = {"logit": exponential_points, "probability": probability_points}.get(self.input)
        given = [points(fmt) for points in (ordinary, self.critical) if points]
        found = [self.centre, *(v for points in given for v in points)]
        return [v for v in found if self.domain[0] <= v <= self.domain[1]]

    def zeros(self, targets: Iterable[float]) -> list[mpmath.mpf]:
        """Return the zero of the exact value for each target in (0, 1), to ZERO_BITS; none where the problem has no `zero`."""
        if self.zero is None:
            return []
        with mp.workprec(ZERO_BITS):
            return [self.zero(mp.mpf(y)) for y in map(float, targets) if 0 < y < 1]


# -- critical inputs ----------------------------------------------------------------------------


def exponential_points(fmt: Format) -> list[float]:
    """Return the inputs at which forms with e^x change: saturation, overflow, underflow, thresholds, clamps; both signs."""
    p, log2 = fmt.precision, math.log(2)
    top, bottom = math.log(fmt.max), math.log(fmt.min_normal)
    least = math.log(fmt.smallest_subnormal)
    saturation = [p * log2, (p + 1) * log2, (p + 1) * log2 / 2, math.log(fmt.machine_epsilon) + 2]
    clamps = [math.log(1e7), math.log(1e12), math.log(1e15), 100.0]
    thresholds = [0.0, log2 / 2, log2, 1.5 * log2, 1.0, 18.0, 20.0, 33.3, 37.0]
    size = [*thresholds, top, -bottom, -least, *saturation, *clamps]
    return [*size, *(-s for s in size)]


def probability_points(fmt: Format) -> list[float]:
    """Return the probabilities at which forms change: the ends, where 1 - p rounds, the usual eps, a clamp at e^-100."""
    small = [fmt.smallest_subnormal, fmt.min_normal, fmt.machine_epsilon, 1e-7, 1e-12, 1e-15, 1e-16]
    return [0.0, 1.0, 0.5, *small, *(1 - s for s in small), math.exp(-100)]


# -- precision ----------------------------------------------------------------------------------


def with_extra_bits(terms: Callable[..., Terms]) -> Callable[..., Terms]:
    """Return `terms` computed with EXTRA_BITS more, for more than 4 operations or conditions beyond 1: see truth/certified.py."""

    def precise(*point: mpmath.mpf) -> Terms:
        with mp.extraprec(EXTRA_BITS):
            return terms(*point)

    return precise


# -- rational values ----------------------------------------------------------------------------


def only_at(input_: int | Fraction, value: int | Fraction) -> Callable[..., Fraction | None]:
    """Return the `rational` of a problem whose value is rational at one rational input alone."""
    return lambda x: Fraction(value) if x == input_ else None


# -- the register -------------------------------------------------------------------------------

PROBLEMS: dict[str, Problem] = {}
OWN: dict[str, Problem] = {}  # those that users and packages declare: see own.py


@dataclass(frozen=True)
class WeightedFamily:
    """Describe the losses that weights make of one: `make` is given its name and the weights that it `takes`.

    `gradient` and `hessian` name the families of the derivatives, with the same weights; "" where there is none.  Weights left out
    have `defaults`, which a name does not carry.
    """

    name: str
    takes: tuple[str, ...]
    make: Callable[[str, Weights], Problem]
    gradient: str = ""
    defaults: tuple[tuple[str, Fraction], ...] = ()
    hessian: str = ""


WEIGHTED: dict[str, WeightedFamily] = {}


def register(*problems: Problem) -> None:
    """Add problems in order; ValueError for a second one of the same name."""
    for problem in problems:
        if problem.name in PROBLEMS:
            raise ValueError(f"problem {problem.name!r} is declared twice")
        PROBLEMS[problem.name] = problem


def register_weighted(*families: WeightedFamily) -> None:
    """Add what weights make of problems; the plain problem of the name, if there is one, is without weights."""
    WEIGHTED.update({family.name: family for family in families})


def problem_named(name: str, weights: Weights | None = None) -> Problem:
    """Return the problem called `name`, with the weights given or those that the name carries; UsageError lists the known.

    `problem_named("bce_logits", Weights(pos=3))` is `problem_named("bce_logits@pos=3")`, the same object each time.
    Raises UsageError for weights that the problem does not take, and for some in the name and others beside it.
    """
    if name not in PROBLEMS and name not in OWN:
        shipped()
    if name in OWN and not weights:
        return OWN[name]
    base, mark, text = name.partition(MARK)
    if mark and weights:
        raise UsageError(f"{name} carries its weights already; give them once")
    given = weights_of(text) if mark else weights or Weights()
    if not given and base in PROBLEMS:
        return PROBLEMS[base]
    if base not in PROBLEMS and base not in WEIGHTED:
        raise UsageError(f"unknown problem {base!r}; known problems: {choices(base, known_names())}")
    return _weighted(base, given)


def known_names() -> list[str]:
    """Return the names that `problem_named` knows, weights left out, in the order of lists."""
    return [*PROBLEMS, *(name for name in WEIGHTED if name not in PROBLEMS), *OWN]


@lru_cache(maxsize=256)
def _weighted(base: str, given: Weights) -> Problem:
    family = WEIGHTED.get(base)
    if family is None:
        raise UsageError(f"{base} takes no weights; {', '.join(WEIGHTED)} do")
    other = [name for name in given.given() if name not in family.takes]
    if other:
        raise UsageError(f"{base} has no {other[0]}; its weights: {choices(other[0], family.takes)}")
    defaults = dict(family.defaults)
    chosen = {**defaults, **given.given()}
    carried = Weights(**{name: value for name, value in chosen.items() if defaults.get(name) != value})
    if not carried and base in PROBLEMS:
        return PROBLEMS[base]
    name = f"{base}{MARK}{carried.text}" if carried else base
    return _made(name, family, Weights(**chosen))


@lru_cache(maxsize=256)  # one object for one name, however its weights were written
def _made(name: str, family: WeightedFamily, weights: Weights) -> Problem:
    return family.make(name, weights)


def gradient_of(problem: Problem) -> Problem | None:
    """Return the derivative of a problem in its input; None where none is declared."""
    return problem_named(problem.gradient) if problem.gradient else None


def hessian_of(problem: Problem) -> Problem | None:
    """Return the second derivative of a problem in its input; None where none is declared."""
    return problem_named(problem.hessian) if problem.hessian else None


def is_hessian(problem: Problem) -> bool:
    """Tell whether a problem is of a family of second derivatives; sigmoid_grad, which is one of many things, is not."""
    return any(family.hessian == problem.base for family in WEIGHTED.values())


def antiderivative_of(problem: Problem) -> Problem | None:
    """Return the loss whose gradient a problem is; None where it is no gradient."""
    plain = next((p for p in (*PROBLEMS.values(), *OWN.values()) if p.gradient == problem.name), None)
    if plain is not None:
        return plain
    mark = problem.name[len(problem.base) :]
    losses = (f.name + mark for f in WEIGHTED.values() if f.gradient == problem.base)
    return next((problem_named(name) for name in losses), None)
