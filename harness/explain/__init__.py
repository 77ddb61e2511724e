"""Say why a kernel, or a user's function, is wrong at one input: the cause, the operation, the remedy."""

from harness.explain.explanation import CAUSES, Explanation, explain, explain_function

__all__ = ["CAUSES", "Explanation", "explain", "explain_function"]
