"""Kernels, one module per family; importing the package declares them all."""

from harness.kernels import functions, gradients, logits, primitives, probability  # noqa: F401
from harness.kernels.registry import Kernel, all_kernels, kernel_named, kernels_of, like

__all__ = ["Kernel", "all_kernels", "kernel_named", "kernels_of", "like"]
