"""The libraries under test, one file (or folder) each: its versions, its calls, their replicas, their typed lines.

An adapter declares `LIBRARIES`, the libraries whose process it sets up, and `systems(library)`, what is
called in each.  It is found by lying here: nothing else has to name it.  It imports the library that it
adapts only inside the functions that load or call it.
"""
