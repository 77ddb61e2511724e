"""Claims about what becomes of a loss when its probability has been rounded."""

from __future__ import annotations

import numpy as np

from harness.studies.claims import measures as m
from harness.studies.claims.entry import Checked, claim


@claim("p", "The sigmoid never returns exactly 0 or 1.")
def sigmoid_saturates() -> Checked:
    one = {f: m.first_one(f) for f in m.FORMATS}
    return Checked(
        "1 from logit " + m.by_format(one),
        not any(one.values()),
        wrong="true of the function, not of its rounded value: 1 − σ(x) falls below half an ulp of 1",
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


@claim("s", "The loss of a perfect prediction is 0.")
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
        "y = 0.05: inf or NaN from logit " + m.by_format(ends),
        not any(ends.values()),
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
    return Checked(
        f"y = 0: {m.shown(right[0])} at logit −20 (naive {m.shown(right[1])}, exactly {m.digits(exact, 3)}), infinite "
        f"from logit {m.shown(end)} (float32)",
        end is None if (m.ulps("float32", right[0], exact) <= 4) == (end is None) else None,
        depends="it keeps the digits of a small p, which 1 − p drops; those of a p next to 1 are gone before",
    )


@claim("aa", "The subtraction 1 − p is where the digits are lost.")
def subtraction() -> Checked:
    p = np.linspace(0.5, 1, 1 << 16, endpoint=False, dtype=np.float32)
    exact = int((np.float64(1) - p.astype(np.float64) == (np.float32(1) - p)).sum())
    small = np.float32(1) - m.run("sigmoid", "branched", m.floats(-20))[0]
    return Checked(
        f"1 − p is exact for {exact} of {p.size} p in [1/2, 1); for p = σ(−20) it is {m.shown(small)} (float32)",
        None if exact == p.size and small == 1 else exact < p.size,
        depends="for p below 1/2 it is; above, the subtraction is exact (Sterbenz) and the digits were lost when σ(x) was "
        "rounded",
    )


@claim("ac", "Under mixed precision it is enough to compute the loss in float32.")
def loss_in_float32() -> Checked:
    def late(fmt: str) -> float | None:
        return m.first_where(
            fmt, lambda x: np.isinf(m.run("bce", "naive_log1p", m.run("sigmoid", "branched", x).astype(np.float32), 0))
        )

    ends = {f: late(f) for f in ("float16", "bfloat16")}
    return Checked(
        f"loss in float32 of a 16-bit probability: infinite from logit {m.by_format(ends)}; of a 16-bit "
        f"logit: {m.found('softplus_pair', 'float32')} ulp off at worst",
        None if any(ends.values()) else True,
        depends="from the logit it is; the 16-bit sigmoid has rounded to 1 before the conversion",
    )
