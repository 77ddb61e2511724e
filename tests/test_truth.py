"""The truth against an independent oracle: Arb's ball arithmetic, by formulas of its own."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from mpmath import mp

from harness import UsageError
from harness.kernels import kernel_named, kernels_of
from harness.numbers import wide as wide_module
from harness.numbers.formats import FORMATS
from harness.numbers.wide import FLOAT64, exact_mpf, high_and_low, power_of_two_below, power_two, quad, wide_dtype
from harness.problems import PROBLEMS, cross_entropy
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.tables.rows import certified_extreme
from harness.truth import arb, fast
from harness.truth.arb import OracleDisagreement, cited, oracle
from harness.truth.certified import Undecided, enclose, round_to, side, truth
from harness.truth.fast import AuditFailure, audit, evaluate

TARGETS = (0.0, 1.0, 0.05, 0.5, 0.95, 2.0**-149, 1 - 2.0**-53)
POINTS = 90  # inputs of each problem and format; times the targets, thousands in all


def inputs(problem, fmt, count=POINTS):
    """Return inputs of a problem, spread over the value order, with the tails, 0 and the critical points."""
    lo, hi = fmt.finite_ordinals(*problem.domain)
    spread = np.linspace(lo, hi - 1, count).astype(np.int64).clip(lo, hi - 1)
    critical = np.array([float(fmt.round(v)) for v in problem.critical_points(fmt)])
    values = np.concatenate([fmt.from_ordinal(spread).astype(float), critical[np.isfinite(critical)]])
    return np.unique(values[(values >= problem.domain[0]) & (values <= problem.domain[1])])


def points(problem, fmt):
    targets = TARGETS if problem.has_target else (None,)
    for x in inputs(problem, fmt):
        for y in targets:
            if problem.input == "probability" and ((x == 0 and y != 0) or (x == 1 and y != 1)):
                continue  # a pole
            if (
                (x == 0 and problem.name == "log")
                or (x == 0 and problem.base.startswith("log1mexp"))
                or (x == -1 and problem.name == "log1p")
            ):
                continue
            yield (x,) if y is None else (x, y)


def slightly(problem, factor):
    """A problem whose mpmath form is off by 2^-factor."""

    def wrong(*point):
        whole, terms = problem.terms(*point)
        return whole * (1 + mp.mpf(2) ** -factor), [t * (1 + mp.mpf(2) ** -factor) for t in terms]

    return replace(problem, terms=wrong)


@pytest.mark.parametrize("fmt", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
class TestArb:
    """`cited` compares with Arb's ball wherever it is called; these are the places, and what it would catch."""

    def test_truth(self, problem, fmt):
        count = 0
        for point in points(problem, FORMATS[fmt]):
            cited(problem, tuple(mp.mpf(float(v)) for v in point))
            count += 1
        assert count >= 60

    def test_a_planted_fault_is_caught(self, problem, fmt):
        x = 0.75 if problem.domain[1] > 0 else -0.75
        point = tuple(mp.mpf(v) for v in ((x, 0.25) if problem.has_target else (x,)))
        for factor in (60, 150):
            with pytest.raises(OracleDisagreement, match=f"^{problem.name} at .* by mpmath, but Arb proves"):
                cited(slightly(problem, factor), point)


def test_a_planted_form_is_not_cited():
    """A wrong formula, not a wrong function: the tail left out where it is small."""
    problem, fmt = PROBLEMS["softplus"], FORMATS["float32"]
    faulty = replace(problem, terms=lambda x: (x, []) if x > 30 else problem.terms(x))
    grid = Grid("quick", problem, fmt)
    at = [int(fmt.ordinal(np.array([v], np.float32))[0]) for v in (20.0, 35.0)]
    function = kernels_of("softplus")[0]
    right, wrong = (Case(p, "planted", function, grid, None) for p in (problem, faulty))
    assert certified_extreme(right, at[0]) == certified_extreme(wrong, at[0])
    with pytest.raises(UsageError, match=r"softplus at \(35\.0\)"):
        certified_extreme(wrong, at[1])


def test_without_arb_mpmath_stands_alone_and_says_so(monkeypatch):
    assert re.fullmatch(r"mpmath and Arb \d+\.\d+.*", oracle())
    monkeypatch.setattr(arb, "INSTALLED", False)
    assert oracle() == "mpmath"
    cited(slightly(PROBLEMS["exp"], 60), (mp.mpf(1),))  # nobody is there to object


def test_every_problem_has_a_form_of_arb():
    assert list(arb.FORMS) == list(PROBLEMS)


class TestUndecided:
    """A question that no precision decides is not answered."""

    def test_a_side_is_equal_only_where_that_is_proved(self):
        half = mp.mpf(0.5)
        assert side(PROBLEMS["sigmoid"], (mp.mpf(0),), half) == 0
        assert side(PROBLEMS["sigmoid"], (mp.ldexp(1, -10_000),), half) == 1
        assert side(PROBLEMS["sigmoid"], (mp.ldexp(-1, -10_000),), half) == -1
        with mp.workprec(20_000):
            close = mp.ldexp(1, -9000) + mp.ldexp(1, -18_001)  # expm1 of 2^-9000 is next to this
        with pytest.raises(Undecided, match=r"expm1 at .* is not decided by 8192 bits"):
            side(PROBLEMS["expm1"], (mp.ldexp(1, -9000),), close)

    def test_truth_is_0_only_where_it_is(self):
        third = mp.mpf(1) / 3
        assert truth(PROBLEMS["bce_grad"], (third, third)) == 0
        with mp.workprec(20_000):
            near = third + mp.ldexp(1, -15_000)
        with pytest.raises(Undecided):
            truth(PROBLEMS["bce_grad"], (near, third))


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_tier_rounds_as_mpmath_does(problem, fmt):
    """The fast reference, with its ties handed to mpmath, gives the correctly rounded value."""
    f = FORMATS[fmt]
    x = np.unique(inputs(problem, f, 40).astype(f.dtype))
    y = np.unique(np.array(TARGETS).astype(f.dtype)) if problem.has_target else None
    with np.errstate(all="ignore"):
        found = evaluate(problem, f, x[None, :], None if y is None else y[:, None])
    wide = wide_dtype(f)
    for (t, n), value in np.ndenumerate(found.rounded_working):
        point = [exact_mpf(x[n].astype(wide))] + ([] if y is None else [exact_mpf(y[t].astype(wide))])
        expected = round_to(problem, f, tuple(point))
        assert value == expected or (np.isnan(value) and np.isnan(expected)), point


# Inputs where the exact value is next to a power of two, closer than a wide format can tell, and
# whether it is below (in size), where its ulp is half as large.
NEXT_TO_A_POWER = [
    ("sigmoid", 800, 1, True),
    ("sigmoid", 0, 0.5, False),
    ("sigmoid", 2.0**-130, 0.5, False),
    ("sigmoid", -(2.0**-130), 0.5, True),
    ("tanh", 400, 1, True),
    ("tanh", -400, -1, True),
    ("expm1", -700, -1, True),
    ("exp", 2.0**-130, 1, False),
    ("exp", -(2.0**-130), 1, True),
    ("log1p", 2.0**-120, 2.0**-120, True),
    ("log1p", -(2.0**-120), -(2.0**-120), False),
    ("bce_logits_grad", (-1000, 1), -1, True),
    ("bce_logits_grad", (1000, 0), 1, True),
    ("bce_grad", (2.0**-120, 0), 1, False),
    ("bce_grad", (2.0**-120, 1), -(2.0**120), False),
    ("focal_grad", -1000, -1, False),
    ("bce_logits", (1024, 0), 1024, False),
]


def ulps_next_to_powers(fmt):
    """Return the ulps of the fast reference, of the truth, and what is right."""
    for name, point, power, below in NEXT_TO_A_POWER:
        x, *y = (np.full((1, 1), v).astype(fmt.dtype) for v in np.atleast_1d(point))
        with np.errstate(all="ignore"):
            found = evaluate(PROBLEMS[name], fmt, x, *y)
        exact = truth(PROBLEMS[name], tuple(mp.mpf(float(v)) for v in np.atleast_1d(point)))
        assert found.value.astype(np.float64) == power
        yield found.ulp[0, 0], fmt.ulp(exact), fmt.ulp(power) / (2 if below else 1)


@pytest.mark.parametrize("fmt", ["bfloat16", "float32", "float64"])
def test_ulps_next_to_a_power_of_two(fmt, monkeypatch):
    for found, exact, right in ulps_next_to_powers(FORMATS[fmt]):
        assert found == exact == right
    monkeypatch.setattr(fast, "near_power", lambda sizes, bits: np.zeros(sizes.shape, bool))
    assert sum(fast != right for fast, _, right in ulps_next_to_powers(FORMATS[fmt])) >= 5  # what is decided is needed


@pytest.mark.parametrize("name", [p.name for p in PROBLEMS.values() if p.monotone_beyond < np.inf])
def test_problems_are_monotone_where_they_say(name):
    problem, fmt = PROBLEMS[name], FORMATS["float32"]
    start, stop = fmt.finite_ordinals(*problem.domain)
    x = fmt.from_ordinal(np.linspace(start, stop - 1, 4001).astype(np.int64)).astype(np.float64)
    targets = [np.array([[0.0], [0.3], [1.0]])] if problem.has_target else []
    for half in (x <= -problem.monotone_beyond, x >= problem.monotone_beyond):
        with np.errstate(all="ignore"):
            value = problem.fast(x[half][None], *targets)
        step, room = np.diff(value), 2.0**-49 * abs(value[:, 1:])  # the wide format rounds
        assert (step >= -room).all() or (step <= room).all()
    with np.errstate(all="ignore"):
        unlike = np.diff(PROBLEMS["bce_logits"].fast(x[None], np.array([[0.3]])))
    assert (unlike < 0).any() and (unlike > 0).any()


@pytest.mark.parametrize("exponent", [-1079, -1074, -1050, -1026, -1023, -1022, -300, 0, 1020, 1023])
def test_113_bits_are_rounded_once(exponent):
    """Where float64 is subnormal, a plain conversion rounds twice."""
    f, n = FORMATS["float64"], np.arange(300)
    wide = wide_dtype(f)
    random = np.random.default_rng(exponent + 2000).random((2, 300))
    low = np.where(n % 3, random[0], 1 + (n // 3 % 3 - 1) * 2.0**-50) * 2.0**-53
    value = ((1 + random[1]).astype(wide) + low.astype(wide))[None, :] * power_two(exponent, wide)
    least = power_two(f.emin, wide)
    ulp = np.maximum(power_of_two_below(value), least) * power_two(1 - f.precision, wide)
    rounded, distance = fast._nearest_float64(*fast._split(value, ulp)[:3])
    expected = [float(f.round(exact_mpf(v))) for v in value[0]]
    decided = distance[0] != 0.5  # mpmath rounds the others
    assert (rounded[0] == expected)[decided].all()
    if exponent == -1023:
        assert (value[0].astype(np.float64) != expected)[decided].any()  # the fault would be seen


def test_113_bits_are_divided_by_their_bits_as_by_arithmetic():
    rng = np.random.default_rng(0)
    wide = wide_dtype(FORMATS["float64"])
    value = (1 + rng.random(4000)).astype(wide) + (rng.integers(-4, 5, 4000) * 2.0**-55).astype(wide)  # ties among them
    value += (rng.random(4000) * 2.0**-60 * rng.integers(0, 2, 4000)).astype(wide)
    value *= np.exp2(rng.integers(-1021, 1022, 4000)).astype(wide) * rng.choice([-1, 1], 4000).astype(wide)
    ulp = power_of_two_below(value) * power_two(-52, wide)
    halves = ulp / np.asarray(2.0).astype(wide)  # below a power of two
    for ulps in (ulp, halves):
        high, low = high_and_low(value, ulps)
        assert (abs(low * (ulps / ulp).astype(float)) <= 0.5).all()
        assert (((value - high.astype(wide)) / ulps).astype(float) == low).all()
        ties = abs(low * (ulps / ulp).astype(float)) == 0.5
        assert ties.any() and not (high[ties].view(np.int64) & 1).any()
        assert (high[~ties] == value[~ties].astype(float)).all()
    extended = np.append(value, [0]).astype(wide)  # a value at the ends: all go by arithmetic
    by_arithmetic = high_and_low(extended, np.append(ulp, ulp[:1]))
    assert (by_arithmetic[0][:-1][~ties] == high[~ties]).all() and by_arithmetic[1][-1] == 0


@pytest.mark.parametrize("wide", [FLOAT64, quad()], ids=["float64", "quad"])
@pytest.mark.parametrize("name", ["exp", "log1p", "expm1"])
def test_near_zero_the_wide_functions_are_known(name, wide):
    """Where the library is not asked the result is within half an ulp; just beyond, it is asked."""
    bits = 53 if wide == FLOAT64 else 113
    at = [power_two(-bits - 1, wide), -power_two(-bits - 1, wide), power_two(-bits, wide), power_two(-900, wide)]
    for v in at:
        found, argument = getattr(wide_module, name)(np.array([v])), exact_mpf(v)
        with mp.workprec(2000):
            exact = getattr(mp, name)(argument)
            assert abs(exact_mpf(found[0]) - exact) <= abs(exact) * mp.mpf(2) ** -bits
    inputs = np.array([0.0, -0.0, np.inf, np.nan]).astype(wide)
    with np.errstate(invalid="ignore"):
        found, expected = getattr(wide_module, name)(inputs), getattr(np, name)(inputs)
    for mine, library in zip(found, expected):
        assert mine == library or (np.isnan(mine) and np.isnan(library))


@pytest.mark.parametrize("fmt", ["bfloat16", "float32", "float64"])
def test_audit_catches_a_planted_error(fmt):
    problem, f = PROBLEMS["bce_logits"], FORMATS[fmt]
    x, y = np.linspace(-20, 20, 9).astype(f.dtype), np.array([0, 1]).astype(f.dtype)
    with np.errstate(all="ignore"):
        assert audit(problem, f, x, y) <= -fast.BOUND_BITS[f.bits <= 32]
        faulty = replace(problem, fast=lambda *a: cross_entropy._fast_bce_logits(*a) * (1 + 2.0**-40))
        with pytest.raises(AuditFailure, match="bce_logits"):
            audit(faulty, f, x, y)


class TestSymmetries:
    """No truth is needed for these."""

    @pytest.mark.parametrize("x", [-1e4, -30.5, -(2.0**-60), 0.0, 0.3, 12.0, 800.0])
    @pytest.mark.parametrize("y", [0.0, 0.1, 0.5, 1.0])
    def test_loss_and_gradient(self, x, y):
        loss, gradient = PROBLEMS["bce_logits"], PROBLEMS["bce_logits_grad"]
        with mp.workprec(300):
            a, b, c = mp.mpf(x), mp.mpf(y), 1 - mp.mpf(y)
            for one, other in (
                (truth(loss, (a, b)), truth(loss, (-a, c))),
                (truth(gradient, (a, b)), -truth(gradient, (-a, c))),
            ):
                assert abs(one - other) <= abs(one) * mp.mpf(2) ** -150
        assert truth(loss, (a, b)) > 0
        assert enclose(loss, (a, b), 200).lower >= 0

    @pytest.mark.parametrize("kernel", ["softplus_pair", "logaddexp_pair", "maechler"])
    @pytest.mark.parametrize("fmt", ["float16", "bfloat16"])
    def test_stable_kernels_keep_them_at_every_logit(self, kernel, fmt):
        f, k = FORMATS[fmt], kernel_named("bce_logits", kernel)
        x = f.from_ordinal(np.arange(*f.finite_ordinals()))[None, :]
        y = np.array([[0], [1]]).astype(f.dtype)
        with np.errstate(all="ignore"):
            loss, mirrored = k(x, y), k(-x, y)[::-1]
        assert np.array_equal(loss, mirrored)
        assert (loss >= 0).all()
        falls = np.count_nonzero(np.diff(loss[0].astype(float)) < 0)
        # log1p(exp(-|x|)) is rounded twice, and so falls here and there; one call of logaddexp does not.
        assert falls == 0 if kernel == "logaddexp_pair" else falls < 1000

    def test_an_unstable_kernel_breaks_them(self):
        """Negative control."""
        f, k = FORMATS["float16"], kernel_named("bce_logits", "linear_softplus")
        x = f.from_ordinal(np.arange(*f.finite_ordinals()))[None, :]
        y = np.array([[0], [1]]).astype(f.dtype)
        with np.errstate(all="ignore"):
            assert not np.array_equal(k(x, y), k(-x, y)[::-1])


class TestSpotValues:
    def test_naive_becomes_infinite_where_sigmoid_rounds_to_one(self):
        f, k = FORMATS["float32"], kernel_named("bce_logits", "sigmoid_naive")
        # The least x with fl(sigmoid(x)) = 1, sigmoid rounded as the kernel computes it.
        low, high = f.ordinal(np.array([1.0, 100.0], np.float32))
        while high - low > 1:
            middle = (low + high) // 2
            x = f.from_ordinal(np.array([middle]))
            one = np.float32(1) / (np.float32(1) + np.exp(-x)) == 1
            low, high = (low, middle) if one[0] else (middle, high)
        x = f.from_ordinal(np.array([high - 1, high]))
        with np.errstate(all="ignore"):
            assert np.isinf(k(x, np.float32(0))).tolist() == [False, True]

    @pytest.mark.parametrize(("target", "side", "plateau"), [(0, 1, 15.942385), (1, -1, 16.118096)])
    @pytest.mark.parametrize("size", [20.0, 50.0, 80.0, 1e30])
    def test_clip_plateaus(self, target, side, plateau, size):
        for problem, name, at in (
            ("bce_logits", "sigmoid_clip_1e-7", side * size),
            ("bce", "clip_1e-7", 1.0 if side > 0 else 0.0),
        ):
            with np.errstate(all="ignore"):
                value = kernel_named(problem, name)(np.array([at], np.float32), np.float32(target))
            assert value[0] == np.float32(plateau)

    def test_two_ways_of_the_same_softplus(self):
        assert float(truth(PROBLEMS["softplus"], (mp.mpf(0),))) == math.log(2)
