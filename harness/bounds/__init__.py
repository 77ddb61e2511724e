"""A priori bounds: every kernel's error bounded from its own source, to stand above what is measured.

A measurement above its bound means that one of the two is wrong.  From the ground up: intervals.py
(closed intervals), function_errors.py (how wrong exp, log and their like are), running_error.py (a value with
a bound on its error), rules.py (one rule for each operation), pieces.py (cells divided so that bounds are
tight), bound.py (the bound of a cell, and its check), then table.py, figure.py and job.py, the stage.
"""
