"""Problems: the exact functions that kernels compute."""

from harness.problems.exact import PROBLEMS, Array, Problem, Terms, antiderivative_of, gradient_of, problem_named
from harness.problems.relatives import RELATIVES

PROBLEMS.update({problem.name: problem for problem in RELATIVES})

__all__ = ["PROBLEMS", "Array", "Problem", "Terms", "antiderivative_of", "gradient_of", "problem_named"]
