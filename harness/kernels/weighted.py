"""Kernels of weighted losses: pos_weight, alpha, label smoothing and a sample weight, and the focal loss of a label.

Each is one formula for all weights; it rounds them into the working format, as a library does that is given them as
Python numbers.  What is multiplied by 1, or smoothed by 0, is left as it is.
"""

from __future__ import annotations

from harness.kernels import bce, focal, gradients
from harness.kernels.activations import sigmoid_branched, sigmoid_reciprocal, softplus_shifted
from harness.kernels.families import CLIPPED, GRADIENT_FORMULAS, LINEAR_TERM, NO_CLAMP, TWO_SOFTPLUS
from harness.kernels.registry import Array, like, machine_epsilon, weighted_kernel
from harness.problems.weights import Weights, decimal_text

LABEL = r"l = y (1-s) + s/2;\ "
SIGMOID = r"p = 1/(1+e^{-x});\ "
SP = r"\mathrm{sp}(t) = \max(t,0) + \log\mathrm{1p}(e^{-|t|})"
TORCH = "torch==2.13.0 aten/src/ATen/native/Loss.cpp binary_cross_entropy_with_logits, pos_weight"
TENSORFLOW = "tensorflow==2.21.0 tensorflow/python/ops/nn_impl.py weighted_cross_entropy_with_logits_v2"


def constant(value: object, x: Array) -> Array:
    """Return a weight in the format of `x`, rounded into it once."""
    return like(decimal_text(value), x)  # type: ignore[arg-type]


def smoothed(y: Array, weights: Weights) -> Array:
    """Compute y (1 - s) + s / 2 as Keras does, or leave the label as it is."""
    if not weights.smoothing:
        return y
    s = constant(weights.smoothing, y)
    return y * (like(1, y) - s) + like("0.5", y) * s


def factor(value: Array, y: Array, weights: Weights) -> Array:
    """Multiply a loss by alpha_t = alpha y + (1 - alpha) (1 - y) and by the sample weight, where they are given."""
    if weights.alpha is not None:
        alpha, one = constant(weights.alpha, y), like(1, y)
        value = (alpha * y + (one - alpha) * (one - y)) * value
    return value if weights.weight is None else constant(weights.weight, y) * value


def times_pos(value: Array, weights: Weights) -> Array:
    """Multiply a loss of class 1, or its label, by pos_weight where it is given."""
    return value if weights.pos is None else constant(weights.pos, value) * value


# -- from a logit -----------------------------------------------------------------------------------


@weighted_kernel(
    "bce_logits",
    "sigmoid_naive",
    family=NO_CLAMP,
    formula=LABEL + SIGMOID + r"-w \alpha_t (\mathit{pos}\, l \log p + (1-l) \log(1-p))",
    source="textbook form",
    notes="1 - p and log p are 0 once p rounds to 1; then log 0 is infinite, and 0 * log 0 is NaN",
)
def sigmoid_naive(x: Array, y: Array, weights: Weights) -> Array:
    return naive(sigmoid_reciprocal(x), y, weights)


@weighted_kernel(
    "bce_logits",
    "sigmoid_clip_1e-7",
    family=CLIPPED,
    formula=LABEL + SIGMOID + r"q = \min(\max(p, \epsilon), 1-\epsilon);\ "
    r"-w \alpha_t (\mathit{pos}\, l \log q + (1-l) \log(1-q))",
    source="keras==3.15.1 keras/src/losses/losses.py, weights as its users add them",
    notes="plateau at -log eps, where the gradient is 0; 1 - p cancels",
    parameters={"eps": "1e-7"},
)
def sigmoid_clip(x: Array, y: Array, weights: Weights, eps: Array) -> Array:
    return naive(bce.clip(sigmoid_reciprocal(x), eps), y, weights)


@weighted_kernel(
    "bce_logits",
    "linear_softplus",
    family=LINEAR_TERM,
    formula=LABEL + r"w \alpha_t ((1-l) x + (1 + (\mathit{pos}-1) l)\,\mathrm{sp}(-x)),\ " + SP,
    source=f"{TORCH}; {TENSORFLOW}",
    notes="(1-l) x and sp(-x) cancel for negative x: y = 0 loses every digit below about -p ln 2",
)
def linear_softplus(x: Array, y: Array, weights: Weights) -> Array:
    one, label = like(1, x), smoothed(y, weights)
    linear = (one - label) * x
    if weights.pos is None:
        return factor(linear + softplus_shifted(-x), label, weights)
    scale = one + (constant(weights.pos, x) - one) * label
    return factor(linear + scale * softplus_shifted(-x), label, weights)


@weighted_kernel(
    "bce_logits",
    "softplus_pair",
    family=TWO_SOFTPLUS,
    formula=LABEL + r"w \alpha_t (\mathit{pos}\, l\,\mathrm{sp}(-x) + (1-l)\,\mathrm{sp}(x)),\ " + SP,
    source="optax==0.2.8 optax/losses/_classification.py, each term with its weight",
    notes="a sum of terms that are not negative: no cancellation",
)
def softplus_pair(x: Array, y: Array, weights: Weights) -> Array:
    xp, zero, one = x.__array_namespace__(), like(0, x), like(1, x)
    label, tail = smoothed(y, weights), xp.log1p(xp.exp(-xp.abs(x)))
    of_one = times_pos(label, weights) * (xp.maximum(-x, zero) + tail)
    return factor(of_one + (one - label) * (xp.maximum(x, zero) + tail), label, weights)


@weighted_kernel(
    "bce_logits",
    "softplus_halves",
    family=TWO_SOFTPLUS,
    formula=LABEL + r"e = e^{-|x|},\ h = e^{-|x|/2},\ t(a) = (e < \varepsilon_{mach}: (a h) h;\ "
    r"\text{else } a \log\mathrm{1p}(e));\ w \alpha_t (a \max(-x,0) + t(a) + b \max(x,0) + t(b)),\ a = \mathit{pos}\, l,\ b = 1-l",
    source="softplus_pair, a weight between two halves of a small exponential",
    notes="no cancellation, and nothing underflows before it is weighed",
)
def softplus_halves(x: Array, y: Array, weights: Weights) -> Array:
    xp, zero, one = x.__array_namespace__(), like(0, x), like(1, x)
    label, whole = smoothed(y, weights), xp.exp(-xp.abs(x))
    half, tail, small = xp.exp(-xp.abs(x) * like("0.5", x)), xp.log1p(whole), whole < like(machine_epsilon, x)

    def of_class(weight: Array, beyond: Array) -> Array:
        scaled = factor(weight, label, weights)
        return scaled * beyond + xp.where(small, (scaled * half) * half, scaled * tail)

    return of_class(times_pos(label, weights), xp.maximum(-x, zero)) + of_class(one - label, xp.maximum(x, zero))


@weighted_kernel(
    "bce_logits_grad",
    "weighted_sigmoids",
    family=GRADIENT_FORMULAS,
    formula=LABEL + r"w \alpha_t ((1-l)\,\sigma(x) - \mathit{pos}\, l\,\sigma(-x))",
    source="the derivative of the sum of two softplus terms, branched sigmoid",
    notes="no loss for hard targets; cancels only where the gradient itself is 0",
)
def weighted_sigmoids(x: Array, y: Array, weights: Weights) -> Array:
    label = smoothed(y, weights)
    of_zero = (like(1, x) - label) * sigmoid_branched(x)
    return factor(of_zero - times_pos(label, weights) * sigmoid_branched(-x), label, weights)


@weighted_kernel(
    "bce_logits_hess",
    "two_sigmoids",
    family=GRADIENT_FORMULAS,
    formula=LABEL + r"w \alpha_t (\mathit{pos}\, l + 1 - l)\,\sigma(x)\,\sigma(-x),\ \text{branched sigmoids}",
    source="the second derivative of the sum of two softplus terms",
    notes="no cancellation and no overflow",
)
def weighted_two_sigmoids(x: Array, y: Array, weights: Weights) -> Array:
    label = smoothed(y, weights)
    scale = factor(times_pos(label, weights) + (like(1, x) - label), label, weights)
    return scale * (sigmoid_branched(x) * sigmoid_branched(-x))


# -- from a probability -------------------------------------------------------------------------------


@weighted_kernel(
    "bce",
    "naive",
    family=NO_CLAMP,
    formula=LABEL + r"-w \alpha_t (\mathit{pos}\, l \log p + (1-l) \log(1-p))",
    source="textbook form",
    notes="0 * log 0 = NaN for a perfect hard prediction; 1 - p absorbs small p",
)
def naive(p: Array, y: Array, weights: Weights) -> Array:
    xp, one, label = p.__array_namespace__(), like(1, p), smoothed(y, weights)
    return factor(-(times_pos(label, weights) * xp.log(p) + (one - label) * xp.log(one - p)), label, weights)


@weighted_kernel(
    "bce",
    "clip_1e-7",
    family=CLIPPED,
    formula=LABEL + r"q = \min(\max(p, \epsilon), 1-\epsilon);\ "
    r"-w \alpha_t (\mathit{pos}\, l \log q + (1-l) \log(1-q))",
    source="keras==3.15.1 keras/src/losses/losses.py BinaryCrossentropy, weights as its users add them",
    notes="plateau at -log eps; no gradient outside [eps, 1-eps]",
    parameters={"eps": "1e-7"},
)
def clipped(p: Array, y: Array, weights: Weights, eps: Array) -> Array:
    return naive(bce.clip(p, eps), y, weights)


@weighted_kernel(
    "bce",
    "xlogy",
    family=NO_CLAMP,
    formula=LABEL
    + r"-w \alpha_t (\mathit{pos}\, l \log p + (1-l) \log\mathrm{1p}(-p)),\ \text{terms without weight left out}",
    source="the exact formula, term by term, as SciPy's xlogy and xlog1py",
    notes="no cancellation; no NaN for a perfect prediction",
)
def xlogy(p: Array, y: Array, weights: Weights) -> Array:
    xp, zero, one, label = p.__array_namespace__(), like(0, p), like(1, p), smoothed(y, weights)
    other = one - label
    of_one = xp.where(label == zero, zero, label * xp.log(xp.where(label == zero, one, p)))
    of_zero = xp.where(other == zero, zero, other * xp.log1p(-xp.where(other == zero, zero, p)))
    return factor(-(times_pos(of_one, weights) + of_zero), label, weights)


# -- the focal loss of a label ------------------------------------------------------------------------

WRONG = r"m = 1 - (p\,l + (1-p)(1-l));\ "


def gamma_of(weights: Weights) -> str:
    """Return gamma as formulas write it."""
    return decimal_text(weights.gamma or 0)


@weighted_kernel(
    "focal_bce_logits",
    "sigmoid_clip_1e-7",
    family=CLIPPED,
    formula=LABEL + SIGMOID + r"q = \min(\max(p, \epsilon), 1-\epsilon);\ "
    r"-w \alpha_t (1 - (q\,l + (1-q)(1-l)))^\gamma (l \log q + (1-l) \log(1-q))",
    source="keras==3.15.1 keras/src/losses/losses.py binary_focal_crossentropy",
    notes="plateau at -log eps for wrong predictions; 1 - p_t cancels for right ones",
    parameters={"eps": "1e-7"},
)
def focal_clip(x: Array, y: Array, weights: Weights, eps: Array) -> Array:
    one, label = like(1, x), smoothed(y, weights)
    q = bce.clip(sigmoid_reciprocal(x), eps)
    wrong = one - (q * label + (one - q) * (one - label))
    return factor(focal.power(wrong, gamma_of(weights)) * bce.naive(q, label), label, weights)


@weighted_kernel(
    "focal_bce_logits",
    "torchvision",
    family=LINEAR_TERM,
    formula=LABEL + SIGMOID + WRONG + r"w \alpha_t ((1-l) x + \mathrm{sp}(-x))\, m^\gamma,\ " + SP,
    source="torchvision (source only) torchvision/ops/focal_loss.py sigmoid_focal_loss",
    notes="1 - p_t is 0 once p rounds to 1; (1-l) x + sp(-x) cancels for l = 0",
)
def focal_torchvision(x: Array, y: Array, weights: Weights) -> Array:
    one, label, p = like(1, x), smoothed(y, weights), sigmoid_reciprocal(x)
    loss = (one - label) * x + softplus_shifted(-x)
    wrong = one - (p * label + (one - p) * (one - label))
    return factor(loss * focal.power(wrong, gamma_of(weights)), label, weights)


@weighted_kernel(
    "focal_bce_logits",
    "two_sigmoids",
    family=TWO_SOFTPLUS,
    formula=LABEL + r"m = l\,\sigma(-x) + (1-l)\,\sigma(x);\ "
    r"w \alpha_t (l\,\mathrm{sp}(-x) + (1-l)\,\mathrm{sp}(x))\, m^\gamma,\ " + SP,
    source="two-branch sigmoids, and softplus",
    notes="sums of terms that are not negative: no cancellation; m^gamma magnifies the error of m by gamma",
)
def focal_two_sigmoids(x: Array, y: Array, weights: Weights) -> Array:
    one, label = like(1, x), smoothed(y, weights)
    loss = label * softplus_shifted(-x) + (one - label) * softplus_shifted(x)
    wrong = label * sigmoid_branched(-x) + (one - label) * sigmoid_branched(x)
    return factor(loss * focal.power(wrong, gamma_of(weights)), label, weights)


@weighted_kernel(
    "focal_bce_logits",
    "exp_log_wrong",
    family=TWO_SOFTPLUS,
    formula=LABEL + r"m = l\,\sigma(-x) + (1-l)\,\sigma(x);\ "
    r"w \alpha_t (l\,\mathrm{sp}(-x) + (1-l)\,\mathrm{sp}(x))\, e^{\gamma \log m},\ " + SP,
    source="optax==0.2.8 optax/losses/_classification.py sigmoid_focal_loss, 1 - p_t without cancellation",
    notes="no cancellation; exp magnifies the rounding of gamma log m by its size",
)
def focal_exp_log(x: Array, y: Array, weights: Weights) -> Array:
    xp, one, label = x.__array_namespace__(), like(1, x), smoothed(y, weights)
    loss = label * softplus_shifted(-x) + (one - label) * softplus_shifted(x)
    wrong = label * sigmoid_branched(-x) + (one - label) * sigmoid_branched(x)
    return factor(loss * xp.exp(constant(weights.gamma or 0, x) * xp.log(wrong)), label, weights)


@weighted_kernel(
    "focal_bce_logits_hess",
    "two_sigmoids",
    family=GRADIENT_FORMULAS,
    formula=LABEL + r"m = l\,\sigma(-x) + (1-l)\,\sigma(x),\ c = l\,\mathrm{sp}(-x) + (1-l)\,\mathrm{sp}(x),\ "
    r"s = \sigma(x)\,\sigma(-x),\ r = (1-2l) s / m;\ "
    r"w \alpha_t (\gamma r (((\gamma-1) r - (\sigma(x) - \sigma(-x))) c + 2 ((1-l)\,\sigma(x) - l\,\sigma(-x))) + s) m^\gamma,\ "
    + SP,
    source="the second derivative by the product rule, two-branch sigmoids",
    notes="cancels where the second derivative itself is 0",
)
def focal_hessian(x: Array, y: Array, weights: Weights) -> Array:
    xp, zero, one, two, label = x.__array_namespace__(), like(0, x), like(1, x), like(2, x), smoothed(y, weights)
    p, q, gamma = sigmoid_branched(x), sigmoid_branched(-x), constant(weights.gamma or 0, x)
    loss, slope = label * softplus_shifted(-x) + (one - label) * softplus_shifted(x), (one - label) * p - label * q
    wrong = label * q + (one - label) * p
    turning = (one - two * label) * (p * q) / xp.where(wrong == zero, one, wrong)
    bent = gamma * turning * (((gamma - one) * turning - (p - q)) * loss + two * slope)
    return factor((bent + p * q) * focal.power(wrong, gamma_of(weights)), label, weights)


# -- the focal loss of a probability and a label ----------------------------------------------------------

OF_P = r"m = l (1-p) + (1-l) p;\ "


@weighted_kernel(
    "focal_bce",
    "naive",
    family=NO_CLAMP,
    formula=LABEL + WRONG + r"-w \alpha_t\, m^\gamma (l \log p + (1-l) \log(1-p))",
    source="textbook form",
    notes="0 * log 0 = NaN for a perfect hard prediction; 1 - p_t cancels for right predictions",
)
def focal_of_probability(p: Array, y: Array, weights: Weights) -> Array:
    one, label = like(1, p), smoothed(y, weights)
    wrong = one - (p * label + (one - p) * (one - label))
    return factor(focal.power(wrong, gamma_of(weights)) * bce.naive(p, label), label, weights)


@weighted_kernel(
    "focal_bce",
    "clip_1e-7",
    family=CLIPPED,
    formula=LABEL + r"q = \min(\max(p, \epsilon), 1-\epsilon);\ "
    r"-w \alpha_t (1 - (q\,l + (1-q)(1-l)))^\gamma (l \log q + (1-l) \log(1-q))",
    source="keras==3.15.1 keras/src/losses/losses.py binary_focal_crossentropy",
    notes="plateau at -log eps for wrong predictions; 1 - p_t cancels for right ones",
    parameters={"eps": "1e-7"},
)
def focal_of_clipped(p: Array, y: Array, weights: Weights, eps: Array) -> Array:
    return focal_of_probability(bce.clip(p, eps), y, weights)


@weighted_kernel(
    "focal_bce",
    "xlogy",
    family=NO_CLAMP,
    formula=LABEL + OF_P + r"-w \alpha_t\, m^\gamma (l \log p + (1-l) \log\mathrm{1p}(-p)),\ "
    r"\text{terms without weight left out}",
    source="the exact formula, term by term, as SciPy's xlogy and xlog1py",
    notes="no cancellation; no NaN for a perfect prediction; m^gamma magnifies the error of m by gamma",
)
def focal_xlogy(p: Array, y: Array, weights: Weights) -> Array:
    label, one = smoothed(y, weights), like(1, p)
    wrong = label * (one - p) + (one - label) * p
    return factor(focal.power(wrong, gamma_of(weights)) * bce.xlogy(p, label), label, weights)


@weighted_kernel(
    "focal_bce_grad",
    "product_rule",
    family=GRADIENT_FORMULAS,
    formula=LABEL + OF_P + r"c = -(l \log p + (1-l) \log\mathrm{1p}(-p));\ "
    r"w \alpha_t\, m^\gamma (\gamma (1 - 2 l) c / m + (1-l)/(1-p) - l/p),\ \text{terms without weight left out}",
    source="the derivative of xlogy's form, term by term",
    notes="0 / 0 = NaN for a perfect hard prediction; cancels where the gradient of a soft label is 0",
)
def focal_product_rule(p: Array, y: Array, weights: Weights) -> Array:
    label, one = smoothed(y, weights), like(1, p)
    wrong = label * (one - p) + (one - label) * p
    turning = constant(weights.gamma or 0, p) * (one - label - label) * bce.xlogy(p, label) / wrong
    scale = focal.power(wrong, gamma_of(weights))
    return factor(scale * (turning + gradients.bce_split(p, label)), label, weights)
