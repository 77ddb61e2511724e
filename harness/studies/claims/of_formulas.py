"""Claims that exact values and the kernels decide, without any library but NumPy."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np

from harness.studies.claims import measures as m
from harness.studies.claims.entry import Checked, claim
from harness.studies.claims.speed import pace

LOGITS = (2.0, -1.0, 0.5)
TUTORIALS = "tutorials"


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


@claim("f", "Clipping the probability to [1e-15, 1 − 1e-15] cures the instability.", TUTORIALS)
def clip_cures() -> Checked:
    off = {f: m.first_off("sigmoid_clip_1e-15", f) for f in m.FORMATS}
    idle = [f for f in m.FORMATS if m.formats[f].round(1 - m.number("1e-15")) == 1]
    return Checked(
        "more than 5 % off from logit " + m.by_format(off),
        not any(off.values()),
        wrong=f"1 − 1e-15 is 1 in {', '.join(idle)}, so log(1 − p) is infinite as before; where the clip works, the "
        f"loss stops at {m.shown(m.plateau('1e-15'))}",
    )


@claim("i", "NumPy raises an error on log(0).", TUTORIALS)
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


@claim("j", "Adding 1e-7 inside the logarithms makes it stable.", TUTORIALS)
def added_eps() -> Checked:
    off = {f: m.first_off("sigmoid_add_eps_1e-7", f) for f in m.FORMATS}
    negative = m.run("bce_logits", "sigmoid_add_eps_1e-7", m.floats(20), 1)[0]
    return Checked(
        "more than 5 % off from logit " + m.by_format(off),
        not any(off.values()),
        wrong=f"the loss stops at {m.shown(m.plateau('1e-7'))}, and a confident right prediction gets a negative one "
        f"({m.shown(negative)} at logit 20, y = 1, float32)",
    )


@claim("k", "The log-sum-exp form is both faster and more stable.")
def log_sum_exp() -> Checked:
    paces = {f: pace("lse_log1p", "sigmoid_naive", f) for f in ("float32", "float64")}
    calls = [m.function_calls(name) for name in ("lse_log1p", "sigmoid_naive")]
    stable = m.worst("lse_log1p", "float32") < m.worst("sigmoid_naive", "float32")
    faster = {p == "faster" for p in paces.values()}
    return Checked(
        f"{m.found('lse_log1p', 'float32')} ulp off at worst instead of {m.found('sigmoid_naive', 'float32')} (float32, "
        f"y = 0); in NumPy {', '.join(f'{p} in {f}' for f, p in paces.items())} than the naive form",
        stable and (None if len(faster) == 2 else faster.pop()),
        right=f"for hard labels; it calls {calls[0]} functions instead of {calls[1]}",
        depends=f"more stable, for hard labels; it calls {calls[0]} functions instead of {calls[1]}, but log1p is slower "
        "than log where only log is vectorised",
    )


@claim("o", "In float64 the naive form log(sigmoid(x)) is safe.")
def float64_is_safe() -> Checked:
    ends = {f: m.first_spurious("sigmoid_naive", f) for f in ("float32", "float64")}
    return Checked(
        f"infinite from logit {m.by_format(ends)}, y = 0",
        ends["float64"] is None,
        wrong="float64 moves the cliff and does not take it away",
    )


@claim("r", "bfloat16 is safe because it has float32's range.")
def bfloat16_range() -> Checked:
    ends = {f: m.first_spurious("sigmoid_naive", f) for f in ("bfloat16", "float16", "float32")}
    bits = {f: m.formats[f].precision for f in ends}
    return Checked(
        f"the naive form is infinite from logit {m.by_format(ends)}, y = 0",
        ends["bfloat16"] is None or (ends["float32"] is not None and ends["bfloat16"] >= ends["float32"]),
        wrong=f"what fails is 1 − p, which needs precision: bfloat16 has {bits['bfloat16']} bits, float16 "
        f"{bits['float16']}",
    )


@claim("t", "max(x, 0) − x·y + log1p(exp(−abs(x))) is exact to the last digit.")
def fused_is_exact() -> Checked:
    hard = {f: m.found("lse_log1p", f) for f in m.FORMATS}
    soft = m.found("lse_log1p", "float32", "next_down_1")
    return Checked(
        f"y = 0: {m.by_format(hard)} ulp off at worst; y next to 1: {soft} ulp (float32)",
        max(m.worst("lse_log1p", f) for f in m.FORMATS) <= 0.5,
        wrong="it rounds twice for hard labels; for soft labels next to 1 x − x·y cancels, where the sum of two softplus "
        "terms does not",
    )


@claim("v", "For x > 20, softplus(x) is x.", "documentation (torch's default threshold)")
def softplus_cutoff() -> Checked:
    off = {f: m.ulps(f, m.formats[f].round(m.number(20.5)), m.exact("softplus", 20.5)) for f in m.FORMATS}
    exact = {f: u <= 0.5 for f, u in off.items()}
    return Checked(
        f"at x = 20.5 off by {m.by_format(off)} ulp",
        None if len(set(exact.values())) == 2 else exact["float64"],
        depends=f"x is the correctly rounded softplus in {', '.join(f for f in m.FORMATS if exact[f])}, not in "
        f"{', '.join(f for f in m.FORMATS if not exact[f])}",
    )


@claim("ab", "With labels in [0, 1] a cross-entropy never comes out negative.")
def negative_losses() -> Checked:
    found = m.negative_kernels("float32", "1")
    count = len(m.kernels_of("bce_logits"))
    return Checked(
        f"in {len(found)} of {count} kernels it does (float32, y = 1): {', '.join(found) or 'none'}",
        not found,
        wrong="an added eps makes the argument of the logarithm larger than 1",
    )
