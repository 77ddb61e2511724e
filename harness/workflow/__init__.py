"""What the workflow stands on: experiment files, whole files, provenance, dependencies, progress."""
