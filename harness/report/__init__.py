"""The report: one page that people open first, made of the tables, to look up, compare and cite what was measured.

Python states the facts, from the same functions as the atlas and the pages of systems; a template, a style sheet and a
few scripts show them.  The page works from a folder without a network.
"""
