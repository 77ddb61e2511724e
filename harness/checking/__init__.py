"""Check a loss of one's own: find the function, call it in a process apart, measure it and judge it."""
