"""The findings page: the surprises that a user is most likely to meet, ranked by a rule that the page states.

likelihood = call x format x input, each 1 to 3:
  call    3: in the library's own introductions to binary classification; 2: public, written for it; 1: else
  format  3: the library's default; 2: mixed precision or autocast, or float32 where float64 is the default; 1: else
  input   3: a logit of at most 10 in size; 2: of at most 20, or a probability of 0 or 1; 1: else
Of equal likelihood, the graver kind comes first, then the smaller logit, then the order of the libraries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.systems.adapters.lines import line
from harness.systems.pages.effects import KINDS, Answer, Effect, effects, masks
from harness.systems.pages.wording import number
from harness.tables.rows import Row

MOST = 10
# Library: its calls for binary classification that introductions show, and others that are public.
TAUGHT = {
    "torch": ("torch.nn.functional.binary_cross_entropy_with_logits", "torch.nn.Linear + BCEWithLogitsLoss",
              "torch.sigmoid + binary_cross_entropy", "torch.nn.Linear + Sigmoid + BCELoss"),
    "tensorflow": ("tf.nn.sigmoid_cross_entropy_with_logits",),
    "keras": ("keras Dense(sigmoid) + BinaryCrossentropy", "keras Dense + BinaryCrossentropy(from_logits=True)"),
    "tf_keras": ("tf_keras Dense(sigmoid) + BinaryCrossentropy",),
    "optax": ("optax.sigmoid_binary_cross_entropy",),
    "sklearn": ("sklearn.metrics.log_loss",),
}  # fmt: skip
PRIVATE = ("sklearn",)  # a name that starts with it and a space is not public
DOUBLE = ("sklearn", "scipy", "statsmodels", "lightgbm", "catboost")  # float64 is their default
UNTRAINED = ("keras-numpy", "keras-openvino", "replica")  # they have no gradients, or are not live
# The mode that a model's fit() or a plain call takes of itself; other modes count as public, not as taught.
DEFAULT_MODE = {"keras-tensorflow": "xla", "keras-jax": "jit", "keras-torch": "eager"}
RIGHT = ("cancelled", "faded", "narrowed")
WHAT = {
    "invalid": "{noun} is {value}",
    "dead": "the gradient is exactly 0, where it should be {truth}",
    "off": "the gradient is {value}, where it should be {truth}",
    "plateau": "the loss is {value}, where it should be {truth}",
    "cancelled": "the loss of a right prediction is {value}, where it should be {truth}",
    "faded": "the gradient of a right prediction is {value}, where it should be {truth}",
    "narrowed": "{noun} of float64 inputs is a float32 number",
}


@dataclass(frozen=True)
class Finding:
    """Hold a surprise: the likeliest effect, the line that reproduces it, and the systems that share its kind."""

    effect: Effect
    weights: tuple[int, int, int]
    line: str
    also: tuple[str, ...]
    not_in: tuple[str, ...]

    @property
    def likelihood(self) -> int:
        """Return the product of the weights."""
        return math.prod(self.weights)


def family(library: str) -> str:
    """Return what a user calls the library: Keras is one, whatever its backend."""
    return "keras" if library.startswith("keras-") else library


def weights(effect: Effect) -> tuple[int, int, int]:
    """Return the weights of call, format and input."""
    row = effect.answer.row
    library, name, fmt = str(row["library"]), str(row["system"]), str(row["format"])
    taught = name in TAUGHT.get(family(library), ())
    call = 3 if taught else 1 if name.split(" ")[0] in PRIVATE else 2
    if library in UNTRAINED:
        call = 1
    elif library in DEFAULT_MODE and not str(row["mode"]).endswith(DEFAULT_MODE[library]):
        call = min(call, 2)
    default = "float64" if library in DOUBLE else "float32"
    second = fmt == "float32" or mixed(row)
    ends = effect.x in (0, 1) and effect.logit == math.inf
    at = 3 if effect.logit <= 10 else 2 if effect.logit <= 20 or ends else 1
    return call, 3 if fmt == default else 2 if second else 1, at


def mixed(row: Row) -> bool:
    """Tell whether a row is of a model in mixed precision."""
    return "mixed" in str(row["mode"]) or "model_autocast" in str(row["mode"])


def findings(answers: list[Answer], most: int = MOST) -> list[Finding]:
    """Return the likeliest findings, one for each call, in mixed precision or not, of wrong and of right predictions."""
    groups: dict[tuple, list[tuple[tuple, Effect, str]]] = {}
    for order, answer in enumerate(answers):
        if str(answer.row["target"]) not in ("0", "1") or answer.row["label_smoothing"]:
            continue
        for effect in effects(answer):
            text = line(answer.row, effect.x)
            if text is not None:
                row = answer.row
                key = (family(str(row["library"])), row["system"], mixed(row), effect.kind in RIGHT)
                groups.setdefault(key, []).append((_rank(effect, order), effect, text))
    best = sorted((min(group, key=lambda g: g[0]) for group in groups.values()), key=lambda g: g[0])[:most]
    return [Finding(e, weights(e), text, *_elsewhere(e, answers)) for _, e, text in best]


def _rank(effect: Effect, order: int) -> tuple:
    likelihood = math.prod(weights(effect))
    return -likelihood, KINDS.index(effect.kind), effect.value != 0, effect.logit, order


def _elsewhere(effect: Effect, answers: list[Answer]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the other modes and backends in which the same call goes wrong at the same input, and those where not."""
    row, found = effect.answer.row, ([], [])  # type: ignore[var-annotated]
    same = ("system", "problem", "format", "target")
    for other in answers:
        if other is effect.answer or any(other.row[c] != row[c] for c in same):
            continue
        if family(str(other.row["library"])) == family(str(row["library"])):
            at = other.x == effect.x
            wrong = any((mask & at).any() for mask in masks(other).values())
            found[0 if wrong else 1].append(f"{other.row['library']} {other.row['mode']}")
    return tuple(found[0]), tuple(found[1])


def headline(effect: Effect) -> str:
    """Write what is wrong, from the value and the truth."""
    noun = "the gradient" if effect.answer.is_gradient else "the loss"
    return WHAT[effect.kind].format(noun=noun, value=number(effect.value), truth=number(effect.truth))
