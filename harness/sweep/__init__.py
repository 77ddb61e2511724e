"""Sweeps: every kernel of a problem evaluated on a grid of inputs, and what is kept of its errors.

A format has up to 2^64 numbers, so no error is kept by itself.  A grid (grid.py) gives the inputs in blocks; the pass
(streaming.py) computes each block with all kernels and once exactly, tallies the errors (tally.py) and adds them to
summaries (summary.py); the job (job.py) does so for one shard and writes a file (stored.py), and shards.py reads the
files of all shards as one.  A case (case.py) goes back to single inputs; own.py lets a user's function be swept.
"""
