"""Libraries in worker processes, with time limits."""
