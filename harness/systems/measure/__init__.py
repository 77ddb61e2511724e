"""What is asked of every system (formats, targets, inputs), and the errors of what it returned."""
