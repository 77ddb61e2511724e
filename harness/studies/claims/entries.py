"""The claims: one entry each, a statement and the function that checks it.

To add a claim, write a function here and enter it with `@claim(name, statement)`; the table, the
page and the tests pick it up.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from harness.studies.claims import measures as m
from harness.studies.claims.entry import CLAIMS, Checked, claim
from harness.studies.claims.libraries import ask

__all__ = ["CLAIMS"]

LOGITS = (2.0, -1.0, 0.5)


@claim(
    "a",
    "The sigmoid cross-entropies of logits [2, −1, 0.5] with labels [1, 0, 1] are [0.126928, 0.31326166, 0.6224593].",
)
def three_losses() -> Checked:
    stated = (0.126928, 0.31326166, 0.6224593)
    exact = [m.exact("bce_logits", x, y) for x, y in zip(LOGITS, (1, 0, 1))]
    off = [i for i in range(3) if m.ulps("float32", stated[i], exact[i]) > 4]  # as a float32 loss might be printed
    sigmoid = m.exact("sigmoid", LOGITS[2])
    told = "each is the loss to float32"
    if off:
        told = f"{', '.join(str(stated[i]) for i in off)} is not the loss"
        told += "; it is σ(0.5), the probability" if m.ulps("float32", stated[2], sigmoid) < 4 else ""
    return Checked(m.listed(exact, 8), not off, told)


@claim("b", "With soft labels [0.8, 0.2, 0.9] on the same logits the mean loss is 0.5334613.")
def soft_mean() -> Checked:
    mean = sum(m.exact("bce_logits", x, y) for x, y in zip(LOGITS, ("0.8", "0.2", "0.9"))) / 3
    off = float(abs(mean - m.number("0.5334613")) / mean)
    return Checked(m.digits(mean, 7), off < 1e-6, f"the stated mean is {100 * off:.2g} % off")


@claim("c", "Labels outside [0, 1] give inf or NaN in the fused form.")
def labels_outside() -> Checked:
    x = np.linspace(-100, 100, 401, dtype=np.float32)
    found = np.concatenate([m.run("bce_logits", "lse_log1p", x, label) for label in (-1, 1.5, 2)])
    finite = int(np.isfinite(found).sum())
    return Checked(
        f"{finite} of {found.size} losses finite, {int((found < 0).sum())} of them negative",
        finite == 0,
        "nothing checks the label; the loss has no lower bound, so training runs away from it",
    )


@claim("d", "Keras has no built-in label smoothing; the formula is y(1−s) + s(1−y).")
def keras_smoothing() -> Checked:
    loss = "keras.losses.BinaryCrossentropy(label_smoothing=0.1)(np.float32([[1]]), np.float32([[0.8]]))"
    found = ask("keras", loss)
    label = (found.values[0][0] + math.log(0.2)) / (math.log(0.2) - math.log(0.8))
    return Checked(
        f"label_smoothing=0.1 turns 1 into {label:.4f}",
        abs(label - 0.9) < 1e-4,
        "BinaryCrossentropy has it, and computes y(1−s) + 0.5s, which is the stated formula with s/2",
        found.version,
    )


@claim("e", "Keras clips p and 1 − p separately.")
def keras_clip() -> Checked:
    found = ask("keras", "keras.losses.binary_crossentropy(np.float32([[0]]), np.float32([[1]]))")
    value = found.values[0][0]
    once = float(-np.log(np.float32(1) - np.float32(1 - 1e-7)))
    return Checked(
        f"p = 1, y = 0 gives {value:.6f}",
        abs(value + math.log(1e-7)) < 1e-3,
        f"p is clipped once and 1 − p taken from it: {once:.6f} in float32; 1 − p clipped at 1e-7 would give "
        f"{-math.log(1e-7):.6f}",
        found.version,
    )


@claim("f", "Clipping the probability to [1e-15, 1 − 1e-15] cures the instability.")
def clip_cures() -> Checked:
    first = {f: m.first_bad("sigmoid_clip_1e-15", f) for f in m.FORMATS}
    return Checked(
        "wrong from logit " + m.by_format(first),
        not any(first.values()),
        "in 16 and 32 bits 1 − 1e-15 is 1, so the clamp does nothing there; in float64 the loss stops at "
        f"{m.exact_plateau('1e-15')}",
    )


@claim("g", "Logits passed as probabilities give a very large loss.")
def logits_as_probabilities() -> Checked:
    given = "np.float32([[1, 0, 1]]), np.float32([[2, -1, 0.5]])"
    keras = ask("keras", f"keras.losses.binary_crossentropy({given})")
    tensors = "torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 0.0, 1.0])"
    torch = ask("torch", f"torch.nn.functional.binary_cross_entropy({tensors})")
    sklearn = ask("sklearn", f"{m.LOG_LOSS}([1, 0, 1], [2, -1, 0.5])")
    plain = m.run("bce", "naive", m.floats(*LOGITS), [1, 0, 1])
    values = [keras.values[0], torch.values[0], sklearn.values[0]]
    return Checked(
        f"NumPy {m.shown(plain.mean())}; Keras {m.shown(values[0])}; torch: {m.kind(values[1])}; "
        f"sklearn: {m.kind(values[2])}",
        all(not isinstance(v, str) and v[0] > 10 for v in values),
        "Keras clips them and returns a small number that looks like a loss, log of a negative number is NaN, "
        "torch and scikit-learn refuse",
        m.versions(keras, torch, sklearn),
    )


@claim("h", "Integer inputs raise an error.")
def integers() -> Checked:
    x, y = np.array([2, -1]), np.array([1, 0])
    plain = (np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))).dtype
    keras = ask("keras", "keras.losses.binary_crossentropy(np.int32([[1]]), np.int32([[3]]), from_logits=True)",
                "keras.losses.binary_crossentropy(np.int32([[1]]), np.float32([[3]]), from_logits=True)")  # fmt: skip
    f = "torch.nn.functional.binary_cross_entropy_with_logits"
    torch = ask(
        "torch", f"{f}(torch.tensor([2, -1]), torch.tensor([1, 0]))", f"{f}(torch.tensor([2.0]), torch.tensor([1]))"
    )
    raised = [isinstance(v, str) for v in (*keras.values, *torch.values)]
    return Checked(
        f"NumPy computes in {plain}; integer logits: Keras {m.kind(keras.values[0])}, torch {m.kind(torch.values[0])}; "
        f"integer labels: Keras {m.kind(keras.values[1])}, torch {m.kind(torch.values[1])}",
        None if not all(raised) else True,
        "NumPy turns integers into float64, a wider format than the one that was meant; torch refuses both, Keras only logits",
        m.versions(keras, torch),
    )


@claim("i", "NumPy raises an error on log(0).")
def numpy_log_zero() -> Checked:
    with warnings.catch_warnings(record=True) as caught, np.errstate(divide="warn"):
        warnings.simplefilter("always")
        value = np.log(np.float32(0))
    try:
        with np.errstate(divide="raise"):
            np.log(np.float32(0))
        asked = "nothing"
    except FloatingPointError:
        asked = "FloatingPointError"
    warned = caught[0].category.__name__ if caught else "no warning"
    return Checked(
        f"{value} with a {warned}; {asked} under np.errstate(divide='raise')",
        False,
        "it warns, once per place in the code, and goes on with −inf",
        f"numpy {np.__version__}",
    )


@claim("j", "Adding 1e-7 inside the logarithms makes it stable.")
def added_eps() -> Checked:
    first = {f: m.first_bad("sigmoid_add_eps_1e-7", f) for f in m.FORMATS}
    negative = m.run("bce_logits", "sigmoid_add_eps_1e-7", m.floats(20), 1)[0]
    return Checked(
        "wrong from logit " + m.by_format(first),
        not any(first.values()),
        f"a confident right prediction gets a negative loss ({m.shown(negative)} at logit 20, y = 1, float32), a wrong one stops at "
        f"{m.exact_plateau('1e-7')}, and in 16 bits 1 + 1e-7 is 1",
    )


@claim("k", "The log-sum-exp form is both faster and more stable.")
def log_sum_exp() -> Checked:
    calls = {name: m.function_calls(name) for name in ("sigmoid_naive", "lse_log1p")}
    worst = {name: m.worst(name, "float32") for name in calls}
    fewer, better = (d["lse_log1p"] < d["sigmoid_naive"] for d in (calls, worst))
    return Checked(
        f"{calls['lse_log1p']} calls of exp or log instead of {calls['sigmoid_naive']}, and at most "
        f"{m.shown(worst['lse_log1p'])} ulp instead of {m.shown(worst['sigmoid_naive'])} (float32, y = 0)",
        fewer and better,
        "for hard labels; next to y = 1 it cancels too (t)",
    )


@claim("l", "scikit-learn's log_loss clips at 1e-15.")
def sklearn_clip() -> Checked:
    found = ask(
        "sklearn", f"{m.LOG_LOSS}([1], [0.0], labels=[0, 1])", f"{m.LOG_LOSS}([1], np.float32([0.0]), labels=[0, 1])"
    )
    double, single = (v[0] for v in found.values)
    return Checked(
        f"p = 0, y = 1 gives {double:.6f} in float64 and {single:.6f} in float32",
        abs(double + math.log(1e-15)) < 1e-3,
        "it clips at the machine epsilon of the probabilities' format; clipping at 1e-15 would give "
        f"{-math.log(1e-15):.6f}",
        found.version,
    )


@claim("m", "torch's BCELoss cannot exceed 100.")
def torch_clamp() -> Checked:
    f = "torch.nn.functional.binary_cross_entropy"
    gradient = f"torch.autograd.functional.jacobian(lambda p: {f}(p, torch.ones(1)), torch.zeros(1))"
    found = ask("torch", f"{f}(torch.zeros(1), torch.ones(1))", f"{f}(torch.tensor([1e-44]), torch.ones(1))", gradient)
    loss = max(found.values[0][0], found.values[1][0])
    return Checked(
        f"{loss:g} at p = 0; the gradient there is {m.shown(found.values[2][0])}",
        loss <= 100,
        "the logarithm is clamped at −100, the gradient is not: it divides by p(1 − p) + 1e-12",
        found.version,
    )


@claim("n", "torch's BCEWithLogitsLoss never returns inf or NaN.")
def torch_fused() -> Checked:
    f = "torch.nn.functional.binary_cross_entropy_with_logits"
    large = "torch.tensor([-3e38, 3e38, -3e38, 3e38]), torch.tensor([0.0, 0.0, 1.0, 1.0]), reduction='none'"
    found = ask("torch", f"{f}({large})", f"{f}(torch.tensor([float('inf')]), torch.ones(1))")
    finite = all(map(math.isfinite, found.values[0]))
    return Checked(
        f"logits ±3e38: {'all finite' if finite else 'not all finite'}; logit inf, y = 1: {found.values[1][0]}",
        None if finite and not math.isfinite(found.values[1][0]) else finite,
        "true for every finite logit; an infinite one, as a float16 layer overflows to, gives inf − inf",
        found.version,
    )


@claim("o", "In float64 the naive form log(sigmoid(x)) is safe.")
def float64_is_safe() -> Checked:
    first = m.first_bad("sigmoid_naive", "float64")
    return Checked(f"wrong from logit {m.shown(first)}, infinite from {m.shown(m.first_spurious('sigmoid_naive', 'float64'))} (y = 0)",
                   not first, "float64 moves the cliff from 17 to 37, it does not take it away")  # fmt: skip


@claim("p", "The sigmoid never returns exactly 0 or 1.")
def sigmoid_saturates() -> Checked:
    one = {f: m.first_one(f) for f in m.FORMATS}
    return Checked("1 from logit " + m.by_format(one), not any(one.values()),
                   "true of the function, not of its rounded value: 1 − σ(x) falls below half an ulp of 1")  # fmt: skip


@claim("q", "log(sigmoid(x)) and log_sigmoid(x) are the same.")
def two_log_sigmoids() -> Checked:
    x = m.floats(-20, -100, -110)
    with np.errstate(all="ignore"):
        apart = np.log(m.run("sigmoid", "branched", x))
    fused = m.run("log_sigmoid", "log_expit", x)
    return Checked(f"at {m.listed(x, 3)}: {m.listed(apart, 4)} against {m.listed(fused, 4)} (float32)",
                   bool((apart == fused).all()), "σ(x) underflows to 0 where its logarithm is an ordinary number")  # fmt: skip


@claim("r", "bfloat16 is safe because it has float32's range.")
def bfloat16_range() -> Checked:
    first = {f: m.first_bad("sigmoid_naive", f) for f in ("bfloat16", "float16", "float32")}
    return Checked("the naive form is wrong from logit " + m.by_format(first), not first["bfloat16"],
                   "what fails is 1 − p, which needs precision: bfloat16 has 8 bits, fewer than float16's 11")  # fmt: skip


@claim("s", "The loss of a perfect prediction is 0.")
def perfect_prediction() -> Checked:
    exact = m.exact("bce_logits", 20, 1)
    kept, lost = (m.run("bce_logits", name, m.floats(20), 1)[0] for name in ("lse_log1p", "lse_log"))
    return Checked(
        f"logit 20, y = 1: exactly {m.digits(exact, 4)}; {m.shown(kept)} from log-sum-exp, {m.shown(lost)} from log(1 + exp(−|x|)) without log1p (float32)",
        exact == 0,
        "it is positive for every finite logit; 0 is what is left where 1 + exp(−x), or the probability, has rounded to 1",
    )


@claim("t", "max(x, 0) − x·y + log1p(exp(−|x|)) is exact to the last digit.")
def fused_is_exact() -> Checked:
    hard = {f: m.worst("lse_log1p", f) for f in m.FORMATS}
    soft = m.worst("lse_log1p", "float32", "next_down_1")
    return Checked(
        "for y = 0 at most " + m.by_format(hard) + f" ulp; next to y = 1 {m.shown(soft)} ulp in float32",
        max(*hard.values(), soft) <= 0.5,
        "two roundings for hard labels; x − x·y cancels for soft labels next to 1, where the sum of two softplus terms does not",
    )


@claim("u", "Label smoothing makes the naive form stable, since no label is 0 or 1.")
def smoothing_is_stable() -> Checked:
    first = {f: m.first_spurious("sigmoid_naive", f, 0.05) for f in m.FORMATS}
    return Checked("y = 0.05: inf or NaN from logit " + m.by_format(first), not any(first.values()),
                   "both logarithms now count at every logit, so log(0) comes in at both ends")  # fmt: skip


@claim("v", "For x > 20, softplus(x) is x.")
def softplus_cutoff() -> Checked:
    ulps = {f: m.ulps(f, m.formats[f].round(m.number(20.5)), m.exact("softplus", 20.5)) for f in m.FORMATS}
    return Checked("taking x for it at x = 20.5 is off by " + m.by_format(ulps) + " ulp",
                   None if any(u <= 0.5 for u in ulps.values()) else False,
                   "correctly rounded up to float32; in float64 the shortcut must wait for x = 33.3")  # fmt: skip
