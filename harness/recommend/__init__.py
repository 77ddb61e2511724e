"""Recommend: the known forms of a problem, ranked by their errors and their cost, with code to paste."""
