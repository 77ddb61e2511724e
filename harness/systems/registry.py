"""The register of systems: the losses of real libraries, and the kernels that replicate them.

Importing this module, or any adapter module, imports no library under test: `System.load`
does, and only worker.py calls it, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib import import_module

import numpy as np

from harness import UsageError

# What an adapter gives: f(x) or f(x, y), 1-D arrays of one format in, one array of that shape out.
Call = Callable[..., np.ndarray]

ALL_FORMATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class System:
    """Describe one loss of one library as users call it.

    `name` is the library's own name of the function; `mode` says how it is called (eager, jit,
    model, ...).  `load` imports the library and returns the call, which gives losses per element,
    in whatever format the library returns.  `replica` names the kernel that is its documented
    formula (see replicas.kernel_of).  `notes` say where it differs from the replica, and why.
    """

    name: str
    library: str
    problem: str
    mode: str
    load: Callable[[], Call]
    replica: str
    notes: str = ""
    formats: tuple[str, ...] = ALL_FORMATS
    hard_targets: bool = False  # takes the targets 0 and 1 only
    label_smoothing: float = 0.0  # the exact problem is then at `effective_target`
    max_points: int | None = None  # called once per input: give it no more than these

    @property
    def key(self) -> str:
        """Return the text that identifies the system within its library."""
        return f"{self.name}:{self.problem}:{self.mode}"

    def effective_target(self, target: float) -> Fraction:
        """Return y (1 - s) + s / 2, the exact target that label smoothing s asks for."""
        s = Fraction(self.label_smoothing)
        return Fraction(float(target)) * (1 - s) + s / 2


@dataclass(frozen=True)
class Library:
    """Say which adapter module holds a library's systems, and how its process is set up.

    `versions` are the import names whose __version__ is recorded, the library itself first.
    `notes` say why its systems differ from their replicas, as far as that was verified.
    """

    name: str
    module: str
    versions: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""


OWN_MATHS = "its exp, log and log1p of float32 and float64 are not NumPy's, and differ in the last places"
FLUSH = "subnormal numbers of float32 and bfloat16 are flushed to zero"
TF_NOTES = f"{FLUSH}; {OWN_MATHS}"
XLA16 = "XLA's log1p of float16 is not computed in float32, and differs from NumPy's"
MEAN32 = "the function form takes float64's mean in float32, and calls the result float64"
CLASS32 = "the class form casts float64 to float32"


def _keras(backend: str, notes: str, **environment: str) -> Library:
    versions = ("keras",) if backend == "numpy" else ("keras", backend)
    settings = {"KERAS_BACKEND": backend, **environment}
    return Library(f"keras-{backend}", "harness.systems.adapters.keras3", versions, settings, f"{notes}; {CLASS32}")


# float64 needs JAX_ENABLE_X64; the mode jit_x32 shows what happens without it.
_JAX = {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
_OV_NOTES = "float64 and float16 are computed in float32; what it does with bfloat16 is not replicated"
_LIBRARIES = {
    entry.name: entry
    for entry in (
        Library(
            "torch",
            "harness.systems.adapters.pytorch",
            ("torch",),
            {},
            f"{OWN_MATHS}; subnormal numbers are kept; under autocast on the CPU both losses turn 16-bit "
            "inputs into float32; the 1e-12 of binary_cross_entropy's backward is a float32 constant in eager mode",
        ),
        Library("tensorflow", "harness.systems.adapters.tensorflow_", ("tensorflow",), {}, f"{TF_NOTES}; {XLA16}"),
        _keras("tensorflow", f"{TF_NOTES}; under XLA a bfloat16 sigmoid goes into the loss unrounded"),
        _keras("jax", f"{FLUSH}; {OWN_MATHS}; {MEAN32}", **_JAX),
        _keras("torch", f"{OWN_MATHS}; {MEAN32}"),
        _keras("numpy", "convert_to_tensor makes float32 of float64"),
        _keras("openvino", f"softplus is log(1 + exp x); {_OV_NOTES}"),
        Library("tf_keras", "harness.systems.adapters.tf_keras_", ("tf_keras", "tensorflow"), {}, TF_NOTES),
        Library("jax", "harness.systems.adapters.jax_", ("jax", "jaxlib"), _JAX, f"{FLUSH}; {OWN_MATHS}"),
        Library(
            "optax",
            "harness.systems.adapters.jax_",
            ("optax", "jax", "jaxlib"),
            _JAX,
            f"{FLUSH}; {OWN_MATHS}",
        ),
        Library("sklearn", "harness.systems.adapters.sklearn_", ("sklearn",)),
        Library(
            "scipy",
            "harness.systems.adapters.scipy_",
            ("scipy",),
            {},
            "float32 functions use the C library's expf and log1pf, not NumPy's SIMD loops; xlog1py has its own log1p",
        ),
        Library("statsmodels", "harness.systems.adapters.statsmodels_", ("statsmodels",)),
        Library(
            "pytensor",
            "harness.systems.adapters.pytensor_",
            ("pytensor",),
            {},
            "compiled by Numba with fastmath, which lets infinities become NaN and reorders products",
        ),
        Library(
            "xgboost", "harness.systems.adapters.boosting", ("xgboost",), {}, "the C library's float32 exp and log"
        ),
        Library("lightgbm", "harness.systems.adapters.boosting", ("lightgbm",)),
        Library("catboost", "harness.systems.adapters.boosting", ("catboost",)),
        Library(
            "replica",
            "harness.systems.adapters.ancestors",
            ("numpy",),
            {},
            "source only: the systems are the replicas",
        ),
    )
}


def libraries() -> list[Library]:
    """Return the libraries in the order in which they are shown; 'replica' holds the source-only systems."""
    return list(_LIBRARIES.values())


def library_named(name: str) -> Library:
    """Return one library; UsageError lists the known names."""
    if name not in _LIBRARIES:
        raise UsageError(f"unknown library {name!r}; known libraries: {', '.join(_LIBRARIES)}")
    return _LIBRARIES[name]


@cache
def systems_in(module: str, library: str) -> dict[str, System]:
    """Return the systems that an adapter module declares for a library, by key."""
    found: dict[str, System] = {}
    for system in import_module(module).systems(library):
        if system.key in found:
            raise ValueError(f"system {system.key!r} of {library} is declared twice")
        found[system.key] = system
    return found


def systems_of(library: str) -> list[System]:
    """Return the systems of a library; UsageError lists the known libraries."""
    entry = library_named(library)
    return list(systems_in(entry.module, entry.name).values())
