"""Sweeps: which inputs are visited, the pass over them, and the summaries that it leaves."""
