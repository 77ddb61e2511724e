"""JAX's activations, and optax's loss: op by op, under jit, and under jit without 64-bit types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.kernels import activations, bce_logits
from harness.kernels.registry import Array, like
from harness.systems.adapters.tensorflow_ import FLUSH, OWN_MATHS
from harness.systems.casts import in32
from harness.systems.commands import shell
from harness.systems.registry import ALL_FORMATS, Call, Library, Point, System, differentiated
from harness.systems.replicas import replica

# float64 needs JAX_ENABLE_X64; the mode jit_x32 shows what happens without it.
ENVIRONMENT = {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
LIBRARIES = tuple(
    Library(name, __name__, versions, ENVIRONMENT, f"{FLUSH}; {OWN_MATHS}", order=50, quick=True)
    for name, versions in (("jax", ("jax", "jaxlib")), ("optax", ("optax", "jax", "jaxlib")))
)

# -- calls -------------------------------------------------------------------------------------

Function = Callable[..., Any]  # arrays in, array out


def _sigmoid(x: Any) -> Any:
    import jax

    return jax.nn.sigmoid(x)


def _softplus(x: Any) -> Any:
    import jax

    return jax.nn.softplus(x)


def _log_sigmoid(x: Any) -> Any:
    import jax

    return jax.nn.log_sigmoid(x)


def _optax(x: Any, y: Any) -> Any:
    import optax

    return optax.sigmoid_binary_cross_entropy(x, y)


def derivative(function: Function) -> Function:
    """Return the function's derivative by its first argument, element by element, by jax.vjp."""

    def gradient(x: Any, *rest: Any) -> Any:
        import jax

        value, pullback = jax.vjp(lambda v: function(v, *rest), x)
        return pullback(jax.numpy.ones_like(value))[0]

    return gradient


def load(function: Function, mode: str, gradient: bool) -> Callable[[], Call]:
    """Return the loader of a function in a mode: eager, jit, or jit_x32 (JAX's default widths)."""

    def loaded() -> Call:
        import jax

        run = derivative(function) if gradient else function
        run = jax.jit(run) if mode != "eager" else run

        def call(*inputs: np.ndarray) -> np.ndarray:
            with jax.enable_x64(mode != "jit_x32"):
                return np.asarray(run(*map(jax.numpy.asarray, inputs)))

        return call

    return loaded


def x64(fmt: str) -> dict[str, str]:
    """Return the setting without which JAX makes float32 of float64."""
    return {"JAX_ENABLE_X64": "1"} if fmt == "float64" else {}


def _printing(call: str, mode: str, gradient: bool) -> Callable[[Point], str]:
    """Return the writer of a line that prints a call of two numbers in a mode, or its gradient."""
    run = f"jax.grad({call})" if gradient else call
    run = run if mode == "eager" else f"jax.jit({run})"

    def write(at: Point) -> str:
        python = f"import jax, optax, jax.numpy as jnp; print(float({run}(*jnp.array([{at.x}, {at.y}], '{at.fmt}'))))"
        return shell(python, **({} if mode == "jit_x32" else x64(at.fmt)))

    return write


OPTAX = "optax.sigmoid_binary_cross_entropy"
# library, name, function, problem, replicas of the value and, if it is taken, of the gradient
CALLS: tuple[tuple[str, str, Function, str, tuple[str, ...]], ...] = (
    ("jax", "jax.nn.sigmoid", _sigmoid, "sigmoid", ("reciprocal",)),
    ("jax", "jax.nn.softplus", _softplus, "softplus", ("shifted",)),
    ("jax", "jax.nn.log_sigmoid", _log_sigmoid, "log_sigmoid", ("negated_softplus",)),
    ("optax", OPTAX, _optax, "bce_logits", ("softplus_pair", "jax")),
)


def systems(library: str) -> list[System]:
    """Return the systems of jax or of optax; only float64 inputs meet the default widths of jit_x32."""
    return [
        System(
            name,
            library,
            differentiated(problem, bool(gradient)),
            mode,
            load(function, mode, bool(gradient)),
            f"{replica}_x32" if mode == "jit_x32" else replica,
            formats=("float64",) if mode == "jit_x32" else ALL_FORMATS,
            command=_printing(name, mode, bool(gradient)) if name == OPTAX else None,
            taught=name == OPTAX,
            by_default=name == OPTAX and mode == "jit",
        )
        for owner, name, function, problem, replicas in CALLS
        if owner == library
        for mode in ("eager", "jit", "jit_x32")
        for gradient, replica in enumerate(replicas)
    ]


# -- replicas ----------------------------------------------------------------------------------


def jax_pair_gradient(x: Array, y: Array) -> Array:
    """Compute -y exp(-x - sp(-x)) + (1-y) exp(x - sp(x)): logaddexp's own derivative."""

    def slope(v: Array) -> Array:
        zero, out = like(0, v), activations.softplus_shifted(v)  # an infinite one counts as 0 there
        top: Array = np.where(np.isposinf(v), zero, v)
        return np.exp(top - np.where(np.isposinf(out), zero, out))

    return -y * slope(-x) + (like(1, x) - y) * slope(x)


replica(
    "bce_logits_grad",
    "jax",
    r"(1-y) e^{x - \mathrm{sp}(x)} - y e^{-x - \mathrm{sp}(-x)}",
    "jax==0.10.2 jax/_src/numpy/ufuncs.py: logaddexp",
    "x - softplus(x) cancels for large x",
)(jax_pair_gradient)
JAX = "jax==0.10.2 jax/_src/nn/functions.py"
X32 = "float64 inputs are rounded to float32 first, without a warning"
for _problem, _name, _function in (
    ("sigmoid", "reciprocal", activations.sigmoid_reciprocal),
    ("softplus", "shifted", activations.softplus_shifted),
    ("log_sigmoid", "negated_softplus", activations.log_sigmoid_negated_softplus),
    ("bce_logits", "softplus_pair", bce_logits.softplus_pair),
    ("bce_logits_grad", "jax", jax_pair_gradient),
):
    replica(_problem, f"{_name}_x32", rf"\text{{{_name} in float32}}", JAX, X32)(in32(_function))
