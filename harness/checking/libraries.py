"""Arrays of the libraries that losses are written in: NumPy, torch, JAX, TensorFlow.

A function gets arrays of its own library in the working format, and what it returns comes back as NumPy's: bits are
handed over (by DLPack where the library has it), never values, so that bfloat16 and the 8-bit formats, which NumPy has
not, arrive as they are.  Which library a function is written in is told from its type, its annotations and the modules
that its code names; where that says nothing, it is tried with NumPy first.
"""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from harness import UsageError, choices
from harness.explain.followed import follow
from harness.explain.jax_operations import follow_jax
from harness.explain.shadow import Shadow
from harness.explain.tensorflow_operations import follow_tensorflow
from harness.explain.torch_operations import follow_torch
from harness.numbers.formats import FORMATS
from harness.sweep.own import Function, one_line

LIBRARIES = ("numpy", "torch", "jax", "tensorflow")
# What the modules of a library are called; jaxlib has the type of a jitted function.
ROOTS = {
    "numpy": "numpy", "ml_dtypes": "numpy", "scipy": "numpy", "torch": "torch", "jax": "jax", "jaxlib": "jax",
    "optax": "jax", "flax": "jax", "tensorflow": "tensorflow", "keras": "tensorflow", "tf_keras": "tensorflow",
}  # fmt: skip


class NumpyArrays:
    """Hand arrays to functions of NumPy, which take them as they are."""

    name, device, pads = "numpy", "", False

    @property
    def version(self) -> str:
        """Return the library's version as it is installed."""
        return str(import_module(self.name).__version__)

    def given(self, array: np.ndarray) -> Any:
        """Return an array of the library with the bits of a NumPy array."""
        return array

    def integers(self, labels: np.ndarray) -> Any:
        """Return an array of the library with the integers of a NumPy array, such as numbers of classes."""
        return self.given(labels)

    def taken(self, result: Any) -> Any:
        """Return what a function returned as a NumPy array, whatever library's array it is; others as they are."""
        return taken(result)

    def placed(self, function: Function) -> Function:
        """Return a function whose own arrays lie on the device: the function itself, where it has none to move."""
        return function

    def elsewhere(self, function: Function) -> str:
        """Name the arrays that a function holds on another device, for the end of a sentence on why it failed; "" for none."""
        return ""

    def leave(self) -> None:
        """Leave the library's settings as they were found: nothing to do, where none was changed."""

    def slope(self, function: Function) -> Function:
        """Return the derivative of f(x, ...) in x by the library's own autodiff; UsageError where it has none."""
        raise UsageError("NumPy has no autodiff; name the gradient's own function: --gradient-function FILE:F")

    def each(self, function: Function) -> Function | None:
        """Return a function that calls another for every element at once; None where the library has no such thing."""
        return None

    def followed(self, function: Function, *inputs: np.ndarray, scalar: bool = False) -> Shadow:
        """Return the result of a function on arrays of one element, or on scalars, with all that it was made from.

        Raises NotFollowed where what it does cannot be followed.
        """
        return follow(function, *(a.reshape(()) if scalar else a for a in inputs))


class TorchArrays(NumpyArrays):
    """Hand arrays to functions of torch, on a device, and differentiate them by its autograd."""

    name = "torch"

    def __init__(self, device: str = "cpu"):
        self.torch = imported("torch")
        if device.startswith("cuda") and not self.torch.cuda.is_available():
            raise UsageError(f"torch sees no CUDA device on this machine, so --device {device} cannot be used")
        self.where = device
        self.device = self.torch.cuda.get_device_name(device) if device.startswith("cuda") else ""
        self.dtypes = {np.dtype(f.dtype): getattr(self.torch, f.name) for f in FORMATS.values()}

    def given(self, array: np.ndarray) -> Any:
        """Return a tensor with the bits of a NumPy array: its integers by DLPack, seen as the format's."""
        bits = array.view(np.dtype(f"i{array.itemsize}"))
        return self.torch.from_dlpack(bits).view(self.dtypes[array.dtype]).to(self.where)

    def integers(self, labels: np.ndarray) -> Any:
        """Return a tensor with the integers of a NumPy array."""
        return self.torch.from_numpy(labels).to(self.where)

    def placed(self, function: Function) -> Function:
        """Return a function with a copy on the device of the module that it is, is a method of, or is a partial of.

        Parameters and buffers are moved, as `module.to(device)` does; the user's own module stays where it is.
        """
        if self.where == "cpu":
            return function
        if isinstance(function, self.torch.nn.Module):
            return deepcopy(function).to(self.where)
        if isinstance(function, partial):
            return partial(self.placed(function.func), *function.args, **function.keywords)
        owner = getattr(function, "__self__", None)
        if isinstance(owner, self.torch.nn.Module):
            return getattr(self.placed(owner), function.__name__)
        return function

    def elsewhere(self, function: Function) -> str:
        """Name the tensors, and modules, that a function holds on another device than its inputs'."""
        names = [name for name, value in held(function) if self._is_elsewhere(value)] if self.where != "cpu" else []
        if not names:
            return ""
        return (
            f"; it holds {', '.join(names)} on the CPU: make a module's tensors buffers (register_buffer), which are moved with "
            f"it, or move them where they are used, by .to(input.device)"
        )

    def _is_elsewhere(self, value: Any) -> bool:
        if isinstance(value, self.torch.nn.Module):
            return any(map(self._is_elsewhere, [*value.parameters(), *value.buffers()]))
        return isinstance(value, self.torch.Tensor) and value.device.type != self.where.partition(":")[0]

    def slope(self, function: Function) -> Function:
        """Return the derivative in x: the gradient of the sum of all results, each of which has its own input."""

        def differentiated(x: Any, *rest: Any) -> Any:
            at = x.clone().requires_grad_(True)
            result = function(at, *rest)
            if not getattr(result, "requires_grad", False):
                raise UsageError("torch's autograd finds no way from the result to the input (detach, or no_grad?)")
            return self.torch.autograd.grad(result.sum(), at)[0]

        return differentiated

    def each(self, function: Function) -> Function:
        """Return the function mapped over arrays of one element by torch.func.vmap."""
        mapped = self.torch.func.vmap(lambda *one: function(*(v.reshape(1) for v in one)).reshape(()))
        return lambda *given: mapped(*given)

    def followed(self, function: Function, *inputs: np.ndarray, scalar: bool = False) -> Shadow:
        """Return the result of a function on tensors of one element, or on scalars, with all that it was made from."""
        return follow_torch(function, *(a.reshape(()) if scalar else a for a in inputs))


class JaxArrays(NumpyArrays):
    """Hand arrays to functions of JAX, jitted or not, and differentiate them by jax.grad."""

    name, pads = "jax", True

    def __init__(self, device: str = "cpu"):
        self.jax = imported("jax")
        self.x64 = self.jax.config.jax_enable_x64  # as the user has it
        try:
            self.where = self.jax.devices("gpu" if device.startswith("cuda") else "cpu")[0]
        except RuntimeError as e:
            raise UsageError(f"JAX sees no device of that kind on this machine, so --device {device} fails") from e
        self.device = self.where.device_kind if device.startswith("cuda") else ""

    def given(self, array: np.ndarray) -> Any:
        """Return an array of JAX with the bits of a NumPy array; JAX's formats are those of ml_dtypes, as here.

        Numbers of float64 need `jax_enable_x64`; for others it stays as it is, since it changes what code means.
        """
        if array.dtype == np.float64 and not self.jax.config.jax_enable_x64:
            self.jax.config.update("jax_enable_x64", True)
        return self.jax.device_put(array, self.where)

    def leave(self) -> None:
        """Leave JAX as the user configured it."""
        self.jax.config.update("jax_enable_x64", self.x64)

    def slope(self, function: Function) -> Function:
        """Return the derivative in x by jax.grad of the sum of all results."""
        return lambda x, *rest: self.jax.grad(lambda at: function(at, *rest).sum())(x)

    def each(self, function: Function) -> Function:
        """Return the function mapped over arrays of one element by jax.vmap."""
        return self.jax.vmap(lambda *one: function(*(v.reshape(1) for v in one)).reshape(()))

    def followed(self, function: Function, *inputs: np.ndarray, scalar: bool = False) -> Shadow:
        """Return the result of a function on arrays of one element, or on scalars, with all that it was made from."""
        return follow_jax(function, *(a.reshape(()) if scalar else a for a in inputs))


class TensorflowArrays(NumpyArrays):
    """Hand arrays to functions of TensorFlow, and differentiate them by its gradient tape."""

    name, pads = "tensorflow", True

    def __init__(self, device: str = "cpu"):
        self.tf = imported("tensorflow")
        found = self.tf.config.list_physical_devices("GPU")
        if device.startswith("cuda") and not found:
            raise UsageError(f"TensorFlow sees no GPU on this machine, so --device {device} cannot be used")
        self.where = "GPU:0" if device.startswith("cuda") else "CPU:0"
        self.device = "GPU" if device.startswith("cuda") else ""
        if self.device:
            self.device = self.tf.config.experimental.get_device_details(found[0]).get("device_name", "GPU")

    def given(self, array: np.ndarray) -> Any:
        """Return a tensor with the bits of a NumPy array; TensorFlow's formats are those of ml_dtypes, as here."""
        with self.tf.device(self.where):
            return self.tf.constant(array)

    def slope(self, function: Function) -> Function:
        """Return the derivative in x by tf.GradientTape."""

        def differentiated(x: Any, *rest: Any) -> Any:
            with self.tf.GradientTape() as tape:
                tape.watch(x)
                result = function(x, *rest)
            found = tape.gradient(result, x)
            if found is None:
                raise UsageError("TensorFlow's tape finds no way from the result to the input")
            return found

        return differentiated

    def each(self, function: Function) -> Function:
        """Return the function mapped over arrays of one element by tf.vectorized_map, traced once for each length."""
        one = lambda given: self.tf.reshape(function(*(self.tf.reshape(v, [1]) for v in given)), [])  # noqa: E731
        return self.tf.function(lambda *given: self.tf.vectorized_map(one, given))

    def followed(self, function: Function, *inputs: np.ndarray, scalar: bool = False) -> Shadow:
        """Return the result of a function on tensors of one element, or on scalars, with all that it was made from."""
        return follow_tensorflow(function, *(a.reshape(()) if scalar else a for a in inputs))


KINDS: dict[str, Callable[[str], NumpyArrays]] = {
    "numpy": lambda device: NumpyArrays(),
    "torch": TorchArrays,
    "jax": JaxArrays,
    "tensorflow": TensorflowArrays,
}


def arrays_of(library: str, device: str = "cpu") -> NumpyArrays:
    """Return what hands arrays to a library on a device, `cpu` or `cuda`; UsageError where there is none of them."""
    if library not in KINDS:
        raise UsageError(f"unknown library {library!r}; known libraries: {choices(library, LIBRARIES)}")
    if library == "numpy" and device != "cpu":
        raise UsageError(
            f"NumPy computes on the CPU alone; --device {device} needs a function of torch, JAX or TensorFlow"
        )
    return KINDS[library](device)


def imported(name: str) -> Any:
    """Return a library's module; UsageError where it is not installed."""
    try:
        return import_module(name)
    except ImportError as e:
        raise UsageError(
            f"{name} cannot be imported here ({one_line(e)}); install it, or name another --library"
        ) from e


# -- results ----------------------------------------------------------------------------------------


def taken(result: Any) -> Any:
    """Return a library's array as a NumPy array of the same bits, on any device; what is no array, as it is."""
    root = library_of_type(type(result))
    if root == "torch":
        return _from_torch(result)
    if root in ("jax", "tensorflow") and hasattr(result, "shape") and hasattr(result, "dtype"):
        # A copy that can be written; NumPy cannot take a single bfloat16 number of TensorFlow by itself.
        return np.array(result.numpy() if root == "tensorflow" and hasattr(result, "numpy") else result)
    if root is None and hasattr(result, "__dlpack__") and not isinstance(result, np.ndarray):
        return _from_any(result)
    return result


def _from_any(result: Any) -> np.ndarray:
    """Return an array of any library of the array API as NumPy's, from whatever device it is on."""
    compat = imported("array_api_compat")
    return np.from_dlpack(compat.to_device(result, "cpu")).copy()


def _from_torch(result: Any) -> Any:
    import torch

    if not isinstance(result, torch.Tensor):
        return result
    held = result.detach().resolve_neg().resolve_conj().cpu().contiguous()
    known = {getattr(torch, f.name): f for f in FORMATS.values()}
    if held.dtype not in known:
        return held.numpy()
    fmt = known[held.dtype]
    bits = held.reshape(-1).view(getattr(torch, f"int{fmt.bits}"))
    return np.from_dlpack(bits).copy().view(fmt.dtype).reshape(tuple(held.shape))


def library_of_type(kind: type) -> str | None:
    """Return the library that a type, or a base of it, belongs to; None where it is of none."""
    for base in kind.__mro__:
        root = ROOTS.get((base.__module__ or "").split(".")[0])
        if root and not (root == "numpy" and base is np.ndarray and kind is not np.ndarray):
            return root
    return None


def held(function: Function) -> Iterator[tuple[str, Any]]:
    """Yield what a function keeps beside its arguments, by name: attributes of its object, its defaults, names of its code."""
    function = inspect.unwrap(function)
    plain = _plain(getattr(function, "forward", function))  # a module of torch is called through its forward
    for of in (function, getattr(function, "__self__", None)):
        modules: Callable[[], Any] | None = getattr(of, "named_modules", None)
        inner = [("", of)] if modules is None else modules()
        for path, each in inner:
            yield from ((f"{path}.{name}".lstrip("."), value) for name, value in getattr(each, "__dict__", {}).items())
    if not inspect.isfunction(plain):
        return
    yield from ((n, p.default) for n, p in inspect.signature(plain).parameters.items() if p.default is not p.empty)
    names = inspect.getclosurevars(plain)
    yield from ((name, value) for known in (names.nonlocals, names.globals) for name, value in known.items())


# -- telling the library of a function ----------------------------------------------------------------


def candidates(function: Function, named: str | None) -> list[str]:
    """Return the libraries that a function may be written in, the likeliest first.

    `named` is what the user said.  Else its type, its annotations, the modules that its code names, and its own module
    are asked in turn; where none of them says anything, NumPy goes first, then whatever is loaded.
    """
    if named:
        return [named]
    for told in (_of_object, _of_annotations, _of_code, _of_module):
        found = told(function)
        if found:
            return [found] if told is _of_object else [found, *(["numpy"] if found != "numpy" else [])]
    loaded = [name for name in LIBRARIES[1:] if name in sys.modules]
    return ["numpy", *loaded]


def _of_object(function: Function) -> str | None:
    found = library_of_type(type(function))
    owner = getattr(function, "__self__", None)
    return found or (None if owner is None or inspect.ismodule(owner) else library_of_type(type(owner)))


def _of_annotations(function: Function) -> str | None:
    told = " ".join(str(v) for v in getattr(_plain(function), "__annotations__", {}).values())
    told = told.replace("tf.", "tensorflow.").replace("jnp.", "jax.").replace("np.", "numpy.")
    return next((root for word, root in ROOTS.items() if f"{word}." in told), None)


def _of_code(function: Function) -> str | None:
    """Return the library whose modules a function's code names, or the functions of its file that it calls."""
    found = _named(_plain(function), set())
    return next((name for name in ("torch", "jax", "tensorflow", "numpy") if name in found), None)


def _named(function: Any, seen: set[int]) -> set[str]:
    code = getattr(function, "__code__", None)
    if code is None or id(code) in seen:
        return set()
    seen.add(id(code))
    scope = getattr(function, "__globals__", {})
    found = {ROOTS[root] for root in _imported_inside(code) if root in ROOTS}
    for name in _names(code):
        value = scope.get(name)
        if inspect.ismodule(value) and value.__name__.split(".")[0] in ROOTS:
            found.add(ROOTS[value.__name__.split(".")[0]])
        elif inspect.isfunction(value):
            own = ROOTS.get((value.__module__ or "").split(".")[0])
            found |= {own} if own else _named(_plain(value), seen)
        elif callable(value) and library_of_type(type(value)):  # a jitted function, a module of torch
            found.add(str(library_of_type(type(value))))
    return found


def _names(code: Any) -> set[str]:
    """Return the global names of a function's code and of those that it has inside."""
    inner = [_names(c) for c in code.co_consts if inspect.iscode(c)]
    return set(code.co_names).union(*inner)


def _imported_inside(code: Any) -> set[str]:
    """Return the first names of the modules that a function's code imports when it runs, and those inside of it."""
    here = {str(i.argval).split(".")[0] for i in dis.get_instructions(code) if i.opname == "IMPORT_NAME"}
    return here.union(*(_imported_inside(c) for c in code.co_consts if inspect.iscode(c)))


def _plain(function: Any) -> Any:
    """Return the Python function behind a partial, a method, a wrapper or a jitted function."""
    for name in ("func", "__func__", "__wrapped__", "python_function"):
        inner = getattr(function, name, None)
        if callable(inner):
            return _plain(inner)
    if not inspect.isfunction(function) and not hasattr(function, "__code__"):
        call = vars(type(function)).get("__call__")
        return call if inspect.isfunction(call) else function
    return function


def _of_module(function: Function) -> str | None:
    return ROOTS.get((getattr(function, "__module__", None) or "").split(".")[0])
