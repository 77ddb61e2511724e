"""Problems of K classes: functions of a row of K logits, and for a loss of its label.

They are no problems of one input, and have no grid: what is measured of them is measured on rows (sweep/vectors.py).
Their exact values are in truth/softmax.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness import UsageError
from harness.problems.weights import MARK, Weights, decimal_text

LABELS = ("integer", "onehot", "soft")
MOST_CLASSES = 100_000
HESSIAN = "softmax_ce_hess"


@dataclass(frozen=True)
class ClassProblem:
    """Describe an exact function of K logits: its name, whether a label belongs to it, its formula (LaTeX).

    `gradient` names the problem that is its derivative in the logits; that one has K values, one `each_class`.  So has
    `hessian`, the diagonal of the second derivatives, which boosting libraries ask of an objective.
    """

    name: str
    has_target: bool
    formula: str
    gradient: str = ""
    hessian: str = ""
    each_class: bool = False

    def of(self, classes: int, weights: Weights) -> str:
        """Return the name that rows have: logsumexp@classes=10."""
        smoothing = f"+smoothing={decimal_text(weights.smoothing)}" if weights.smoothing else ""
        return f"{self.name}{MARK}classes={classes}{smoothing}"


CLASS_PROBLEMS: Mapping[str, ClassProblem] = {
    p.name: p
    for p in (
        ClassProblem("logsumexp", False, r"\log \sum_i e^{x_i}", "softmax"),
        ClassProblem("softmax_ce", True, r"\sum_i t_i (\log \sum_j e^{x_j} - x_i)", "softmax_ce_grad", HESSIAN),
        ClassProblem("softmax", False, r"e^{x_i} / \sum_j e^{x_j}", each_class=True),
        ClassProblem("softmax_ce_grad", True, r"e^{x_i} / \sum_j e^{x_j} \sum_j t_j - t_i", each_class=True),
        ClassProblem(HESSIAN, True, r"p_i (1 - p_i) \sum_j t_j,\ p_i = e^{x_i} / \sum_j e^{x_j}", each_class=True),
    )
}


def class_problem(name: str, classes: int | None, weights: Weights, labels: str) -> ClassProblem:
    """Return the K-class problem of a name; UsageError for a number of classes, weights or labels that do not fit it."""
    found = CLASS_PROBLEMS[name]
    if classes is None or not 2 <= classes <= MOST_CLASSES:
        raise UsageError(f"{name} needs --classes, a number from 2 to {MOST_CLASSES}")
    other = [w for w in weights.given() if w != "smoothing" or not found.has_target]
    if other:
        raise UsageError(f"{name} has no {other[0]}" + ("; its weights: smoothing" if found.has_target else ""))
    if labels not in LABELS:
        raise UsageError(f"labels {labels!r} are unknown; known: {', '.join(LABELS)}")
    return found
