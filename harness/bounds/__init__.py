"""A priori bounds: every kernel's error bounded from its own source, to stand above what is measured.

bound.py has the method; stage.py makes the table and the figures.
"""
