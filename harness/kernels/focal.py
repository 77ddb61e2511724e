"""Kernels of the focal loss, from the logit x of the true class, and of its derivative.

The loss is q^gamma softplus(-x) with q = sigma(-x).  A power of 2 is a product and one of 1/2 a
square root, as in torch.pow.  For y = 0 libraries take another path, at the logit -x.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.kernels.activations import log_sigmoid_torch, sigmoid_branched, sigmoid_reciprocal, softplus_shifted
from harness.kernels.bce import clip
from harness.kernels.registry import Array, Kernel, Parameter, like, register
from harness.kernels.tape import gradient

GAMMAS = {"focal": "2", "focal_g0.5": "0.5"}
LIN = "doi:10.1109/ICCV.2017.324"


def power(q: Array, gamma: str) -> Array:
    """Compute q^gamma for gamma 2 or 1/2."""
    return q * q if gamma == "2" else q.__array_namespace__().sqrt(q)


def sigmoid_naive(x: Array, gamma: str) -> Array:
    p = sigmoid_reciprocal(x)
    return -(power(like(1, x) - p, gamma) * x.__array_namespace__().log(p))


def sigmoid_clip(x: Array, gamma: str, eps: Array) -> Array:
    p = sigmoid_reciprocal(x)
    return power(like(1, x) - p, gamma) * -x.__array_namespace__().log(clip(p, eps))


def torchvision(x: Array, gamma: str) -> Array:
    return softplus_shifted(-x) * power(like(1, x) - sigmoid_reciprocal(x), gamma)


def torchvision_y0(x: Array, gamma: str) -> Array:
    one, z = like(1, x), -x
    p_true = one - sigmoid_reciprocal(z)
    return (z + softplus_shifted(-z)) * power(one - p_true, gamma)


def retinanet(x: Array, gamma: str) -> Array:
    xp, g = x.__array_namespace__(), like(gamma, x)
    modulator = xp.exp(g * -x - g * xp.log1p(xp.exp(-x)))
    return modulator * softplus_shifted(-x)


def kornia(x: Array, gamma: str) -> Array:
    return -(power(sigmoid_reciprocal(-x), gamma) * log_sigmoid_torch(x))


def exp_log_sigmoid(x: Array, gamma: str) -> Array:
    return x.__array_namespace__().exp(like(gamma, x) * -softplus_shifted(x)) * softplus_shifted(-x)


def branched(x: Array, gamma: str) -> Array:
    return power(sigmoid_branched(-x), gamma) * softplus_shifted(-x)


SIGMOID, SOFTPLUS = r"p = 1/(1+e^{-x});\ ", r"(\max(-x, 0) + \log\mathrm{1p}(e^{-|x|}))"
# name: function, formula, source, notes, parameters.
FORMS: dict[str, tuple[Callable[..., Array], str, str, str, dict[str, Parameter]]] = {
    "sigmoid_naive": (
        sigmoid_naive, SIGMOID + r"-(1-p)^\gamma \log p", f"textbook form; {LIN}, equation 4",
        "1 - p and log p are 0 once p rounds to 1; log 0 is infinite once e^-x overflows", {},
    ),
    "sigmoid_clip_1e-7": (
        sigmoid_clip, SIGMOID + r"q = \min(\max(p, \epsilon), 1-\epsilon);\ (1-p)^\gamma (-\log q)",
        "keras==3.15.1 keras/src/losses/losses.py binary_focal_crossentropy",
        "plateau at -log eps for wrong predictions, where the gradient is nearly 0; 1 - p cancels", {"eps": "1e-7"},
    ),
    "torchvision": (
        torchvision, SIGMOID + SOFTPLUS + r"\,(1-p)^\gamma",
        "torchvision (source only) torchvision/ops/focal_loss.py sigmoid_focal_loss at y = 1",
        "1 - p cancels: 0 once p rounds to 1", {},
    ),
    "torchvision_y0": (
        torchvision_y0,
        r"z = -x,\ p = 1/(1+e^{-z});\ (z + \max(-z, 0) + \log\mathrm{1p}(e^{-|z|}))\,(1 - (1 - p))^\gamma",
        "torchvision (source only) torchvision/ops/focal_loss.py sigmoid_focal_loss at y = 0, logit z",
        "z + softplus(-z) cancels and 1 - (1 - p) absorbs p: both 0 for confident correct predictions", {},
    ),
    "retinanet": (
        retinanet, r"\exp(\gamma (-x) - \gamma \log\mathrm{1p}(e^{-x}))\," + SOFTPLUS,
        "RetinaNet and EfficientDet for TensorFlow (source only): their form against NaN in the gradient for gamma < 1",
        "inf - inf = NaN once e^-x overflows; the exponent's rounding is magnified by its size", {},
    ),
    "kornia": (
        kornia, r"-(1/(1+e^{x}))^\gamma (\min(x, 0) - \log\mathrm{1p}(e^{-|x|}))",
        "kornia (source only, earlier versions) kornia/losses/focal.py binary_focal_loss_with_logits",
        "sigma(-x) for 1 - sigma(x): no cancellation; 0 once e^x overflows", {},
    ),
    "exp_log_sigmoid": (
        exp_log_sigmoid, r"\exp(-\gamma\,\mathrm{sp}(x))\,\mathrm{sp}(-x),\ "
        r"\mathrm{sp}(t) = \max(t, 0) + \log\mathrm{1p}(e^{-|t|})",
        "optax==0.2.8 optax/losses/_classification.py sigmoid_focal_loss, for a hard target",
        "no cancellation; exp magnifies the rounding of gamma x by its size", {},
    ),
    "branched": (
        branched, r"t = e^{-|x|};\ q = (x > 0: t;\ \text{else } 1) / (1 + t);\ q^\gamma\," + SOFTPLUS,
        "two-branch sigmoid of -x, and softplus", "no cancellation and no overflow", {},
    ),
}  # fmt: skip


def direct(x: Array, gamma: str) -> Array:
    """Compute -q^gamma (gamma (1-q) softplus(-x) + q)."""
    q, p = sigmoid_branched(-x), sigmoid_branched(x)
    return -(power(q, gamma) * (like(gamma, x) * p * softplus_shifted(-x) + q))


for _problem, _gamma in GAMMAS.items():
    for _name, (_function, _formula, _source, _notes, _parameters) in FORMS.items():
        _form = partial(_function, gamma=_gamma)
        _form.__module__ = __name__  # type: ignore[attr-defined]
        register(Kernel(_name, _problem, _form, _formula, _source, _notes, _parameters))
        _derivative = gradient(_form)
        register(
            Kernel(
                _name,
                f"{_problem}_grad",
                _derivative,
                rf"\frac{{\partial}}{{\partial x}}\left[{_formula}\right]",
                _source,
                "reverse-mode autodiff of the formula as written; " + _notes,
                _parameters,
            )
        )
    register(
        Kernel(
            "direct",
            f"{_problem}_grad",
            partial(direct, gamma=_gamma),
            r"-q^\gamma (\gamma\,(1-q)\,\mathrm{softplus}(-x) + q),\ q = \sigma(-x)",
            "the exact derivative, two-branch sigmoids",
            "a sum of terms of one sign: no cancellation",
        )
    )
