"""Say why a kernel, or a user's function, is wrong at one input: the cause and the operation.

total = computed - truth has two parts, both in ulps of the truth: modelling bias, own - truth,
and rounding, computed - own, where own is the kernel's formula evaluated exactly, with its
constants as the working format holds them and the branches that the machine took.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness import UsageError
from harness.explain import blackbox, expansions
from harness.explain.bias import BIAS_CAUSES, bias, living, undefined
from harness.explain.blame import EVENTS, ROUNDING_CAUSES, Diagnosis, blame
from harness.explain.expansions import Expansion
from harness.explain.followed import NotFollowed, follow
from harness.explain.notation import expression, magnitude, number
from harness.explain.remedies import BUDGET, compute, exact_at, total_ulp
from harness.explain.shadow import Shadow, nodes, trace
from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem, antiderivative_of, is_hessian
from harness.sweep.own import Guarded, one_line
from harness.truth.certified import significant

CORRECT = 0.5  # a correctly rounded result needs no explanation
# A formula's exact value stands where twice the bits agree with it to 2^-80, in ulps or relatively.
CONFIRMED = mp.ldexp(1, -80)
MOST_BITS = 4096
# `truth` is good to 2^-160 of itself and the formula's exact value to more: a smaller difference is noise, and means none.
RESOLVED = mp.ldexp(1, -158)

Call = Callable[..., Any]
ADDRESS = re.compile(r" at 0x[0-9a-f]+\b")

CAUSES = {**blackbox.CAUSES, **ROUNDING_CAUSES, **BIAS_CAUSES, **EVENTS}
SENTENCES = {
    "absorption": "{operation} rounds to {value} (absorption)",
    "cancellation": "{operation} leaves little but the rounding of its terms (cancellation)",
    "saturation": "{operation} rounds to {value} (saturation)",
    "overflow": "{operation} overflows to {value}",
    "underflow": "{operation} underflows to {value}",
    "rounding": "roundings accumulate, most of all in {operation}",
    "clamp": "{operation} clamps to {value} (modelling bias)",
    "switch": "{operation} is {value}, where a clamp has no gradient (modelling bias)",
    "added eps": "{operation} adds an eps (modelling bias)",
    "branch": "{operation} is {value} and selects another formula (modelling bias)",
    "formula": "the formula itself, evaluated exactly, gives {own} (modelling bias)",
} | {event: f"{{operation}} = {{value}} ({event})" for event in EVENTS}


@dataclass(frozen=True)
class Explanation:
    """Hold why a result is wrong; errors in ulps of the exact value, infinite where a value is not finite.

    `cause` is a key of CAUSES, `operation` the operation it happened in ("" for a black box),
    `effects` what followed (keys of EVENTS), `like` the built-in kernel that a black box behaves
    like, and `not_followed` what could not be followed in it ("" where all was).  The parts of a black box's error are
    NaN.  What cures it is no matter of one input: see remedies.py.
    """

    computed: float
    exact: mpmath.mpf
    total_ulp: mpmath.mpf
    bias_ulp: mpmath.mpf
    rounding_ulp: mpmath.mpf
    cause: str
    operation: str
    effects: tuple[str, ...]
    reason: str
    like: str | None = None
    not_followed: str = ""


@dataclass(frozen=True)
class ProblemAt:
    """Hold what is asked: problem, format, inputs as arrays of size 1, and the truth there.

    Of K classes, the inputs are a row of logits and its label, and there is no problem of one input.  `noun` is what a
    sentence calls the problem's value: loss, gradient, Hessian or value.
    """

    problem: Problem | None
    fmt: Format
    inputs: tuple[np.ndarray, ...]
    exact: mpmath.mpf
    noun: str

    @property
    def values(self) -> tuple[float, ...]:
        """Return the input, and the target, as numbers."""
        return tuple(float(a.item()) for a in self.inputs)

    @property
    def truth(self) -> Expansion:
        """Return the exact value of the problem at the input as an expansion without a tail."""
        return self.exact._mpf_, expansions.ZERO[0]

    def ulps(self, difference: expansions.Raw) -> mpmath.mpf:
        """Return a difference in ulps of the truth."""
        return mp.make_mpf(difference) * self._per_ulp

    def bias(self, own: Expansion) -> mpmath.mpf:
        """Return how far a formula's exact value lies from the truth, in ulps; 0 where that cannot be told from nothing."""
        apart = mp.make_mpf(expansions.gap(own, self.truth))
        none = mpmath.isfinite(self.exact) and apart <= abs(self.exact) * RESOLVED
        return mp.mpf(0) if none else apart * self._per_ulp

    @cached_property
    def _per_ulp(self) -> mpmath.mpf:
        ulp = self.fmt.ulp(self.exact if mpmath.isfinite(self.exact) else self.fmt.max)
        return mp.mpf(ulp.denominator) / ulp.numerator  # a power of two


def noun_of(problem: Problem) -> str:
    """Name in a sentence what a problem's value is: loss, gradient, Hessian or value."""
    if is_hessian(problem):
        return "Hessian"
    if antiderivative_of(problem):
        return "gradient"
    return "loss" if problem.has_target else "value"


def explain(kernel: Kernel, problem: Problem, fmt: Format, x: object, y: object = None) -> Explanation:
    """Explain the error of a kernel at one input, and target.

    `x` and `y` are finite numbers of the format.  UsageError where they are not, or where a
    user's function raises.
    """
    elsewhere = getattr(kernel.function, "explained", None)
    if elsewhere is not None:  # a user's function in a process of its own
        return elsewhere(problem, fmt, x, y)
    if isinstance(kernel.function, Guarded):
        return explain_function(kernel.function.function, problem, fmt, x, y)
    case = _case(problem, fmt, x, y)
    return _traced(case, partial(trace, kernel), trace(kernel, *case.inputs))


def explain_function(
    function: Call, problem: Problem, fmt: Format, x: object, y: object = None, noun: str = ""
) -> Explanation:
    """Explain the error of a user's f(x) or f(x, y) on arrays at one input, and target.

    `noun` is what sentences call its value, by default what the problem's is: sigmoid_grad is a Hessian too.  Ordinary NumPy code is followed operation by operation.  Other code is a black box, judged by
    its values and by the built-in kernel that it behaves like; the reason names what could not be followed.
    """
    case = _case(problem, fmt, x, y)
    case = replace(case, noun=noun or case.noun)
    guarded = Guarded(function, getattr(function, "__name__", "the function"))
    computed = compute(guarded, *case.inputs)
    line, result, why = _followed(case, function, computed)
    if result is None:
        return _black_box(case, guarded, float(computed.item()), why)
    return _traced(line, partial(tracer(function), function), result)


def traced_function(function: Call, problem: Problem, fmt: Format, x: object, y: object = None) -> Shadow:
    """Return a user's function at one input, and target, as the Shadow of its result with all it was made from.

    UsageError, naming what it was, where the function does what cannot be followed.
    """
    case = _case(problem, fmt, x, y)
    guarded = Guarded(function, getattr(function, "__name__", "the function"))
    _, result, why = _followed(case, function, compute(guarded, *case.inputs))
    if result is None:
        raise UsageError(f"{guarded.name} cannot be followed: {why}")
    return result


def tracer(function: Call) -> Callable[..., Shadow]:
    """Return what follows a function: its own `follow`, which a function of another library has, or NumPy's."""
    own: Callable[..., Shadow] | None = getattr(function, "follow", None)
    return follow if own is None else lambda _, *inputs: own(*inputs)


def _followed(case: ProblemAt, function: Call, computed: np.ndarray) -> tuple[ProblemAt, Shadow | None, str]:
    """Return the case in one dimension, as users' functions get it, and the result followed, or why it cannot be."""
    line = replace(case, inputs=tuple(a[0] for a in case.inputs))
    try:
        result = tracer(function)(function, *line.inputs)
        result = result if result.shape else Shadow("positive", (result,), result.computed.reshape(1))
    except NotFollowed as e:
        return line, None, str(e)
    except Exception as e:  # code that meets another value than an array may raise anything
        return line, None, _told(e)
    if result.dtype != case.fmt.dtype or not blackbox.same(result.computed, computed).all():
        return line, None, "followed, it computes something else than by itself"
    return line, result, ""


def _case(problem: Problem, fmt: Format, x: object, y: object) -> ProblemAt:
    values = [float(v) for v in (x, y) if v is not None]  # type: ignore[arg-type]
    if len(values) != 1 + problem.has_target:
        raise UsageError(f"{problem.name} takes an input and {'a' if problem.has_target else 'no'} target")
    for v in values:
        if not math.isfinite(v) or float(np.float64(v).astype(fmt.dtype)) != v:
            raise UsageError(f"{v!r} is not a finite number of {fmt.name}; round it into the format first")
    inputs = tuple(np.full((1, 1), v).astype(fmt.dtype) for v in values)
    return ProblemAt(problem, fmt, inputs, exact_at(problem.name, tuple(values)), noun_of(problem))


def _traced(case: ProblemAt, again: Call, result: Shadow) -> Explanation:
    with mp.workprec(400):
        bits = 512
        # A bias of nothing is its own proof; any other must not come from too few bits.
        while bits <= MOST_BITS and case.ulps(expansions.gap(result.exact, case.truth)) > CONFIRMED:
            with expansions.working_bits(bits):
                before, result = result.exact, again(*case.inputs)
                size = abs(expansions.value(result.exact))
                if not mp.make_mpf(expansions.gap(before, result.exact)) > size * CONFIRMED:
                    break
            bits *= 2
        return _with_parts(case, result)


def _with_parts(case: ProblemAt, result: Shadow) -> Explanation:
    modelling = case.bias(result.exact)
    rounding = case.ulps(result.error)
    total = total_ulp(case.fmt, result.number, case.exact)
    if total <= CORRECT:
        finding = Diagnosis("rounding", result)
    elif rounding and (rounding >= modelling or not mpmath.isfinite(rounding)):
        finding = blame(result, case.fmt)
    elif not expansions.is_finite(result.exact):
        finding = undefined(result)
    else:
        finding = bias(result, case.truth)
    switched = finding.node.name == "where" and finding.cause in BIAS_CAUSES
    node = _deciding(finding.node.operands[0]) if switched else finding.node
    operation = expression(node)
    value = str(bool(node.number)).lower() if switched else number(node.number, node.dtype)
    own = magnitude(expansions.value(result.exact), case.fmt)
    kind = "switch" if switched and finding.cause == "clamp" else finding.cause
    told = SENTENCES[kind].format(operation=operation, value=value, own=own)
    told += "".join(f", then {e}" for e in finding.effects)
    told += _made_finite(result)
    reason = _sentence(case, result.number, total, told)
    parts = total, modelling, rounding
    return Explanation(result.number, case.exact, *parts, finding.cause, operation, finding.effects, reason)


def _made_finite(result: Shadow) -> str:
    """Write what nan_to_num made of an infinity or NaN that is none exactly; nothing where it met none."""
    alive = living(result)
    for node in nodes(result):
        if node.name == "nan_to_num" and id(node) in alive and expansions.is_finite(node.operands[0].exact):
            met = node.operands[0].number
            if not math.isfinite(met):
                return f", then nan_to_num turns {met:g} into {number(node.number, node.dtype)}"
    return ""


def _deciding(condition: Shadow) -> Shadow:
    """Return the comparison that decided a condition made of several: the false one of an `and`, the true of an `or`."""
    wanted = {"logical_and": False, "bitwise_and": False, "logical_or": True, "bitwise_or": True}
    while condition.name in wanted or condition.name in ("logical_not", "invert", "positive"):
        telling = [o for o in condition.operands if bool(o.number) == wanted.get(condition.name, bool(o.number))]
        condition = (telling or list(condition.operands))[0]
    return condition


def _sentence(case: ProblemAt, computed: float, total: mpmath.mpf, told: str) -> str:
    if total <= CORRECT:
        return f"the {case.noun} {number(computed, case.fmt.dtype)} is correctly rounded."
    digits = (magnitude(v, case.fmt, d) for d in (6, 9, 12, 17, 25) for v in (case.exact, mp.mpf(computed)))
    exact, became = next((a, b) for a, b in zip(digits, digits) if a != b)
    told = f"{told}: the {case.noun} {exact} becomes {became}"
    return told + (f", {significant(total, 3)} ulp off." if total <= BUDGET else ".")


def _black_box(case: ProblemAt, function: Guarded, computed: float, why: str) -> Explanation:
    assert case.problem is not None
    asked = case.problem, case.fmt, case.inputs
    twin = blackbox.twin(*asked, function)
    if twin is not None:
        found = explain(twin, *asked[:2], *case.values)
        reason = f"behaves like {twin.name}: {found.reason}"
        return replace(found, like=twin.name, reason=reason, not_followed=why)
    total = total_ulp(case.fmt, computed, case.exact)
    cause = "rounding" if total <= BUDGET else blackbox.cause(computed, case.exact)
    return _by_value(case, computed, cause or ("plateau" if blackbox.flat(*asked, function) else "unknown"), why)


def _by_value(case: ProblemAt, computed: float, cause: str, why: str) -> Explanation:
    """Explain a result by what it is: nothing is known of how it came about, or nothing for a reason."""
    total = total_ulp(case.fmt, computed, case.exact)
    told = f"the result is {blackbox.CAUSES[cause]} (operations that cannot be followed: {why})"
    reason = _sentence(case, computed, total, told)
    return Explanation(computed, case.exact, total, mp.nan, mp.nan, cause, "", (), reason, not_followed=why)


def _told(e: Exception) -> str:
    """Write what stopped following, without the address of an object, which is another one each time."""
    return ADDRESS.sub("", one_line(e))


def explain_vector(
    again: Callable[..., Shadow],
    noun: str,
    fmt: Format,
    inputs: tuple[np.ndarray, ...],
    computed: float,
    exact: mpmath.mpf,
) -> Explanation:
    """Explain one result of a function of a row of logits, and its label, which gave `computed` for `exact`.

    `again(*inputs)` follows the function and returns the Shadow of that result; what it raises says what is not followed.
    `noun` is what the result is: loss, gradient, Hessian or value.
    """
    case = ProblemAt(None, fmt, inputs, exact, noun)
    try:
        result = again(*inputs)
    except NotFollowed as e:
        why = str(e)
    except Exception as e:  # code that meets another value than an array may raise anything
        why = _told(e)
    else:
        if result.dtype == fmt.dtype and np.array_equal(result.number, computed, equal_nan=True):
            return _traced(case, again, result)
        why = "followed, it computes something else than by itself"
    within = total_ulp(fmt, computed, exact) <= BUDGET
    return _by_value(case, computed, "rounding" if within else blackbox.cause(computed, exact) or "unknown", why)
