"""Kernels, one module per family; importing the package declares them all."""

from harness.kernels import (  # noqa: F401  (each declares its kernels)
    activations,
    bce,
    bce_logits,
    divergences,
    focal,
    gradients,
    log1mexp,
    primitives,
)
from harness.kernels.registry import Kernel, all_kernels, kernel_named, kernels_of, like

__all__ = ["Kernel", "all_kernels", "kernel_named", "kernels_of", "like"]
