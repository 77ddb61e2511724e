"""Problems: the exact functions that kernels compute, a module for each kind.

A new problem is one entry in the tuple of its module; a new module is one line here, where the order of
all lists and tables is.
"""

from harness.problems.cross_entropy import CROSS_ENTROPY
from harness.problems.divergences import DIVERGENCES
from harness.problems.focal import FOCAL
from harness.problems.functions import FUNCTIONS
from harness.problems.log1mexp import LOG1MEXP
from harness.problems.logit import LOGIT
from harness.problems.problem import (
    PROBLEMS,
    Array,
    Problem,
    Terms,
    antiderivative_of,
    gradient_of,
    problem_named,
    register,
)

register(*CROSS_ENTROPY, *FUNCTIONS, LOG1MEXP, LOGIT, *DIVERGENCES, *FOCAL)

__all__ = ["PROBLEMS", "Array", "Problem", "Terms", "antiderivative_of", "gradient_of", "problem_named", "register"]
