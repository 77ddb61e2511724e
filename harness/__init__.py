"""Measure the numerical error of cross-entropy losses against certified ground truth."""

__version__ = "1.0.0"


class UsageError(ValueError):
    """Input that cannot be used; the message is the one sentence that a user sees."""
