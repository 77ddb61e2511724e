"""The log_loss of scikit-learn, and the loss inside its linear models and gradient boosting."""

from __future__ import annotations

import numpy as np

from harness.kernels.registry import Array
from harness.systems.casts import inside64
from harness.systems.commands import evaluated, printed, shell
from harness.systems.registry import Call, Library, Point, System, differentiated
from harness.systems.replicas import replica

LIBRARIES = (Library("sklearn", __name__, ("sklearn",), order=60, default_format="float64", quick=True),)

# -- calls -------------------------------------------------------------------------------------


def _load_log_loss() -> Call:
    """Return log_loss per sample: its own code, its last step, the average, recorded instead of taken."""
    from sklearn.metrics import _classification as module
    from sklearn.metrics import log_loss

    def call(p: Array, y: Array) -> Array:
        recorded: list[Array] = []

        def record(loss: Array, **rest: object) -> float:
            recorded.append(np.asarray(loss))
            return 0.0

        average, module._average = module._average, record
        try:
            log_loss(y, p, labels=[0, 1])
        finally:
            module._average = average
        return recorded[0]

    return call


def _print_log_loss(at: Point) -> str | None:
    """Write the line that prints log_loss, the average of one; NumPy has no name for bfloat16."""
    if at.fmt == "bfloat16":
        return None
    inputs = f"import numpy as np; x, y = np.array([[{at.x}], [{at.y}]], '{at.fmt}')"
    return shell(f"from sklearn.metrics import log_loss; {inputs}; print(log_loss(y, x, labels=[0, 1]))")


IMPORTS = "from sklearn._loss import HalfBinomialLoss"
ARGUMENTS = "(y_true=y, raw_prediction=x)"
# method, what is taken of its result, whether that is the gradient, replica
METHODS = (
    ("loss", "", False, "sklearn_loss"),
    ("gradient", "", True, "sklearn_gradient"),
    ("loss_gradient", "[0]", False, "sklearn_loss_gradient"),
    ("loss_gradient", "[1]", True, "sklearn_pair_gradient"),
)


def systems(library: str) -> list[System]:
    """Return the systems of sklearn: log_loss, and the compiled loss inside its models with its gradients."""
    log_loss = System(
        "sklearn.metrics.log_loss",
        library,
        "bce",
        "per_sample",
        _load_log_loss,
        "clip_machine_epsilon",
        "the average over samples is recorded before it is taken",
        hard_targets=True,
        command=_print_log_loss,
        taught=True,
    )
    return [log_loss, *(_half_binomial(library, *method) for method in METHODS)]


def _half_binomial(library: str, method: str, taken: str, gradient: bool, replica: str) -> System:
    expression = f"HalfBinomialLoss().{method}{ARGUMENTS}{taken}"
    return System(
        f"sklearn HalfBinomialLoss.{method}",
        library,
        differentiated("bce_logits", gradient),
        "eager",
        evaluated(IMPORTS, expression),
        replica,
        command=printed(IMPORTS, expression),
        public=False,
    )


# -- replicas ----------------------------------------------------------------------------------

SKLEARN = "scikit-learn==1.9.1 sklearn/_loss/_loss.pyx.tp"
DOUBLE = "double inside, rounded to the format at the end"


def _log1pexp(x: Array) -> Array:
    e = np.exp(x)
    low, middle = np.where(x <= -37, e, np.log1p(e)), np.log(1 + e)
    high = np.where(x <= 33.3, x + np.exp(-x), x)
    return np.where(x <= -2, low, np.where(x <= 18, middle, high))


@replica("bce_logits", "sklearn_loss", r"\mathrm{log1pexp}(x) - y x", SKLEARN, DOUBLE)
@inside64
def sklearn_loss(x: Array, y: Array) -> Array:
    """Compute log(1 + e^x) - y x as CyHalfBinomialLoss.cy_loss does, by the branches of its log1pexp."""
    return _log1pexp(x) - y * x


@replica(
    "bce_logits",
    "sklearn_loss_gradient",
    r"x \le -37: e^x - yx;\ \le -2: \log\mathrm{1p}(e^x) - yx;\ \le 18: \log\mathrm{1p}(e^{-x}) + (1-y)x;\ e^{-x} + (1-y)x",
    SKLEARN,
    DOUBLE,
)
@inside64
def sklearn_loss_gradient(x: Array, y: Array) -> Array:
    """Compute the loss of cy_grad: the same function by other branches."""
    e, f = np.exp(x), np.exp(-x)
    low = np.where(x <= -37, e, np.log1p(e)) - y * x
    return np.where(x <= -2, low, np.where(x <= 18, np.log1p(f), f) + (1 - y) * x)


@replica(
    "bce_logits_grad",
    "sklearn_gradient",
    r"x > -37: ((1-y) - y e^{-x}) / (1 + e^{-x});\ e^x - y",
    SKLEARN,
    DOUBLE,
)
@inside64
def sklearn_gradient(x: Array, y: Array) -> Array:
    """Compute ((1 - y) - y e^-x) / (1 + e^-x) above -37, else e^x - y: cy_gradient."""
    f = np.exp(-x)
    return np.where(x > -37, ((1 - y) - y * f) / (1 + f), np.exp(x) - y)


@replica(
    "bce_logits_grad",
    "sklearn_pair_gradient",
    r"x \le -37: e^x - y;\ \le -2: ((1-y) e^x - y) / (1 + e^x);\ ((1-y) - y e^{-x}) / (1 + e^{-x})",
    SKLEARN,
    DOUBLE,
)
@inside64
def sklearn_pair_gradient(x: Array, y: Array) -> Array:
    """Compute the gradient that comes with the loss: by e^-x above -2, by e^x down to -37, then e^x - y."""
    e, f = np.exp(x), np.exp(-x)
    low = np.where(x <= -37, e - y, ((1 - y) * e - y) / (1 + e))
    return np.where(x <= -2, low, ((1 - y) - y * f) / (1 + f))
