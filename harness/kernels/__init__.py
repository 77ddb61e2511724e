"""Kernels, one module a family of formulas; importing the package declares them all, whatever modules there are."""

from importlib import import_module
from pkgutil import iter_modules

from harness.kernels.lookup import all_kernels, kernel_named, kernels_of
from harness.kernels.registry import Kernel, like

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Kernel", "all_kernels", "kernel_named", "kernels_of", "like"]
