"""Problems: the exact functions that kernels compute, a module for each kind.

A new problem is one entry in the tuple of its module; a new module is one line here, where the order of
all lists and tables is.
"""

from harness.problems.cross_entropy import CROSS_ENTROPY
from harness.problems.divergences import DIVERGENCES
from harness.problems.focal import FOCAL
from harness.problems.focal_hessian import FOCAL_HESSIANS
from harness.problems.focal_probability import FOCAL_PROBABILITY
from harness.problems.focal_weighted import WEIGHTED_FOCAL
from harness.problems.functions import FUNCTIONS
from harness.problems.log1mexp import LOG1MEXP
from harness.problems.logit import LOGIT
from harness.problems.problem import (
    OWN,
    PROBLEMS,
    WEIGHTED,
    Array,
    Problem,
    Terms,
    WeightedFamily,
    antiderivative_of,
    gradient_of,
    is_hessian,
    known_names,
    problem_named,
    register,
    register_weighted,
)
from harness.problems.weighted import WEIGHTED_CROSS_ENTROPY
from harness.problems.weights import Weights, weights_of

register(*CROSS_ENTROPY, *FUNCTIONS, *LOG1MEXP, LOGIT, *DIVERGENCES, *FOCAL)
register_weighted(*WEIGHTED_CROSS_ENTROPY, *WEIGHTED_FOCAL, *FOCAL_PROBABILITY, *FOCAL_HESSIANS)

__all__ = [
    "OWN",
    "PROBLEMS",
    "WEIGHTED",
    "Array",
    "Problem",
    "Terms",
    "WeightedFamily",
    "Weights",
    "antiderivative_of",
    "gradient_of",
    "is_hessian",
    "known_names",
    "problem_named",
    "register",
    "register_weighted",
    "weights_of",
]
