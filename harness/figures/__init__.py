"""Figures: where each kernel fails, how its loss and gradient run, and how wrong it is at worst.

`figure_names` and `captions` need no drawing library, so that a workflow knows its outputs before it
runs; `figures_job` in job.py draws them.
"""

from harness.figures.catalogue import captions, figure_names

__all__ = ["captions", "figure_names"]
