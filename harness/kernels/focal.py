"""Kernels of the focal loss, from the logit x of the true class, and of its derivative.

The loss is q^gamma softplus(-x) with q = sigma(-x).  A power of 2 is a product and one of 1/2 a
square root, as in torch.pow; any other is the library's power.  For y = 0 libraries take another path, at the logit -x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps

from harness.kernels.activations import log_sigmoid_torch, sigmoid_branched, sigmoid_reciprocal, softplus_shifted
from harness.kernels.bce import clip
from harness.kernels.families import CLIPPED, GRADIENT_FORMULAS, NO_CLAMP, OTHER
from harness.kernels.registry import Array, Parameter, kernel, like, weighted_kernel
from harness.problems.weights import Weights, decimal_text

LIN = "doi:10.1109/ICCV.2017.324"
# The problems of the loss and of its gradient, with their gamma.
LOSS = {"focal": "2", "focal_g0.5": "0.5"}
GRADIENT = {"focal_grad": "2", "focal_g0.5_grad": "0.5"}


def form(
    gammas: Mapping[str, str],
    name: str,
    *,
    formula: str,
    source: str,
    notes: str,
    family: str = OTHER,
    parameters: Mapping[str, Parameter] | None = None,
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Declare the decorated f(x, gamma, ...) as a kernel of each problem in `gammas`, with the gamma given there."""

    def declare(function: Callable[..., Array]) -> Callable[..., Array]:
        for problem, gamma in gammas.items():
            bound = partial(function, gamma=gamma)
            bound.__module__ = function.__module__  # type: ignore[attr-defined]  # what a rerun depends on
            variants = {"": parameters or {}}
            kernel(problem, name, formula=formula, source=source, notes=notes, family=family, variants=variants)(bound)
        losses = next(iter(gammas))  # focal and focal_grad for every other gamma, and a sample weight
        weighted_kernel(
            losses, name, formula=formula, source=source, notes=notes, family=family, parameters=parameters
        )(with_weights(function))
        return function

    return declare


def with_weights(function: Callable[..., Array]) -> Callable[..., Array]:
    """Return f(x, gamma, ...) as f(x, weights, ...): gamma in the weights' words, times the sample weight."""

    @wraps(function)
    def weighted(x: Array, weights: Weights, **constants: Array) -> Array:
        value = function(x, gamma=decimal_text(weights.gamma or 0), **constants)
        return value if weights.weight is None else like(decimal_text(weights.weight), x) * value

    return weighted


def power(q: Array, gamma: str) -> Array:
    """Compute q^gamma: q * q for gamma "2", sqrt(q) for gamma "0.5", each rounded once; the library's power for others."""
    if gamma == "2":
        return q * q
    xp = q.__array_namespace__()
    return xp.sqrt(q) if gamma == "0.5" else xp.power(q, like(gamma, q))


SIGMOID, SOFTPLUS = r"p = 1/(1+e^{-x});\ ", r"(\max(-x, 0) + \log\mathrm{1p}(e^{-|x|}))"


@form(
    LOSS,
    "sigmoid_naive",
    family=NO_CLAMP,
    formula=SIGMOID + r"-(1-p)^\gamma \log p",
    source=f"textbook form; {LIN}, equation 4",
    notes="1 - p and log p are 0 once p rounds to 1; log 0 is infinite once e^-x overflows",
)
def sigmoid_naive(x: Array, gamma: str) -> Array:
    p = sigmoid_reciprocal(x)
    return -(power(like(1, x) - p, gamma) * x.__array_namespace__().log(p))


@form(
    LOSS,
    "sigmoid_clip_1e-7",
    family=CLIPPED,
    formula=SIGMOID + r"q = \min(\max(p, \epsilon), 1-\epsilon);\ (1-p)^\gamma (-\log q)",
    source="keras==3.15.1 keras/src/losses/losses.py binary_focal_crossentropy",
    notes="plateau at -log eps for wrong predictions, where the gradient is nearly 0; 1 - p cancels",
    parameters={"eps": "1e-7"},
)
def sigmoid_clip(x: Array, gamma: str, eps: Array) -> Array:
    p = sigmoid_reciprocal(x)
    return power(like(1, x) - p, gamma) * -x.__array_namespace__().log(clip(p, eps))


@form(
    LOSS,
    "torchvision",
    formula=SIGMOID + SOFTPLUS + r"\,(1-p)^\gamma",
    source="torchvision (source only) torchvision/ops/focal_loss.py sigmoid_focal_loss at y = 1",
    notes="1 - p cancels: 0 once p rounds to 1",
)
def torchvision(x: Array, gamma: str) -> Array:
    return softplus_shifted(-x) * power(like(1, x) - sigmoid_reciprocal(x), gamma)


@form(
    LOSS,
    "torchvision_y0",
    formula=r"z = -x,\ p = 1/(1+e^{-z});\ (z + \max(-z, 0) + \log\mathrm{1p}(e^{-|z|}))\,(1 - (1 - p))^\gamma",
    source="torchvision (source only) torchvision/ops/focal_loss.py sigmoid_focal_loss at y = 0, logit z",
    notes="z + softplus(-z) cancels and 1 - (1 - p) absorbs p: both 0 for confident correct predictions",
)
def torchvision_y0(x: Array, gamma: str) -> Array:
    one, z = like(1, x), -x
    p_true = one - sigmoid_reciprocal(z)
    return (z + softplus_shifted(-z)) * power(one - p_true, gamma)


@form(
    LOSS,
    "retinanet",
    formula=r"\exp(\gamma (-x) - \gamma \log\mathrm{1p}(e^{-x}))\," + SOFTPLUS,
    source="RetinaNet and EfficientDet for TensorFlow (source only): their form against NaN in the gradient for gamma < 1",
    notes="inf - inf = NaN once e^-x overflows; the exponent's rounding is magnified by its size",
)
def retinanet(x: Array, gamma: str) -> Array:
    xp, g = x.__array_namespace__(), like(gamma, x)
    modulator = xp.exp(g * -x - g * xp.log1p(xp.exp(-x)))
    return modulator * softplus_shifted(-x)


@form(
    LOSS,
    "kornia",
    formula=r"-(1/(1+e^{x}))^\gamma (\min(x, 0) - \log\mathrm{1p}(e^{-|x|}))",
    source="kornia (source only, earlier versions) kornia/losses/focal.py binary_focal_loss_with_logits",
    notes="sigma(-x) for 1 - sigma(x): no cancellation; 0 once e^x overflows",
)
def kornia(x: Array, gamma: str) -> Array:
    return -(power(sigmoid_reciprocal(-x), gamma) * log_sigmoid_torch(x))


@form(
    LOSS,
    "exp_log_sigmoid",
    formula=r"\exp(-\gamma\,\mathrm{sp}(x))\,\mathrm{sp}(-x),\ "
    r"\mathrm{sp}(t) = \max(t, 0) + \log\mathrm{1p}(e^{-|t|})",
    source="optax==0.2.8 optax/losses/_classification.py sigmoid_focal_loss, for a hard target",
    notes="no cancellation; exp magnifies the rounding of gamma x by its size",
)
def exp_log_sigmoid(x: Array, gamma: str) -> Array:
    return x.__array_namespace__().exp(like(gamma, x) * -softplus_shifted(x)) * softplus_shifted(-x)


@form(
    LOSS,
    "branched",
    formula=r"t = e^{-|x|};\ q = (x > 0: t;\ \text{else } 1) / (1 + t);\ q^\gamma\," + SOFTPLUS,
    source="two-branch sigmoid of -x, and softplus",
    notes="no cancellation and no overflow",
)
def branched(x: Array, gamma: str) -> Array:
    return power(sigmoid_branched(-x), gamma) * softplus_shifted(-x)


@form(
    GRADIENT,
    "direct",
    formula=r"-q^\gamma (\gamma\,(1-q)\,\mathrm{softplus}(-x) + q),\ q = \sigma(-x)",
    source="the exact derivative, two-branch sigmoids",
    notes="a sum of terms of one sign: no cancellation",
    family=GRADIENT_FORMULAS,
)
def direct(x: Array, gamma: str) -> Array:
    q, p = sigmoid_branched(-x), sigmoid_branched(x)
    return -(power(q, gamma) * (like(gamma, x) * p * softplus_shifted(-x) + q))
