"""One module for each library: its calls, the kernels that replicate them, the lines that reproduce them."""
