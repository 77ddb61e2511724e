"""Claims in circulation about cross-entropy losses, each checked by code.

A claim is one entry in of_formulas.py or, where it is about a library, of_libraries.py.
"""
