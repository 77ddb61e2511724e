"""Figures: where each kernel fails, how its loss and gradient run, and how wrong it is at worst."""
