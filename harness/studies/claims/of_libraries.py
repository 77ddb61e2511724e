"""Claims about what a library does; each runs that library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from harness.numbers.formats import format_named
from harness.studies.claims import instruments as m
from harness.studies.claims.asking import LineValue
from harness.studies.claims.entry import Checked, claim
from harness.tables.strongest import Known

KERAS = "keras.losses.binary_crossentropy"
TORCH = "torch.nn.functional.binary_cross_entropy"
LOGITS = f"{TORCH}_with_logits"
MODEL = (
    "(lambda model: [model.compile(loss='binary_crossentropy'), model.evaluate(np.array([[20.0]]), np.array([[0.0]]), "
    "verbose=0)][1])(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, 'sigmoid', kernel_initializer='ones')]))"
)
TRAIN = (
    "(lambda model: [model.compile(loss='binary_crossentropy', optimizer='sgd'), model.fit(np.float32([[2], [-1], [0.5], "
    "[-2]]), {labels}, epochs=20, shuffle=False, verbose=0).history['loss']][1])({keras}.Sequential([{keras}.Input((1,)), "
    "{keras}.layers.Dense(1, 'sigmoid', kernel_initializer='zeros')]))"
)
FOUR = "(np.float32([1, 0, 1, 0]), np.float32([0.9, 0.1, 0.6, 0.4]))"
SOFT = ((2.0, 0.8), (-1.0, 0.2), (0.5, 0.9))  # logits and soft labels
SIGNED = ((0.8, -1), (0.2, 1), (0.9, -1))  # probabilities and labels
SATURATED = ((20, 0), (-40, 1))  # logits and labels
BACKENDS = ("Keras on TensorFlow", "Keras on torch")


@claim(
    "d",
    "Keras has no built-in label smoothing; the formula is y(1−s) + s(1−y).",
    keras=["keras.losses.BinaryCrossentropy(label_smoothing=0.1)(np.float32([[1]]), np.float32([[0.8]]))"],
)
def keras_smoothing(keras: list[LineValue]) -> Checked:
    # The loss of p = 0.8 is −y·log 0.8 − (1 − y)·log 0.2; solved for the label y that was used.
    label = (keras[0].value + math.log(0.2)) / (math.log(0.2) - math.log(0.8))
    formulas = {"y(1−s) + s(1−y)": 0.9, "y(1−s) + 0.5s": 0.95}
    used = [name for name, value in formulas.items() if abs(label - value) < 1e-4]
    return Checked(
        f"label_smoothing=0.1: {keras[0].raised or f'turns 1 into {label:.4f}'}",
        bool(keras[0].raised),
        wrong=f"BinaryCrossentropy has it, and computes {' or '.join(used) or 'another formula'}, which is the stated "
        "formula with s/2",
    )


@claim(
    "e",
    "Keras clips p and 1 − p separately.",
    keras=[f"{KERAS}(np.float32([[0]]), np.float32([[1]]))[0]", f"{KERAS}(np.float32([[1]]), np.float32([[0]]))[0]"],
)
def keras_clip(keras: list[LineValue]) -> Checked:
    high, low = (a.value for a in keras)
    return Checked(
        f"p = 1, y = 0: {high:.6f}; p = 0, y = 1: {low:.6f}",
        abs(high - low) < 1e-5,
        wrong="p is clipped once and 1 − p taken from the clipped p, where 1 − (1 − 1e-7) is "
        f"{float(np.float32(1) - np.float32(1 - 1e-7)):.4g} in float32; clipped apart, both would be "
        f"{-math.log(1e-7):.6f}",
    )


@claim(
    "g",
    "Logits passed as probabilities give a very large loss.",
    keras=[
        f"np.mean({KERAS}(np.float32([[1], [0], [1]]), np.float32([[2], [-1], [0.5]])))",
        f"{KERAS}(np.float32([[1]]), np.float32([[-5]]))[0]",
    ],
    torch=[
        f"{TORCH}(torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 0.0, 1.0]))",
        f"{TORCH}(torch.tensor([-5.0]), torch.tensor([1.0]))",
    ],
    sklearn=[
        "sklearn.metrics.log_loss([1, 0, 1], [2, -1, 0.5])",
        "sklearn.metrics.log_loss([1], [-5.0], labels=[0, 1])",
    ],
)
def logits_as_probabilities(keras: list[LineValue], torch: list[LineValue], sklearn: list[LineValue]) -> Checked:
    good = sum(m.exact("bce_logits", x, y) for x, y in ((2, 1), (-1, 0), (0.5, 1))) / 3
    exact = (float(good), float(m.exact("bce_logits", -5, 1)))
    plain = [m.run("bce", "naive", m.floats(*x), y).mean() for x, y in (((2, -1, 0.5), [1, 0, 1]), ((-5,), [1]))]
    numpy = [LineValue(float(v)) for v in plain]
    given = {"NumPy": numpy, "Keras": keras, "torch": torch, "scikit-learn": sklearn}
    large = {a.value > 10 * e for answers in given.values() for a, e in zip(answers, exact, strict=True)}
    first = ", ".join(f"{name} {answers[0]}" for name, answers in given.items())
    second = ", ".join(f"{name} {answers[1]}" for name, answers in given.items() if not math.isnan(answers[1].value))
    return Checked(
        f"for (a): {first} (right: {exact[0]:.3g}); logit −5, label 1: {second or 'no number'} (right: {exact[1]:.3g})",
        None if len(large) == 2 else large.pop(),
        wrong="none is ten times the loss: Keras clips to [1e-7, 1 − 1e-7] and returns what looks like a loss, the "
        "logarithm of a negative number is NaN, torch and scikit-learn refuse",
        depends="Keras clips and returns what looks like a loss; others give NaN or refuse",
    )


@claim(
    "h",
    "Integer inputs raise an error.",
    keras=[
        f"{KERAS}(np.float32([[1]]), np.int32([[3]]), from_logits=True)[0]",
        f"{KERAS}(np.int32([[1]]), np.float32([[3]]), from_logits=True)[0]",
    ],
    torch=[
        f"{LOGITS}(torch.tensor([3]), torch.tensor([1.0]))",
        f"{LOGITS}(torch.tensor([3.0]), torch.tensor([1]))",
    ],
    optax=[
        "optax.sigmoid_binary_cross_entropy(np.int32([3]), np.float32([1]))[0]",
        "optax.sigmoid_binary_cross_entropy(np.float32([3]), np.int32([1]))[0]",
    ],
)
def integers(keras: list[LineValue], torch: list[LineValue], optax: list[LineValue]) -> Checked:
    x, y = np.array([3]), np.array([1])
    plain = np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))
    numpy = [LineValue(float(plain[0]))] * 2
    given = {"NumPy": numpy, "Keras": keras, "torch": torch, "optax": optax}
    raised = {bool(a.raised) for answers in given.values() for a in answers}
    logits, labels = (", ".join(f"{name} {answers[i]}" for name, answers in given.items()) for i in (0, 1))
    refusing = [name for name, answers in given.items() if all(a.raised for a in answers)]
    return Checked(
        f"logit 3, label 1. Integer logit: {logits}. Integer label: {labels}",
        None if len(raised) == 2 else raised.pop(),
        depends=f"only {', '.join(refusing) or 'none'} refuses both; NumPy computes in {plain.dtype}, whatever was meant",
    )


@claim(
    "l",
    "scikit-learn's log_loss clips at 1e-15.",
    "https://scikit-learn.org/0.16/modules/generated/sklearn.metrics.log_loss.html",
    sklearn=[
        "sklearn.metrics.log_loss([1], [0.0], labels=[0, 1])",
        "sklearn.metrics.log_loss([1], np.float32([0.0]), labels=[0, 1])",
    ],
)
def sklearn_clip(sklearn: list[LineValue]) -> Checked:
    double, single = (a.value for a in sklearn)
    return Checked(
        f"p = 0, y = 1: {double:.6f} (float64), {single:.6f} (float32)",
        abs(double + math.log(1e-15)) < 1e-3,
        wrong=f"these are −log of {math.exp(-double):.3g} and {math.exp(-single):.3g}, the machine epsilons of float64 "
        f"and float32; 1e-15 would give {-math.log(1e-15):.6f}",
    )


@claim(
    "m",
    "torch's BCELoss cannot exceed 100.",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html",
    torch=[
        f"{TORCH}(torch.zeros(1), torch.ones(1))",
        f"{TORCH}(torch.tensor([1e-44]), torch.ones(1))",
        f"torch.autograd.functional.jacobian(lambda p: {TORCH}(p, torch.ones(1)), torch.zeros(1))[0]",
        f"{TORCH}(torch.zeros(3), torch.ones(3), reduction='sum')",
        f"{TORCH}(torch.zeros(1), torch.ones(1), weight=torch.tensor([5.0]))",
    ],
)
def torch_clamp(torch: list[LineValue]) -> Checked:
    zero, tiny, gradient, summed, weighted = (a.value for a in torch)
    clamped, always = max(zero, tiny) <= 100, max(zero, tiny, summed, weighted) <= 100
    return Checked(
        f"y = 1: {zero:g} at p = 0, {tiny:g} at p = 1e-44 (exactly {m.shown(m.exact('bce', '1e-44', 1))}); the sum of three "
        f"at p = 0 is {summed:g}, a loss of weight 5 is {weighted:g}",
        None if clamped and not always else always,
        right=f"each logarithm is clamped at −100; the derivative is not, it is {gradient:.3g} at p = 0",
        depends="each logarithm is clamped at −100, so that it holds of a loss without a weight and of their mean, not of a "
        f"sum or of a weighted loss; the derivative is not clamped, it is {gradient:.3g} at p = 0",
    )


@claim(
    "n",
    "torch's BCEWithLogitsLoss cannot return inf or NaN.",
    torch=[
        f"{LOGITS}(torch.tensor([-3e38, 3e38] * 2), torch.tensor([0.0, 0.0, 1.0, 1.0]), reduction='none').abs().max()",
        f"{LOGITS}(torch.full((100,), 1e3, dtype=torch.float16), torch.zeros(100, dtype=torch.float16), reduction='sum')",
        f"{LOGITS}(torch.tensor([float('inf')]), torch.ones(1))",
    ],
)
def torch_fused(torch: list[LineValue]) -> Checked:
    finite = {math.isfinite(a.value) for a in torch}
    return Checked(
        f"logits of ±3e38: at most {torch[0]}; sum of 100 float16 losses of 1000: {torch[1]}; logit inf, y = 1: {torch[2]}",
        None if len(finite) == 2 else finite.pop(),
        depends="true of each loss of a finite logit; a sum can overflow, and an infinite logit, as a float16 layer "
        "overflows to, gives inf − inf",
    )


@claim(
    "w",
    "Clipping at 1e-7, as Keras does, is harmless in float16.",
    keras=[f"{KERAS}(np.float16([[{y}]]), np.float16([[{p}]]))[0]" for p, y in ((1, 1), (1, 0), (0, 1), (0, 0))],
)
def keras_clip_in_float16(keras: list[LineValue]) -> Checked:
    half = format_named("float16")
    return Checked(
        f"p = 1: {keras[0]} (y = 1), {keras[1]} (y = 0); p = 0: {keras[2]} (y = 1), {keras[3]} (y = 0)",
        all(math.isfinite(a.value) for a in keras),
        wrong=f"1 − 1e-7 rounds to {float(half.round(1 - m.number('1e-7'))):g}, so that p = 1 is not clipped and a right "
        "prediction computes 0 · log(0); Keras's class converts to float32 before",
    )


@claim(
    "y",
    "Behind a sigmoid layer Keras finds the logits itself, so from_logits does not matter.",
    "tf_keras==2.21.0 tf_keras/src/backend.py (_get_logits)",
    keras=[MODEL],
    keras_torch=[MODEL],
)
def keras_finds_logits(keras: list[LineValue], keras_torch: list[LineValue]) -> Checked:
    exact = float(m.exact("bce_logits", 20, 0))
    found = [abs(a.value - exact) < 1e-4 for a in (keras[0], keras_torch[0])]
    return Checked(
        f"logit 20, y = 0: {keras[0].value:.6g} on TensorFlow, {keras_torch[0].value:.6g} on torch (exactly {exact:.6g})",
        all(found) if len(set(found)) == 1 else None,
        depends="the TensorFlow backend remembers the logits of a sigmoid, the torch backend has only the clipped p",
    )


@claim(
    "ad",
    "torch's BCELoss clamps its logarithm, so that a saturated sigmoid still learns.",
    torch=[
        f"{TORCH}(torch.sigmoid(torch.tensor([17.0])), torch.zeros(1))",
        f"torch.autograd.functional.jacobian(lambda x: {TORCH}(torch.sigmoid(x), torch.zeros(1)), torch.tensor([17.0]))[0]",
    ],
)
def torch_saturated(torch: list[LineValue]) -> Checked:
    loss, gradient = (a.value for a in torch)
    exact = [float(m.exact(name, 17, 0)) for name in ("bce_logits", "bce_logits_grad")]
    return Checked(
        f"logit 17, y = 0, float32: loss {loss:.3g} (exactly {exact[0]:.3g}), gradient {gradient:.3g} (exactly "
        f"{exact[1]:.3g})",
        abs(gradient - exact[1]) < 0.05,
        wrong="the sigmoid's own derivative p(1 − p) is 0 there, and a factor of 0 stays 0",
    )


# -- shapes and reductions --------------------------------------------------------------------------

PER_SAMPLE = f"keras.losses.BinaryCrossentropy(reduction=None){FOUR}"
TORCH_FOUR = "torch.tensor([0.9, 0.1, 0.6, 0.4]), torch.tensor([1.0, 0.0, 1.0, 0.0])"


@claim(
    "ae",
    "With labels of shape (4,) Keras's reduction=None gives a loss for each sample.",
    "keras==3.15.1 keras/src/losses/losses.py (reduction)",
    keras=[f"np.array({PER_SAMPLE}).size", f"np.array({PER_SAMPLE}).ravel()[0]"],
    keras_torch=[f"np.array({PER_SAMPLE}).size", f"np.array({PER_SAMPLE}).ravel()[0]"],
    torch=[f"{TORCH}({TORCH_FOUR}, reduction='none').numel()"],
)
def one_loss_per_sample(keras: list[LineValue], keras_torch: list[LineValue], torch: list[LineValue]) -> Checked:
    counts = [answers[0] for answers in (keras, keras_torch)]
    given = ", ".join(f"{name} {count}" for name, count in zip(BACKENDS, counts, strict=True))
    return Checked(
        f"labels [1, 0, 1, 0], p [0.9, 0.1, 0.6, 0.4], numbers returned: {given}, torch's own reduction='none' "
        f"{torch[0]}; Keras's is {_single(keras[1])}, on torch {_single(keras_torch[1])}",
        _agreed(count.value == 4 for count in counts),
        wrong="Keras averages over the last axis before it reduces, and the last axis of (4,) is the batch; with labels of "
        "shape (4, 1) there is one loss each",
    )


@claim(
    "af",
    "With labels of shape (4,) Keras's reduction='sum' gives another value than the mean.",
    keras=[
        f"keras.losses.BinaryCrossentropy(reduction='sum'){FOUR}",
        f"keras.losses.BinaryCrossentropy(){FOUR}",
        "keras.losses.BinaryCrossentropy(reduction='sum')(np.float32([[1], [0], [1], [0]]), "
        "np.float32([[0.9], [0.1], [0.6], [0.4]]))",
    ],
    tf_keras=[
        f"tf_keras.losses.BinaryCrossentropy(reduction='sum'){FOUR}",
        f"tf_keras.losses.BinaryCrossentropy(){FOUR}",
    ],
)
def sum_and_mean(keras: list[LineValue], tf_keras: list[LineValue]) -> Checked:
    return Checked(
        f"labels [1, 0, 1, 0], p [0.9, 0.1, 0.6, 0.4]: sum {_single(keras[0])}, mean {_single(keras[1])} (tf_keras "
        f"{_single(tf_keras[0])} and {_single(tf_keras[1])}); with shape (4, 1) the sum is {_single(keras[2])}",
        _agreed(answers[0].value != answers[1].value for answers in (keras, tf_keras)),
        wrong="the last axis is averaged first, which leaves one number to sum",
    )


@claim(
    "ag",
    "from_logits=True applies a sigmoid and then clips.",
    keras=[
        *(f"{KERAS}(np.float32([[{y}]]), np.float32([[{x}]]), from_logits=True)[0]" for x, y in SATURATED),
        *(f"{KERAS}(np.float32([[{y}]]), np.float32([[{p}]]))[0]" for p, y in ((1, 0), (0, 1))),
    ],
    keras_torch=[f"{KERAS}(np.float32([[{y}]]), np.float32([[{x}]]), from_logits=True)[0]" for x, y in SATURATED],
    tf_keras=[f"tf_{KERAS}(np.float32([[{y}]]), np.float32([[{x}]]), from_logits=True)[0]" for x, y in SATURATED],
)
def logits_are_clipped(keras: list[LineValue], keras_torch: list[LineValue], tf_keras: list[LineValue]) -> Checked:
    clipped = keras[2:]
    given = dict(zip((*BACKENDS, "tf_keras"), (keras[:2], keras_torch, tf_keras), strict=True))
    return Checked(
        f"logit 20, y = 0 and logit −40, y = 1: {_each(given)}; the clipped probability gives {_singles(clipped)}",
        _agreed(abs(a.value - c.value) < 1e-3 for v in given.values() for a, c in zip(v, clipped, strict=True)),
        wrong="the fused form max(x, 0) − x·y + log1p(exp(−abs(x))) is computed from the logit; only a probability is clipped",
    )


# -- labels -----------------------------------------------------------------------------------------


@claim(
    "ah",
    "Soft labels make the fused form return inf or NaN.",
    from_tables=True,
    keras=[f"{KERAS}(np.float32([[{y}]]), np.float32([[{x}]]), from_logits=True)[0]" for x, y in SOFT],
    torch=[f"{LOGITS}(torch.tensor([{x}]), torch.tensor([{y}]))" for x, y in SOFT],
    optax=[f"optax.sigmoid_binary_cross_entropy(np.float32({x}), np.float32({y}))" for x, y in SOFT],
)
def soft_labels(known: Known, keras: list[LineValue], torch: list[LineValue], optax: list[LineValue]) -> Checked:
    given = {"Keras": keras, "torch": torch, "optax": optax}
    exact = [m.exact("bce_logits", x, str(y)) for x, y in SOFT]
    return Checked(
        f"logits [2, −1, 0.5], labels [0.8, 0.2, 0.9]: {_each(given)} (exactly {m.listed(exact, 8)}); the fused form with "
        f"y = 0.1: inf or NaN at {m.not_finite(known, 'lse_log1p', 'float32', '0.1')}",
        _agreed(not math.isfinite(a.value) for answers in given.values() for a in answers),
        wrong="no operation of the fused form needs the label to be 0 or 1",
    )


@claim(
    "ai",
    "Labels −1 and 1 are noticed.",
    keras=[f"{KERAS}(np.float32([[{y}]]), np.float32([[{p}]]))[0]" for p, y in SIGNED],
    keras_torch=[f"{KERAS}(np.float32([[{y}]]), np.float32([[{p}]]))[0]" for p, y in SIGNED],
    torch=[
        *(f"{TORCH}(torch.tensor([{p}]), torch.tensor([{y}.0]))" for p, y in SIGNED),
        *(f"{LOGITS}(torch.logit(torch.tensor([{p}])), torch.tensor([{y}.0]))" for p, y in SIGNED),
    ],
    optax=[
        f"optax.sigmoid_binary_cross_entropy(np.log(np.float32({p}) / np.float32(1 - {p})), np.float32({y}))"
        for p, y in SIGNED
    ],
)
def signed_labels(
    keras: list[LineValue], keras_torch: list[LineValue], torch: list[LineValue], optax: list[LineValue]
) -> Checked:
    given = {
        BACKENDS[0]: keras,
        BACKENDS[1]: keras_torch,
        "torch": torch[:3],
        "torch from logits": torch[3:],
        "optax from logits": optax,
    }
    exact = [m.exact("bce", str(p), max(y, 0)) for p, y in SIGNED]
    noticing = [name for name, answers in given.items() if not all(math.isfinite(a.value) for a in answers)]
    return Checked(
        f"p [0.8, 0.2, 0.9], labels [−1, 1, −1]: {_each(given, 5)} (right: {m.listed(exact, 5)})",
        _agreed(name in noticing for name in given),
        wrong="the formula takes any number for a label; what comes out is finite and plausible",
        depends=f"only {' and '.join(noticing)} {'checks' if len(noticing) == 1 else 'check'} that labels are in [0, 1]; "
        "elsewhere the formula takes −1 for a label, and what comes out is finite, plausible and wrong",
    )


INTEGER, FLOAT = "np.int32([[1], [0], [1], [0]])", "np.float32([[1], [0], [1], [0]])"


def _trained(keras: str) -> list[str]:
    """Return lines for the first and the last loss with integer labels, and the last with labels in float32."""
    lines = [TRAIN.format(keras=keras, labels=labels) for labels in (INTEGER, FLOAT)]
    return [f"{lines[0]}[0]", f"{lines[0]}[-1]", f"{lines[1]}[-1]"]


@claim(
    "aj",
    "In Keras, integer labels stop training.",
    keras=_trained("keras"),
    keras_torch=_trained("keras"),
    tf_keras=_trained("tf_keras"),
    torch=[f"{LOGITS}(torch.tensor([3.0]), torch.tensor([1]))"],
)
def integer_labels(
    keras: list[LineValue], keras_torch: list[LineValue], tf_keras: list[LineValue], torch: list[LineValue]
) -> Checked:
    given = dict(zip((*BACKENDS, "tf_keras"), (keras, keras_torch, tf_keras), strict=True))
    falls = ", ".join(
        f"{name} {first.raised or f'{first.value:.4f} to {last.value:.4f} (float32 labels: to {plain.value:.4f})'}"
        for name, (first, last, plain) in given.items()
    )
    return Checked(
        f"loss over 20 steps, int32 labels: {falls}; torch's own loss: {torch[0]}",
        _agreed(not last.value < first.value for first, last, _ in given.values()),
        wrong="labels are converted to the type of the prediction; torch's own loss refuses them instead, which stops at once",
    )


TWO_COLUMNS = "np.float32([[0, 1], [1, 0], [0, 1], [1, 0]])"


@claim(
    "ak",
    "Two-column one-hot labels fit one sigmoid unit.",
    keras=[f"{TRAIN.format(keras='keras', labels=TWO_COLUMNS)}[-1]"],
    keras_torch=[f"{TRAIN.format(keras='keras', labels=TWO_COLUMNS)}[-1]"],
    tf_keras=[f"{TRAIN.format(keras='tf_keras', labels=TWO_COLUMNS)}[-1]"],
    torch=[f"{LOGITS}(torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))"],
    optax=["np.size(optax.sigmoid_binary_cross_entropy(np.float32([[2], [-1]]), np.float32([[0, 1], [1, 0]])))"],
)
def two_columns(
    keras: list[LineValue],
    keras_torch: list[LineValue],
    tf_keras: list[LineValue],
    torch: list[LineValue],
    optax: list[LineValue],
) -> Checked:
    given = dict(zip((*BACKENDS, "tf_keras", "torch"), (keras, keras_torch, tf_keras, torch), strict=True))
    broadcast = optax[0].raised or f"{optax[0]} losses"
    return Checked(
        ", ".join(f"{name} {answers[0]}" for name, answers in given.items()) + f"; optax, of 2 logits: {broadcast}",
        _agreed(not answers[0].raised for answers in given.values()),
        wrong="labels and predictions must have one shape; where the columns are broadcast instead, a logit is trained "
        "towards both labels",
    )


@claim(
    "al",
    "log(0) makes NumPy or a backend stop.",
    "https://ai.ppradosh.com/2026/april/27/the-consequence-of-curves-binary-cross-entropy",
    keras=["keras.ops.log(np.float32(0))", "np.log(np.float32(0))", "__import__('math').log(0)"],
    keras_torch=["keras.ops.log(np.float32(0))"],
    tensorflow=["tensorflow.math.log(0.0)"],
    torch=["torch.log(torch.tensor(0.0))"],
    jax=["jax.numpy.log(0.0)"],
)
def log_zero(
    keras: list[LineValue],
    keras_torch: list[LineValue],
    tensorflow: list[LineValue],
    torch: list[LineValue],
    jax: list[LineValue],
) -> Checked:
    answers = (keras[1], keras[0], keras_torch[0], tensorflow[0], torch[0], jax[0])
    given = dict(zip(("NumPy", *BACKENDS, "TensorFlow", "torch", "JAX"), answers, strict=True))
    return Checked(
        ", ".join(f"{name} {answer}" for name, answer in given.items()) + f"; Python's math.log {keras[2]}",
        _agreed(bool(answer.raised) for answer in given.values()),
        wrong="they return −inf and go on, as IEEE 754 has it (NumPy with a warning)",
    )


def _agreed(holds: Iterable[bool]) -> bool | None:
    """Return what all say; None where they differ."""
    found = set(holds)
    return found.pop() if len(found) == 1 else None


def _single(answer: LineValue) -> str:
    """Write the error that was raised, or a float32 number with the digits that tell it apart."""
    return answer.raised or str(np.float32(answer.value))


def _singles(answers: list[LineValue], digits: int = 0) -> str:
    """Write float32 numbers, with so many digits or those that tell them apart; one word if all raised the same."""
    texts = [a.raised or (f"{a.value:.{digits}g}" if digits else _single(a)) for a in answers]
    raised = {a.raised for a in answers}
    return texts[0] if raised != {""} and len(raised) == 1 else f"[{', '.join(texts)}]"


def _each(given: Mapping[str, list[LineValue]], digits: int = 0) -> str:
    return "; ".join(f"{name} {_singles(answers, digits)}" for name, answers in given.items())
