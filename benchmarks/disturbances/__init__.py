"""What disturbs a run, a module each, and the small checkout in which it is tried; benchmarks/crashes.py tries all."""
