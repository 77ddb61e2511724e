"""Studies: practitioners' questions, each with code of its own beside the sweeps.

An experiment file that has the key `study` is one; its folder here has the same name.  study.py says what
such a folder holds.
"""
