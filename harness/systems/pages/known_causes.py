"""The causes that are known, by library: what happens, in which operation, and where it was reported."""

from __future__ import annotations

from harness.systems.pages.causes import GITHUB, Cause

P = "1 / (1 + np.exp(-x))"
CLIP = "np.float32(1e-7), np.float32(1) - np.float32(1e-7)"
DENSE = "keras Dense(sigmoid) + BinaryCrossentropy"
# The derivatives of a stable form: that of max(x, 0), the small one of log1p(exp(-|x|)), and y.
REORDERED = "(1 - np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x)))) - y"
BACKWARD = "(p - y) / np.maximum((1 - p) * p, {eps}) * (p * (1 - p))"


# A float16 probability whose loss is computed in float32, the slope cast back to float16.
P16 = "np.float16(1 / (1 + np.exp(-np.float32(x))))"
AUTOCAST = f"(lambda p, q: np.float16((q - y) / np.maximum((1 - q) * q, np.float32(1e-12))) * (p * (1 - p)))({P16}, np.float32({P16}))"
SINCE_THNN = (
    "January 2018 at the latest",
    "read in the sources Sigmoid.c and BCECriterion.c from before they moved; issue 4867 of that month shows them moved",
)
NOT_WITH_LOGITS = (
    f"{GITHUB}pytorch/pytorch/issues/24933",
    "BCELoss of a sigmoid is not BCEWithLogitsLoss (closed)",
)
SINCE_FLOAT16 = ("November 2023, when autocast on processors took float16", "read in pull request 112484")


def torch_backward(eps: str) -> str:
    """Return the gradient by the logit that binary_cross_entropy and the sigmoid give together."""
    return f"(lambda p: {BACKWARD.format(eps=eps)})({P})"


CAUSES: tuple[Cause, ...] = (
    Cause(
        "the gradient of a wrong prediction is NaN under autocast to float16",
        "Autocast computes the loss in float32, of a float16 probability that has rounded to 1. The backward divides by "
        "max((1 − p) p, 1e-12): the slope 1e12 is infinite when it is cast back to float16, and the sigmoid's derivative 0 "
        "times infinity is NaN.",
        AUTOCAST,
        "torch", "torch.nn.Linear + Sigmoid + BCELoss", "bce_logits_grad", "float16", "model_autocast_float16", "0", 8.5,
        ("invalid",),
        since=SINCE_FLOAT16,
        issue=(f"{GITHUB}pytorch/pytorch/issues/61098", "users ask why autocast calls this loss unsafe and refuses it, which it does on GPUs (closed)"),
    ),
    Cause(
        "the gradient of a wrong prediction is infinite under autocast to float16",
        "Autocast computes the loss in float32, of a float16 probability. Its slope, −1 / p, is beyond float16's largest "
        "number, 65504, when it is cast back, and stays infinite when it is multiplied by the sigmoid's derivative.",
        AUTOCAST,
        "torch", "torch.nn.Linear + Sigmoid + BCELoss", "bce_logits_grad", "float16", "model_autocast_float16", "1", -11.5,
        ("invalid",),
        since=SINCE_FLOAT16,
        issue=(f"{GITHUB}pytorch/pytorch/issues/61098", "users ask why autocast calls this loss unsafe and refuses it, which it does on GPUs (closed)"),
    ),
    Cause(
        "the gradient of a very wrong prediction is exactly 0",
        "Below x = −88.7 e^−x is infinite in float32: the sigmoid is 0, and so is its derivative p (1 − p).",
        torch_backward("np.float32(1e-12)"),
        "torch", "torch.sigmoid + binary_cross_entropy", "bce_logits_grad", "float32", "eager", "1", -90.0,
        ("dead",),
        since=SINCE_THNN,
    ),
    Cause(
        "the loss of a right prediction is 0 in mixed precision",
        "The sigmoid is taken in bfloat16, in which 1 + e^−6.5 is 1: p is 1, and the loss in float32 is −log 1.",
        f"-np.log(np.float32({P.replace('1 /', 'x.dtype.type(1) /').replace('(1 +', '(x.dtype.type(1) +')}))",
        "torch", "torch.nn.Linear + Sigmoid + BCELoss", "bce_logits", "bfloat16", "model_autocast_bfloat16", "1", 6.5,
        ("cancelled",),
        since=("PyTorch 1.10, the first with autocast on processors", "read in the first documentation of torch.cpu.amp, and in that of 2.1"),
    ),
    Cause(
        "the gradient of a confidently wrong prediction is exactly 0",
        "The sigmoid rounds to 1, so that its derivative p (1 − p) is 0, and 0 times any slope of the loss is 0.",
        torch_backward("np.float32(1e-12)"),
        "torch", "torch.sigmoid + binary_cross_entropy", "bce_logits_grad", "float32", "eager", "0", 17.0,
        ("dead", "faded"),
        since=SINCE_THNN,
        issue=NOT_WITH_LOGITS,
    ),
    Cause(
        "the gradient shrinks where the prediction is most wrong",
        "The backward divides by max((1 − p) p, 1e-12): below p = 1e-12 the constant replaces the probability, and the "
        "gradient falls with p instead of staying at −1.",
        torch_backward("np.float32(1e-12)"),
        "torch", "torch.sigmoid + binary_cross_entropy", "bce_logits_grad", "float32", "eager", "1", -28.0,
        ("off",),
        since=("PyTorch 1.12.1 at the latest", "read in the issue"),
        issue=(f"{GITHUB}pytorch/pytorch/issues/103316", "the gradient at a logit of −50 is 2.4e-11 in place of 0.125 (open)"),
    ),
    Cause(
        "the loss of a wrong prediction jumps to 100",
        "The logarithm is clamped at −100, and the sigmoid has rounded to 1: log(1 − 1) becomes −100.",
        f"-np.maximum(np.log(1 - {P}), np.float32(-100))",
        "torch", "torch.sigmoid + binary_cross_entropy", "bce_logits", "float32", "eager", "0", 17.0,
        ("plateau",),
        since=("early 2020; in December 2019 it stopped at 27.6", "read in issue 31453 and pull request 33160"),
        issue=NOT_WITH_LOGITS,
    ),
    Cause(
        "the loss of a right prediction, y = 0, is lost from the stable function",
        "For y = 0 the loss is x − log σ(x). For x far below 0 both are nearly equal, and the difference keeps only what "
        "is above the last bit of x. For y = 1 the same loss is right.",
        "(1 - y) * x - (np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))))",
        "torch", "torch.nn.functional.binary_cross_entropy_with_logits", "bce_logits", "float32", "eager", "0", -15.0,
        ("cancelled",),
        since=("January 2024, when log σ came into it", "read in pull request 115539"),
        issue=(f"{GITHUB}pytorch/pytorch/issues/195529", "the same at −40 in float64, loss and gradient (open)"),
    ),
    Cause(
        "the gradient at logit 0 is 0, or 1, for 0.5",
        "The stable form is a sum of |x|, max(−x, 0) and a smooth term. At x = 0 the derivatives of the first two are each "
        "taken as 0, which together they are not.",
        "(1 - y) - np.sign(x) * np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))) - (x < 0)",
        "tensorflow", "tf.nn.weighted_cross_entropy_with_logits", "bce_logits_grad", "float32", "eager", "1", 0.0,
        ("dead", "off"),
        since=("TensorFlow 0.12.0 at the latest", "read in its source: the formula, and the derivative of |x|"),
    ),
    Cause(
        "the loss of a right prediction, y = 0, is lost from the weighted loss",
        "For y = 0 it is x + (log1p(e^−|x|) + max(−x, 0)): the small term is added to −x, rounded, and x taken away.",
        "(1 - y) * x + (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))",
        "tensorflow", "tf.nn.weighted_cross_entropy_with_logits", "bce_logits", "float32", "eager", "0", -15.0,
        ("cancelled",),
        since=("TensorFlow 0.12.0 at the latest", "read in its source"),
    ),
    Cause(
        "the gradient of a right prediction is 0 in a graph",
        "The gradient is 1 − y − s with a small s = e^−|x| / (1 + e^−|x|). In eager mode y is taken from 1 first, and s is left. "
        "The optimizer of graphs adds in another order, (1 − s) − y, in which 1 − s has rounded to 1. With its option "
        "arithmetic_optimization switched off the value is right.",
        REORDERED,
        "tensorflow", "tf.nn.sigmoid_cross_entropy_with_logits", "bce_logits_grad", "float32", "graph", "1", 17.5,
        ("faded",),
        since=("TensorFlow 2.12.0 at the latest", "run with that release"),
    ),
    Cause(
        "the gradient of a right prediction is 0 in a model compiled as a graph",
        "In a graph the sigmoid is taken back and the loss computed from the logit. Its gradient is 1 − y − s with a small "
        "s = e^−|x| / (1 + e^−|x|), which the optimizer of graphs adds in the order (1 − s) − y: 1 − s has rounded to 1.",
        REORDERED,
        "tf_keras", "tf_keras Dense(sigmoid) + BinaryCrossentropy", "bce_logits_grad", "float32", "model_graph", "1", 17.5,
        ("faded",),
        since=("TensorFlow 2.12.0 at the latest", "run with that release; that the sigmoid is taken back is read in issue 31930 of 1.14"),
        issue=(f"{GITHUB}tensorflow/tensorflow/issues/118313", "graph and eager mode differ, since only one takes it back (open)"),
    ),
    Cause(
        "the loss of a right prediction is 0, or below",
        "The probability is clipped to at most 1 − 1e-7 and then 1e-7 added in the logarithm, which makes it 1.",
        f"-np.log(np.clip(x, {CLIP}) + np.float32(1e-7))",
        "tf_keras", "tf_keras.losses.BinaryCrossentropy", "bce", "float32", "eager", "1", 0.9999998807907104,
        ("cancelled",),
        since=("TensorFlow 2.2 at the latest", "read in TensorFlow's pull request 41595"),
        mended="Keras 3, which adds no second epsilon",
        issue=(f"{GITHUB}keras-team/keras/issues/15249", "the second epsilon is redundant (closed)"),
    ),
    Cause(
        "the gradient of a confidently wrong prediction is exactly 0",
        "The probability is clipped to [1e-7, 1 − 1e-7], and the derivative of a clip is 0 outside.",
        f"-((lambda p: (p > np.float32(1e-7)) / p * (p * (1 - p)))({P}))",
        "keras-jax", DENSE, "bce_logits_grad", "float32", "model_jit", "1", -16.5,
        ("dead",),
        since=("Keras 3.0.0, the first with this backend", "read in its source"),
        issue=(f"{GITHUB}keras-team/keras/issues/9664", "a clipped probability has the gradient 0 (closed)"),
    ),
    Cause(
        "the gradient of a wrong prediction is infinite in mixed precision",
        "The loss is computed in float32, of a float16 probability. Its slope, −1 / p, is beyond float16's largest number, "
        "65504, when it is cast back. With Keras's loss scaling, which the line switches off, fit() leaves out the step.",
        AUTOCAST,
        "keras-tensorflow", DENSE, "bce_logits_grad", "float16", "model_mixed_eager", "1", -11.5,
        ("invalid",),
    ),
    Cause(
        "the gradient is halved where the probability meets the clip",
        "The sigmoid at 16 is the very number 1 − 1e-7 in float32, at which the probability is clipped. JAX takes the "
        "derivative of a minimum of two equal numbers as one half.",
        f"(lambda p: np.float32(1 - (p == np.float32(1) - np.float32(1e-7)) / 2) / (1 - p) * (p * (1 - p)))({P})",
        "keras-jax", DENSE, "bce_logits_grad", "float32", "model_jit", "0", 16.0,
        ("off",),
        since=("Keras 3.0.0, the first with this backend", "run with that release and JAX 0.4.30"),
    ),
    Cause(
        "the gradient of a wrong prediction dies at a logit of 6 in mixed precision",
        "The sigmoid is taken in bfloat16, in which 1 + e^−6 is 1: p is 1 before the loss is computed in float32, and the clip "
        "has no derivative there.",
        "(lambda p: float(p < 1 - 1e-7))(x.dtype.type(1) / (x.dtype.type(1) + np.exp(-x)))",
        "keras-jax", DENSE, "bce_logits_grad", "bfloat16", "model_mixed_jit", "0", 6.0,
        ("dead",),
        since=("Keras 3.0.0, the first with this backend", "read in its source"),
    ),
    Cause(
        "the loss from logits stops rising at 15.94",
        "from_logits=True takes the sigmoid of the logit, clips it to [1e-7, 1 − 1e-7] and takes the logarithm: the logit is "
        "given up before the loss is computed.",
        f"-np.log(1 - np.clip({P}, {CLIP}))",
        "keras-numpy", "keras.losses.BinaryCrossentropy(from_logits=True)", "bce_logits", "float32", "eager", "0", 18.0,
        ("plateau",),
        since=("Keras 3.0.0, the first with this backend", "read in its source"),
        issue=(f"{GITHUB}keras-team/keras-core/issues/196", "to be mended on JAX and torch, where the form was the same (closed)"),
    ),
    Cause(
        "float64 probabilities and logits get float32 losses",
        "Inputs are cast to the backend's float32, computed, and cast back: 29 of 53 bits are lost whatever the formula.",
        "np.float64(np.float32(np.log1p(np.exp(-np.abs(x)))))",
        "keras-openvino", "keras.losses.BinaryCrossentropy(from_logits=True)", "bce_logits", "float64", "eager", "0", 0.0,
        ("narrowed",),
        since=("Keras 3.14.0, the first with this loss in that backend", "read in its source and that of 3.13.0"),
    ),
    Cause(
        "the loss of a wrong prediction is cut off at the machine epsilon",
        "The probability is clipped to [eps, 1 − eps], eps being that of the array's format: a smaller one counts as eps.",
        "-np.log(np.clip(x, finfo(x.dtype).eps, 1 - finfo(x.dtype).eps))",
        "sklearn", "sklearn.metrics.log_loss", "bce", "float32", "per_sample", "1", 1e-8,
        ("plateau", "cancelled"),
        since=("scikit-learn 1.2; before, 1e-15, and NaN in float32", "read in the pull request"),
        issue=(f"{GITHUB}scikit-learn/scikit-learn/pull/24354", "the epsilon follows the format (merged)"),
    ),
    Cause(
        "the loss of a right prediction, y = 1, is lost in gradient boosting",
        "Above 33.3 log(1 + e^x) is taken as x, and x − y x is 0. The pair of loss and gradient takes another branch, and is right there.",
        "np.where(x > 33.3, x, x + np.exp(-x)) - y * x",
        "sklearn", "sklearn HalfBinomialLoss.loss", "bce_logits", "float64", "eager", "1", 34.0,
        ("cancelled",),
        since=("scikit-learn 1.1.0 at the latest", "run with that release"),
    ),
    Cause(
        "subnormal losses and gradients are 0",
        "The processor is told to flush subnormal numbers to zero while the compiled code runs; e^−88 is one in float32.",
        "(lambda e: np.log1p(e * (e >= finfo(x.dtype).tiny)))(np.exp(x))",
        "optax", "optax.sigmoid_binary_cross_entropy", "bce_logits", "float32", "eager", "0", -88.0,
        ("cancelled", "faded"),
        since=("jaxlib 0.4.11 at the latest", "read in issue 16200, where it is called intended"),
        issue=(f"{GITHUB}jax-ml/jax/issues/26658", "a tiny number plus zero is zero (open); JAX documents it"),
    ),
    Cause(
        "the loss of a wrong prediction is infinite",
        "log σ(z) is computed as log(1 / (1 + e^−z)): e^−z overflows, and the logarithm is that of 0.",
        "-np.log(1 / (1 + np.exp(-(2 * y - 1) * x)))",
        "statsmodels", "statsmodels Logit.loglikeobs", "bce_logits", "float32", "eager", "0", 90.0,
        ("invalid", "cancelled"),
        since=("2017 at the latest", "read in the issue"),
        mended="the sources since pull request 10217 of August 2026, by logaddexp",
        issue=(f"{GITHUB}statsmodels/statsmodels/issues/3923", "overflow in Logit (closed)"),
        line='python -c "import numpy as np; from statsmodels.discrete.discrete_model import Logit; x = np.array([[90.]], '
        "'float32'); m = Logit(np.array([0.]), x); m.endog, m.exog = np.zeros(1, 'float32'), x; "
        "print(-m.loglikeobs(np.ones(1, 'float32'))[0])\"",
    ),
    Cause(
        "the reported loss of a wrong prediction is 36.84, whatever the logit",
        "The probability is a float32 that has rounded to 1; 1 − p is 0, and the logarithm is taken of 1e-16 instead.",
        f"-np.log(np.maximum(1 - {P}, np.float32(1e-16)))",
        "xgboost", "xgboost logloss", "bce_logits", "float32", "metric", "0", 17.0,
        ("plateau", "cancelled"),
        since=("XGBoost 0.80 at the latest", "run with that release, the margin set on its matrix"),
        line='python -c "import numpy as np, xgboost; d = xgboost.DMatrix(np.zeros((1, 1)), label=[0], base_margin=[17.]); '
        "b = xgboost.train({'objective': 'binary:logistic', 'eval_metric': 'logloss', 'base_score': 0.5}, d, 0); "
        'print(b.eval(d).split(\':\')[1])"',
    ),
    Cause(
        "the reported loss of a wrong prediction is 34.54, whatever the logit",
        "The probability has rounded to 1; where 1 − p is not above 1e-15 the logarithm is taken of 1e-15.",
        f"-np.log(np.maximum(1 - {P}, 1e-15))",
        "lightgbm", "lightgbm binary_logloss", "bce_logits", "float64", "metric", "0", 40.0,
        ("plateau", "cancelled"),
        since=("LightGBM 2.3.1 at the latest", "run with that release"),
        line='python -c "import numpy as np, lightgbm as l; s = {\'objective\': \'binary\', \'metric\': \'binary_logloss\', '
        "'verbose': -1}; t = l.Dataset(np.zeros((2, 1)), label=[0, 1], params=s); v = l.Dataset(np.zeros((1, 1)), label=[0], "
        'init_score=[40.], reference=t, params=s); print(l.Booster(s, t).add_valid(v, \'v\').eval_valid()[0][2])"',
    ),
)  # fmt: skip
