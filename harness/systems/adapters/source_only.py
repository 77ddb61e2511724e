"""Systems known from their source only, replicated in NumPy: older Keras, Theano, MXNet, Paddle, Flux."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.kernels import activations, bce
from harness.kernels.registry import Array, like, machine_epsilon
from harness.systems.registry import Call, Library, System
from harness.systems.replicas import find, replica

LIBRARIES = (
    Library(
        "replica",
        __name__,
        ("numpy",),
        {},
        "source only: the systems are the replicas",
        order=1000,
        trains=False,
        source_only=True,
    ),
)

KERAS_NUMPY = "keras==2.3.1 keras/backend/numpy_backend.py"
THEANO = "Theano==1.0.5 theano/tensor/nnet/nnet.py and sigm.py"


@replica(
    "bce_logits",
    "keras2_numpy",
    r"s = 1/(1+e^{-x});\ y(-\log s) + (1-y)(-\log(1-s))",
    KERAS_NUMPY,
    "not fused: s rounds to 1, and then 0 * inf is NaN",
)
def keras2_numpy_logits(x: Array, y: Array) -> Array:
    """Compute the loss from a logit, through the sigmoid, without a clamp."""
    s = activations.sigmoid_reciprocal(x)
    return y * -np.log(s) + (like(1, x) - y) * -np.log(like(1, x) - s)


@replica(
    "bce",
    "keras2_numpy",
    r"q = \min(\max(p, \epsilon), 1-\epsilon);\ x = \log(q/(1-q));\ \text{then as from a logit}",
    KERAS_NUMPY,
    "clamps at 1e-7, turns to a logit and back",
)
def keras2_numpy(p: Array, y: Array) -> Array:
    """Compute the loss from a probability, by way of its logit."""
    q = bce.clip(p, like("1e-7", p))
    return keras2_numpy_logits(np.log(q / (like(1, p) - q)), y)


@replica(
    "bce",
    "paddle",
    r"(y-1) \max(\log(1-p), -100) - y \max(\log p, -100)",
    "Paddle paddle/phi/kernels/cpu/bce_loss_kernel.cc",
    "torch's clamp without log1p",
)
def paddle(p: Array, y: Array) -> Array:
    """Compute (y - 1) max(log(1 - p), -100) - y max(log p, -100), Paddle's bce_loss."""
    one, floor = like(1, p), like(-100, p)
    return (y - one) * np.maximum(np.log(one - p), floor) - y * np.maximum(np.log(p), floor)


@replica(
    "bce",
    "flux",
    r"-\mathrm{xlogy}(y, p + \epsilon) - \mathrm{xlogy}(1-y, (1-p) + \epsilon)",
    "Flux.jl src/losses/functions.jl",
    "eps is the format's machine epsilon; a term of zero weight is skipped",
)
def flux(p: Array, y: Array) -> Array:
    """Compute -xlogy(y, p + eps) - xlogy(1 - y, (1 - p) + eps), eps the machine epsilon: Flux's binarycrossentropy."""
    one, zero, eps = like(1, p), like(0, p), like(machine_epsilon, p)
    z = one - y
    return -np.where(y == zero, zero, y * np.log(p + eps)) - np.where(z == zero, zero, z * np.log((one - p) + eps))


def _theano_softplus(x: Array) -> Array:
    return activations.softplus_maechler(x, like("-37", x), like("18", x), like("33.3", x))


@replica(
    "bce_logits",
    "theano_fused",
    r"\mathrm{sp}(-|x|) + x ([x > 0] - y)",
    THEANO,
    "softplus with cutoffs -37, 18 and 33.3 in every format",
)
def theano_fused(x: Array, y: Array) -> Array:
    """Compute softplus(-|x|) + x ((x > 0) - y), Theano's sigmoid_binary_crossentropy."""
    positive = np.where(x > like(0, x), like(1, x), like(0, x))
    return _theano_softplus(-np.abs(x)) + x * (positive - y)


@replica("bce_logits_grad", "theano_fused", r"\sigma(x) - y", THEANO, "a custom gradient, which cancels for y = 1")
def theano_fused_gradient(x: Array, y: Array) -> Array:
    """Compute 1 / (1 + e^-x) - y, the gradient that Theano states for its fused loss."""
    return activations.sigmoid_reciprocal(x) - y


# name, problem, mode (the versions), replica
SOURCE_ONLY = (
    ("Keras on TensorFlow 1: binary_crossentropy", "bce", "1.0-2.2.5", "clip_logit_1e-7"),
    ("Keras on TensorFlow 1: binary_crossentropy", "bce_grad", "1.0-2.2.5", "clip_logit_1e-7"),
    ("Keras on TensorFlow 1: binary_crossentropy(from_logits=True)", "bce_logits", "1.0-2.2.5", "lse_log1p"),
    ("Keras on Theano: binary_crossentropy", "bce", "1.0-2.3.1", "clip_1e-7"),
    ("Keras on Theano: binary_crossentropy", "bce_grad", "1.0-2.3.1", "clip_1e-7"),
    (
        "Keras on Theano: binary_crossentropy(from_logits=True)",
        "bce_logits",
        "1.0-2.3.1",
        "sigmoid_clip_1e-7",
    ),
    (
        "Keras on Theano: binary_crossentropy(from_logits=True)",
        "bce_logits_grad",
        "1.0-2.3.1",
        "sigmoid_clip_1e-7",
    ),
    ("Keras on CNTK: binary_crossentropy", "bce", "2.1-2.3.1", "clip_1e-7"),
    ("Keras on CNTK: binary_crossentropy(from_logits=True)", "bce_logits", "2.1-2.3.1", "sigmoid_clip_1e-7"),
    ("Keras on NumPy: binary_crossentropy", "bce", "2.3", "keras2_numpy"),
    ("Keras on NumPy: binary_crossentropy(from_logits=True)", "bce_logits", "2.3", "keras2_numpy"),
    ("Theano nnet.sigmoid_binary_crossentropy", "bce_logits", "1.0", "theano_fused"),
    ("Theano nnet.sigmoid_binary_crossentropy", "bce_logits_grad", "1.0", "theano_fused"),
    ("Theano nnet.softplus", "softplus", "1.0", "maechler64"),
    ("MXNet SigmoidBinaryCrossEntropyLoss", "bce_logits", "1.9", "lse_log1p"),
    ("MXNet SigmoidBinaryCrossEntropyLoss(from_sigmoid=True)", "bce", "1.9", "add_eps_1e-12"),
    ("Paddle bce_loss", "bce", "2-3", "paddle"),
    ("Paddle sigmoid_cross_entropy_with_logits", "bce_logits", "2-3", "lse_log"),
    ("Flux.binarycrossentropy", "bce", "0.11-0.16", "flux"),
    ("Flux.logitbinarycrossentropy", "bce_logits", "0.11-0.16", "linear_softplus"),
)


def _load(problem: str, kernel: str) -> Callable[[], Call]:
    return lambda: find(problem, kernel)


def systems(library: str) -> list[System]:
    """Return the systems known from their source only."""
    note = "source only: this is the replica itself"
    return [System(n, library, p, mode, _load(p, kernel), kernel, note) for n, p, mode, kernel in SOURCE_ONLY]
