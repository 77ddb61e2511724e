"""The old name of `layout`, until every caller takes it from there."""

from harness.figures.layout import Layout, line

__all__ = ["Layout", "line"]
