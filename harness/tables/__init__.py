"""Tables that people cite: their rows, their files, and the checks of what they say."""
