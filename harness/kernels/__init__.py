"""Kernels, one module per family; importing the package declares them all."""

from harness.kernels import (  # noqa: F401
    divergences,
    focal,
    functions,
    gradients,
    logits,
    primitives,
    probability,
    relatives,
)
from harness.kernels.registry import Kernel, all_kernels, kernel_named, kernels_of, like

__all__ = ["Kernel", "all_kernels", "kernel_named", "kernels_of", "like"]
