"""Ground truth: certified by mpmath, fast for whole arrays, and the errors of computed values against it."""
