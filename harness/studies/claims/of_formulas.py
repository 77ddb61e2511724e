"""Claims that exact values and the kernels decide, without any library but NumPy."""

from __future__ import annotations

import math
import warnings
from typing import Literal

import numpy as np

from harness.kernels import kernels_of
from harness.numbers.formats import format_named
from harness.studies.claims import instruments as m
from harness.studies.claims.entry import Checked, claim
from harness.studies.claims.first import First
from harness.tables.strongest import Known

# A recipe that says both: the range of bfloat16 keeps gradients finite, the loss is computed in float32.
MIXED_PRECISION = "https://aicassindra.com/blogs/transformer_math/mixed_precision_training.html"
LOGITS = (2.0, -1.0, 0.5)


@claim(
    "a",
    "The sigmoid cross-entropies of logits [2, −1, 0.5] with labels [1, 0, 1] are [0.126928, 0.31326166, 0.6224593].",
)
def three_losses() -> Checked:
    stated = (0.126928, 0.31326166, 0.6224593)
    exact = [m.exact("bce_logits", x, y) for x, y in zip(LOGITS, (1, 0, 1), strict=True)]
    off = [i for i in range(3) if m.ulps("float32", stated[i], exact[i]) > 4]  # as a float32 loss might be printed
    named = {
        "σ(0.5), the probability": m.exact("sigmoid", LOGITS[2]),
        "the loss with label 0": m.exact("bce_logits", LOGITS[2], 0),
    }
    known = "".join(f"; it is {name}" for name, v in named.items() if m.ulps("float32", stated[2], v) < 4)
    wrong = f"{', '.join(str(stated[i]) for i in off)} is no loss of these logits and labels{known}"
    return Checked(m.listed(exact, 8), not off, right="each is the loss to float32's last digits", wrong=wrong)


@claim("b", "With soft labels [0.8, 0.2, 0.9] on the same logits the mean loss is 0.5334613.")
def soft_mean() -> Checked:
    mean = sum(m.exact("bce_logits", x, y) for x, y in zip(LOGITS, ("0.8", "0.2", "0.9"), strict=True)) / 3
    off = float(abs(mean - m.number("0.5334613")) / mean)
    return Checked(m.digits(mean, 7), off < 1e-6, wrong=f"the stated mean is {100 * off:.2g} % off")


@claim("c", "Labels outside [0, 1] give inf or NaN in the fused form.")
def labels_outside() -> Checked:
    x = np.linspace(-100, 100, 401, dtype=np.float32)
    found = np.concatenate([m.run("bce_logits", "lse_log1p", x, label) for label in (-1, 1.5, 2)])
    finite = int(np.isfinite(found).sum())
    return Checked(
        f"labels −1, 1.5 and 2: {finite} of {found.size} losses finite, {int((found < 0).sum())} of them negative",
        finite == 0 if finite in (0, found.size) else None,
        wrong="nothing checks the label; the loss has no lower bound, and training follows it down",
    )


@claim(
    "f",
    "Clipping the probability to [1e-15, 1 − 1e-15] cures the instability.",
    "https://ai.ppradosh.com/2026/april/27/the-consequence-of-curves-binary-cross-entropy",
    from_tables=True,
)
def clip_cures(known: Known) -> Checked:
    off = {f: m.first_wrong(known, "sigmoid_clip_1e-15", f) for f in m.FORMATS}
    idle = [f for f in m.FORMATS if format_named(f).round(1 - m.number("1e-15")) == 1]
    return Checked(
        "first more than 5 % off at logit " + m.by_format(off),
        all(first.value is None for first in off.values()),
        wrong=f"1 − 1e-15 is 1 in {', '.join(idle)}, so log(1 − p) is infinite as before; where the clip works, the "
        f"loss stops at {m.shown(m.plateau('1e-15'))}",
    )


@claim(
    "i",
    "NumPy raises an error on log(0).",
    "https://community.deeplearning.ai/t/logistic-loss-function-divide-by-zero-encountered-in-log/192184",
)
def numpy_log_zero() -> Checked:
    def outcome(mode: Literal["warn", "raise"]) -> str:
        with warnings.catch_warnings(record=True) as caught, np.errstate(divide=mode):
            warnings.simplefilter("always")
            try:
                value = f"{np.log(np.float32(0))}"
            except FloatingPointError as e:
                return type(e).__name__
        return value + "".join(f" and a {w.category.__name__}" for w in caught)

    return Checked(
        f"{outcome('warn')}; under np.errstate(divide='raise') {outcome('raise')}",
        outcome("warn").endswith("Error"),
        wrong="by default it warns, once per place in the code, and goes on with −inf",
        versions=f"numpy=={np.__version__}",
    )


@claim(
    "j",
    "Adding 1e-7 inside the logarithms makes it stable.",
    "https://github.com/oreilly-japan/deep-learning-from-scratch/blob/07b1161/common/functions.py (cross_entropy_error)",
    from_tables=True,
)
def added_eps(known: Known) -> Checked:
    off = {f: m.first_wrong(known, "sigmoid_add_eps_1e-7", f) for f in m.FORMATS}
    negative = m.run("bce_logits", "sigmoid_add_eps_1e-7", m.floats(20), 1)[0]
    return Checked(
        "first more than 5 % off at logit " + m.by_format(off),
        all(first.value is None for first in off.values()),
        wrong=f"the loss stops at {m.shown(m.plateau('1e-7'))}, and a confident right prediction gets a negative one "
        f"({m.shown(negative)} at logit 20, y = 1, float32)",
    )


@claim(
    "k",
    "The log-sum-exp form is both faster and more stable.",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html",
    from_tables=True,
)
def log_sum_exp(known: Known) -> Checked:
    paces = {f: m.pace("lse_log1p", "sigmoid_naive", f) for f in ("float32", "float64")}
    calls = [m.function_calls(name) for name in ("lse_log1p", "sigmoid_naive")]
    stable = m.worst(known, "lse_log1p", "float32") < m.worst(known, "sigmoid_naive", "float32")
    faster = {p == "faster" for p in paces.values()}
    return Checked(
        f"{m.found(known, 'lse_log1p', 'float32')} ulp off at worst instead of "
        f"{m.found(known, 'sigmoid_naive', 'float32')} (float32, y = 0); in NumPy {', '.join(f'{p} in {f}' for f, p in paces.items())} than the naive form",
        stable and (None if len(faster) == 2 else faster.pop()),
        right=f"for hard labels; it calls {calls[0]} functions instead of {calls[1]}",
        depends=f"more stable, for hard labels; it calls {calls[0]} functions instead of {calls[1]}, but log1p is slower "
        "than log where only log is vectorised",
    )


@claim(
    "o",
    "In float64 the naive form log(sigmoid(x)) is safe.",
    "https://ai.stackexchange.com/questions/6622",
)
def float64_is_safe() -> Checked:
    ends = {f: m.first_spurious("sigmoid_naive", f) for f in ("float32", "float64")}
    return Checked(
        f"first infinite at logit {m.by_format(ends)}, y = 0",
        ends["float64"].value is None,
        wrong="float64 moves the cliff and does not take it away",
    )


@claim("r", "bfloat16 is safe because it has float32's range.", MIXED_PRECISION)
def bfloat16_range() -> Checked:
    ends = {f: m.first_spurious("sigmoid_naive", f) for f in ("bfloat16", "float16", "float32")}
    bits = {f: format_named(f).precision for f in ends}
    return Checked(
        f"the naive form is first infinite at logit {m.by_format(ends)}, y = 0",
        ends["bfloat16"].value is None or ends["bfloat16"].value >= (ends["float32"].value or math.inf),
        wrong=f"what fails is 1 − p, which needs precision: bfloat16 has {bits['bfloat16']} bits, float16 "
        f"{bits['float16']}",
    )


@claim("t", "max(x, 0) − x·y + log1p(exp(−abs(x))) is exact to the last digit.", from_tables=True)
def fused_is_exact(known: Known) -> Checked:
    hard = {f: m.found(known, "lse_log1p", f) for f in m.FORMATS}
    soft = m.found(known, "lse_log1p", "float32", "next_down_1")
    largest = m.strongest(known, "lse_log1p", "float32").maximum
    assert largest, "its results are finite"
    at = float.fromhex(largest.input)
    small = np.exp(-abs(m.floats(at)))
    exp, carried = m.ulps("float32", small[0], m.exact("exp", -abs(at))), m.carried("float32", small[0], at)
    log1p = m.ulps("float32", np.log1p(small)[0], m.exact("log1p", float(small[0])))
    return Checked(
        f"y = 0: {m.by_format(hard)} ulp off at worst; y next to 1: {soft} ulp (float32)",
        max(m.worst(known, "lse_log1p", f) for f in m.FORMATS) <= 0.5,
        wrong=f"every operation rounds, and exp and log1p add errors of their own: where float32 is worst, at {m.shown(at)}, "
        f"exp is {m.shown(exp)} ulp off, which is {m.shown(carried)} ulp of the loss, and log1p of it {m.shown(log1p)}; for "
        "soft labels next to 1 x − x·y cancels, where the sum of two softplus terms does not",
    )


@claim("v", "For x > 20, softplus(x) is x.", "https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html")
def softplus_cutoff() -> Checked:
    off = {f: m.ulps(f, format_named(f).round(m.number(20.5)), m.exact("softplus", 20.5)) for f in m.FORMATS}
    exact = {f: u <= 0.5 for f, u in off.items()}
    return Checked(
        f"at x = 20.5 off by {m.by_format(off)} ulp",
        None if len(set(exact.values())) == 2 else exact["float64"],
        depends=f"x is the correctly rounded softplus in {', '.join(f for f in m.FORMATS if exact[f])}, not in "
        f"{', '.join(f for f in m.FORMATS if not exact[f])}",
    )


@claim("ab", "With labels in [0, 1] a cross-entropy never comes out negative.", from_tables=True)
def negative_losses(known: Known) -> Checked:
    found = m.negative_kernels(known, "float32", "1")
    count = len(kernels_of("bce_logits"))
    return Checked(
        f"in {len(found)} of {count} kernels it does (float32, y = 1): {', '.join(found) or 'none'}",
        not found,
        wrong="an added eps makes the argument of the logarithm larger than 1",
    )


# -- what becomes of a loss when its probability has been rounded -----------------------------------


@claim(
    "p",
    "The sigmoid never returns exactly 0 or 1.",
    "https://datascience.stackexchange.com/questions/19819/sigmoids-stability",
)
def sigmoid_saturates() -> Checked:
    one = {f: m.first_one(f) for f in m.FORMATS}
    due = {f: m.first_rounded_to_one(f) for f in m.FORMATS}
    return Checked(
        f"first 1 at logit {m.by_format(one)}; the correctly rounded sigmoid, at {m.by_format(due)}",
        all(first.value is None for first in one.values()),
        wrong="true of the function, not of its rounded value. In a format of p bits e^−x is half an ulp of 1 at "
        "x = p·ln 2, from where 1 + e^−x rounds to 1; 1 − σ(x) is half of the finer ulp below 1 only at (p + 1)·ln 2, from "
        "where 1 is the right answer",
    )


@claim("q", "log(sigmoid(x)) and log_sigmoid(x) are the same.")
def two_log_sigmoids() -> Checked:
    x = m.floats(-20, -100, -110)
    with np.errstate(all="ignore"):
        apart = np.log(m.run("sigmoid", "branched", x))
    fused = m.run("log_sigmoid", "log_expit", x)
    return Checked(
        f"at {m.listed(x, 3)}: {m.listed(apart, 4)} against {m.listed(fused, 4)} (float32)",
        bool((apart == fused).all()),
        wrong="σ(x) loses digits and then underflows to 0 where its logarithm is an ordinary number",
    )


@claim(
    "s", "The loss of a perfect prediction is 0.", "https://ml-cheatsheet.readthedocs.io/en/latest/loss_functions.html"
)
def perfect_prediction() -> Checked:
    exact = [m.exact("bce", 1, 1), m.exact("bce_logits", 20, 1)]
    naive, clipped = (m.run("bce", name, m.floats(1), 1)[0] for name in ("naive", "clip_1e-7"))
    zero = {bool(v == 0) for v in (*exact, naive, clipped)}
    return Checked(
        f"p = 1, y = 1: exactly {m.shown(exact[0])}, {m.shown(naive)} from the naive form, {m.shown(clipped)} clipped at "
        f"1e-7 (float32); logit 20, y = 1: exactly {m.digits(exact[1], 3)}",
        None if len(zero) == 2 else zero.pop(),
        depends="0 at p = 1, which no finite logit gives; there the naive form computes 0 · log(0), and a clip keeps p "
        "from being 1",
    )


@claim("u", "Label smoothing makes the naive form stable, since no label is 0 or 1.")
def smoothing_is_stable() -> Checked:
    ends = {f: m.first_spurious("sigmoid_naive", f, 0.05) for f in m.FORMATS}
    return Checked(
        "y = 0.05: inf or NaN first at logit " + m.by_format(ends),
        all(first.value is None for first in ends.values()),
        wrong="both logarithms now count at every logit, so log(0) comes in at both ends",
    )


@claim("x", "The gradient is p − y anyway, so that clipping the loss does not touch training.")
def clipped_gradient() -> Checked:
    names = ("sigmoid_clip_1e-7", "sigmoid_minus_target")
    clipped, direct = (m.run("bce_logits_grad", name, m.floats(-20), 1)[0] for name in names)
    return Checked(
        f"logit −20, y = 1: {m.shown(clipped)} through the clip, p − y is {m.shown(direct)} (float32)",
        bool(clipped == direct),
        wrong="autodiff differentiates the clip, too, and beyond its ends that is constant: the worst examples stop "
        "teaching",
    )


@claim("z", "Writing log1p(−p) for log(1 − p) makes the loss of a probability stable.")
def log1p_of_probability() -> Checked:
    right = [m.run("bce_logits", name, m.floats(-20), 0)[0] for name in ("sigmoid_log1p", "sigmoid_naive")]
    exact = m.exact("bce_logits", -20, 0)
    end = m.first_spurious("sigmoid_log1p", "float32")
    stable = end.value is None
    return Checked(
        f"y = 0: {m.shown(right[0])} at logit −20 (naive {m.shown(right[1])}, exactly {m.digits(exact, 3)}), first "
        f"infinite at logit {m.shown(end)} (float32)",
        stable if (m.ulps("float32", right[0], exact) <= 4) == stable else None,
        depends="it keeps the digits of a small p, which 1 − p drops; those of a p next to 1 are gone before",
    )


@claim("aa", "The subtraction 1 − p is where the digits are lost.")
def subtraction() -> Checked:
    (above, all_above), (below, all_below) = m.exact_differences(0.5, 1), m.exact_differences(0.25, 0.5)
    at = 15.0
    p = m.run("sigmoid", "branched", m.floats(at))
    lost = abs(m.number(float(1 - p[0])) / m.exact("sigmoid", -at) - 1)
    return Checked(
        f"1 − p is exact for {above} of all {all_above} float32 p in [1/2, 1), for {below} of {all_below} in [1/4, 1/2); "
        f"at logit {at:g} σ(x) is {m.shown(m.ulps('float32', p[0], m.exact('sigmoid', at)))} ulp off, and 1 − p, taken "
        f"from it without a rounding, {float(100 * lost):.2g} %",
        None if above == all_above and below < all_below else above < all_above,
        depends="for p below 1/2 it is; above, the subtraction is exact (Sterbenz), and the digits were lost when σ(x) was "
        "rounded",
    )


@claim("ac", "Under mixed precision it is enough to compute the loss in float32.", MIXED_PRECISION, from_tables=True)
def loss_in_float32(known: Known) -> Checked:
    def late(fmt: str) -> First:
        return m.first_where(
            fmt, lambda x: np.isinf(m.run("bce", "naive_log1p", m.run("sigmoid", "branched", x).astype(np.float32), 0))
        )

    ends = {f: late(f) for f in ("float16", "bfloat16")}
    return Checked(
        f"loss in float32 of a 16-bit probability: first infinite at logit {m.by_format(ends)}; of a logit, "
        f"16-bit or not: {m.found(known, 'softplus_pair', 'float32')} ulp off at worst",
        None if any(first.value for first in ends.values()) else True,
        depends="from the logit it is; the 16-bit sigmoid has rounded to 1 before the conversion",
    )
