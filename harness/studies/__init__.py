"""Studies: practitioners' questions, each with code of its own beside the sweeps.

An experiment file that has the key `study` is one (see study.py); its module here has the same name.
"""
