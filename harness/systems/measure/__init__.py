"""What is asked of every system, and what its answers measure."""
