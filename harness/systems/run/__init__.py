"""Libraries run in processes of their own with time limits: one that crashes or hangs costs its results only."""
