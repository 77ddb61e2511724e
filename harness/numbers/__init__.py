"""Numbers: floating-point formats, and the wide formats that hold exact values of whole arrays."""
