"""PyTorch's losses and activations on the CPU: eager, under autocast, and under torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.kernels import activations, bce, gradients
from harness.kernels.registry import Array, like
from harness.systems.casts import inside32, widen16
from harness.systems.commands import shell
from harness.systems.registry import Call, Library, Point, System, differentiated
from harness.systems.replicas import replica

LIBRARIES = (
    Library(
        "torch",
        __name__,
        ("torch",),
        {},
        "its exp, log and log1p of float32 and float64 are not NumPy's, and differ in the last places; "
        "subnormal numbers are kept; under autocast on the CPU both losses turn 16-bit inputs into float32; the 1e-12 "
        "of binary_cross_entropy's backward is a float32 constant in eager mode",
        order=10,
        quick=True,
        sample=512,  # a call costs microseconds, and its two paths differ at few inputs
    ),
)

# -- calls -------------------------------------------------------------------------------------

Torch = Any
Function = Callable[..., Any]  # tensors in, tensor out


def tensor(values: np.ndarray) -> Torch:
    """Convert an array bit for bit; NumPy's bfloat16 goes by its pattern."""
    import torch

    if values.dtype.name == "bfloat16":
        return torch.from_numpy(values.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(values.copy())


def array(values: Torch) -> np.ndarray:
    """Return a tensor's numbers as a NumPy array of the same format, bit for bit; bfloat16 as ml_dtypes has it."""
    import ml_dtypes
    import torch

    plain = values.detach().contiguous()
    if plain.dtype == torch.bfloat16:
        return plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return plain.numpy()


def derivative(function: Function) -> Function:
    """Return the function's derivative by its first argument, element by element, by torch.autograd."""

    def gradient(x: Torch, *rest: Torch) -> Torch:
        import torch

        x = x.requires_grad_()
        value = function(x, *rest)
        return torch.autograd.grad(value, x, torch.ones_like(value))[0]

    return gradient


def _eager(function: Function) -> Function:
    return function


def _compiled(function: Function) -> Function:
    import torch

    return torch.compile(function)


def _autocast(dtype: str) -> Callable[[Function], Function]:
    def wrap(function: Function) -> Function:
        def run(*inputs: Torch) -> Torch:
            import torch

            with torch.autocast("cpu", dtype=getattr(torch, dtype)):
                return function(*inputs)

        return run

    return wrap


def _bce(p: Torch, y: Torch) -> Torch:
    from torch.nn import functional as F

    return F.binary_cross_entropy(p, y, reduction="none")


def _bce_with_logits(x: Torch, y: Torch) -> Torch:
    from torch.nn import functional as F

    return F.binary_cross_entropy_with_logits(x, y, reduction="none")


def _sigmoid(x: Torch) -> Torch:
    return x.sigmoid()


def _softplus(x: Torch) -> Torch:
    from torch.nn import functional as F

    return F.softplus(x)


def _logsigmoid(x: Torch) -> Torch:
    from torch.nn import functional as F

    return F.logsigmoid(x)


def _sigmoid_bce(x: Torch, y: Torch) -> Torch:
    return _bce(_sigmoid(x), y)


def _model(head: Function) -> Function:
    """Return a training step's loss: float32 inputs and targets, Linear(1, 1) with weight 1, then `head`."""

    def run(x: Torch, y: Torch) -> Torch:
        import torch

        linear = torch.nn.Linear(1, 1)
        torch.nn.init.ones_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        return head(linear(x.float()[:, None])[:, 0], y.float())

    return run


def load(function: Function, wrap: Callable[[Function], Function], gradient: bool) -> Callable[[], Call]:
    """Return the loader of a function of tensors, wrapped as a mode asks."""

    def loaded() -> Call:
        import torch  # noqa: F401

        run = wrap(function)
        run = derivative(run) if gradient else run
        return lambda *inputs: array(run(*map(tensor, inputs)))

    return loaded


# -- the lines that users type -----------------------------------------------------------------


def _printing(loss: str, gradient: bool, dtype: str = "", before: str = "") -> Callable[[Point], str]:
    """Return the writer of a line that prints a loss of the tensors x and y, or its gradient."""
    shown = f"torch.autograd.grad({loss}, x)[0]" if gradient else loss

    def write(at: Point) -> str:
        kept = f"dtype=torch.{dtype or at.fmt}"
        x = f"x = torch.tensor([{at.x}], {kept}, requires_grad=True)"
        inputs = f"{x}; y = torch.tensor([{at.y}.], {kept})"
        return shell(f"import torch, torch.nn.functional as F; {before}{inputs}; print({shown}.item())")

    return write


def _printing_model(loss: str, gradient: bool, dtype: str) -> Callable[[Point], str]:
    """Return the same for a loss of the model m, under autocast."""
    made = "m = torch.nn.Linear(1, 1); m.weight.data[:] = 1; m.bias.data[:] = 0; "
    return _printing(loss, gradient, "float32", f"torch.autocast('cpu', torch.{dtype}).__enter__(); {made}")


# name, function, the same as it is typed, problem,
# whether introductions teach it, replica of the value in each of MODES, and of the gradient
CALLS: tuple[tuple[str, Function, str, str, bool, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "torch.nn.functional.binary_cross_entropy",
        _bce,
        "F.binary_cross_entropy(x, y)",
        "bce",
        False,
        ("clamp_log_100", "torch_autocast", "torch_compile"),
        ("torch", "torch_autocast", "torch_compile"),
    ),
    (
        "torch.nn.functional.binary_cross_entropy_with_logits",
        _bce_with_logits,
        "F.binary_cross_entropy_with_logits(x, y)",
        "bce_logits",
        True,
        ("torch", "torch_autocast", "torch_compile"),
        ("torch", "torch_inside32", "torch_inside32"),
    ),
    (
        "torch.sigmoid + binary_cross_entropy",
        _sigmoid_bce,
        "F.binary_cross_entropy(x.sigmoid(), y)",
        "bce_logits",
        True,
        ("torch_sigmoid", "torch_sigmoid_autocast", "torch_sigmoid_compile"),
        ("torch_sigmoid", "torch_sigmoid_autocast", "torch_sigmoid_compile"),
    ),
    ("torch.sigmoid", _sigmoid, "", "sigmoid", False, ("inside32",) * 3, ()),
    ("torch.nn.functional.softplus", _softplus, "", "softplus", False, ("torch",) * 3, ()),
    ("torch.nn.functional.logsigmoid", _logsigmoid, "", "log_sigmoid", False, ("torch_inside32",) * 3, ()),
)
# The modules that call a function and do nothing else: what most people write.
MODULES = {
    "torch.nn.functional.binary_cross_entropy": "torch.nn.BCELoss",
    "torch.nn.functional.binary_cross_entropy_with_logits": "torch.nn.BCEWithLogitsLoss",
    "torch.sigmoid + binary_cross_entropy": "torch.nn.Sigmoid + BCELoss",
    "torch.sigmoid": "torch.nn.Sigmoid",
    "torch.nn.functional.softplus": "torch.nn.Softplus",
    "torch.nn.functional.logsigmoid": "torch.nn.LogSigmoid",
}
MODES = (("eager", _eager), ("autocast_bfloat16", _autocast("bfloat16")), ("compile", _compiled))
# name, function, the same as it is typed, replicas of value and gradient
MODELS = (
    (
        "torch.nn.Linear + BCEWithLogitsLoss",
        _bce_with_logits,
        "torch.nn.BCEWithLogitsLoss()(m(x), y)",
        ("torch_autocast", "torch_inside32"),
    ),
    (
        "torch.nn.Linear + Sigmoid + BCELoss",
        _sigmoid_bce,
        "torch.nn.BCELoss()(m(x).sigmoid(), y)",
        ("torch_sigmoid_autocast", "torch_sigmoid_autocast"),
    ),
)


def systems(library: str) -> list[System]:
    """Return the systems of torch: its functions, and modules at the end of a model."""
    return [*_calls(library), *_models(library)]


def _calls(library: str) -> list[System]:
    found = []
    for name, function, typed, problem, taught, *replicas in CALLS:
        for i, (mode, wrap) in enumerate(MODES):
            for gradient in (False, True) if replicas[True] else (False,):
                eager = mode == "eager"
                found.append(
                    System(
                        name,
                        library,
                        differentiated(problem, gradient),
                        mode,
                        load(function, wrap, gradient),
                        replicas[gradient][i],
                        also=MODULES[name],
                        command=_printing(typed, gradient) if typed and eager else None,
                        taught=taught,
                        by_default=taught and eager,
                        options=frozenset({"pos_weight"}) if function is _bce_with_logits else frozenset(),
                        alone=mode != "compile",
                    )
                )
    return found


def _models(library: str) -> list[System]:
    return [
        System(
            name,
            library,
            differentiated("bce_logits", gradient),
            f"model_autocast_{dtype}",
            load(_model(head), _autocast(dtype), gradient),
            replicas[gradient],
            formats=(dtype,),
            command=_printing_model(typed, gradient, dtype),
            taught=True,
            options=frozenset({"pos_weight"}) if head is _bce_with_logits else frozenset(),
        )
        for name, head, typed, replicas in MODELS
        for dtype in ("bfloat16", "float16")
        for gradient in (False, True)
    ]


# -- replicas: what is computed in float32, and in which order ---------------------------------

bce_clamped, reciprocal = bce.clamp_log_100, activations.sigmoid_reciprocal
TORCH = "torch==2.13.0 aten/src/ATen/native/Loss.cpp and cpu/Activation.cpp"
SIXTEEN = "16-bit formats are computed in float32"
sigmoid32 = inside32(reciprocal)

replica("sigmoid", "inside32", "1/(1+e^{-x})", TORCH, SIXTEEN)(sigmoid32)
replica("softplus", "torch", r"x > 20: x;\ \log\mathrm{1p}(e^x)", TORCH, SIXTEEN)(
    inside32(activations.softplus_threshold20)
)
log_sigmoid32 = inside32(activations.log_sigmoid_torch)
replica("log_sigmoid", "torch_inside32", r"\min(x,0) - \log\mathrm{1p}(e^{-|x|})", TORCH, SIXTEEN)(log_sigmoid32)


def torch_floor(p: Array, y: Array) -> Array:
    """Compute binary_cross_entropy's backward; its floor is float32's 1e-12 even in float64."""
    one, floor = like(1, p), np.asarray(np.float32(1e-12)).astype(p.dtype)
    return (p - y) / np.maximum((one - p) * p, floor)


def direct_floor(p: Array, y: Array) -> Array:
    """Compute the same with the floor 1e-12 of the format, as torch.compile's decomposition has it."""
    return gradients.bce_direct_floor(p, y, like("1e-12", p))


def torch_logits(x: Array, y: Array) -> Array:
    """Compute (1-y) x - logsigmoid(x), one rounded operation after another."""
    return (like(1, x) - y) * x - log_sigmoid32(x)


def torch_logits_grad(x: Array, y: Array) -> Array:
    """Compute sigmoid(x) - y, the sigmoid in float32 where the format is narrower."""
    return sigmoid32(x) - y


def torch_sigmoid_backward(p: Array, g: Array) -> Array:
    """Compute (g (1 - p)) p, in float32 for bfloat16, but strictly in float16."""

    def backward(p: Array, g: Array) -> Array:
        return (g * (like(1, p) - p)) * p

    return backward(p, g) if p.dtype == np.float16 else inside32(backward)(p, g)


def torch_chain(loss_gradient: Callable[..., Array]) -> Callable[..., Array]:
    """Chain a loss's gradient in p with the sigmoid's."""

    def run(x: Array, y: Array) -> Array:
        p = sigmoid32(x)
        return torch_sigmoid_backward(p, loss_gradient(p, y))

    return run


FLOOR = r"(p-y) / \max((1-p)p, 10^{-12})"
replica("bce_grad", "torch", FLOOR, TORCH, "the floor is a float32 constant, 9.99999996e-13, in every format")(
    torch_floor
)
replica("bce_grad", "torch_autocast", FLOOR, TORCH, SIXTEEN)(inside32(torch_floor))
replica("bce_grad", "torch_compile", FLOOR, "torch==2.13.0 torch/_inductor", SIXTEEN)(inside32(direct_floor))
replica("bce", "torch_autocast", r"\text{clamp\_log\_100}", TORCH, SIXTEEN)(widen16(bce_clamped))
replica("bce", "torch_compile", r"\text{clamp\_log\_100}", TORCH, SIXTEEN)(inside32(bce_clamped))
LOGITS = r"(1-y)x - \log\sigma(x)"
replica("bce_logits", "torch", LOGITS, TORCH, "only log sigma is computed in float32")(torch_logits)
replica("bce_logits", "torch_autocast", LOGITS, TORCH, SIXTEEN)(widen16(torch_logits))
replica("bce_logits", "torch_compile", LOGITS, TORCH, SIXTEEN)(inside32(torch_logits))
replica("bce_logits_grad", "torch", r"\sigma(x) - y", TORCH, "only sigma is computed in float32")(torch_logits_grad)
replica("bce_logits_grad", "torch_inside32", r"\sigma(x) - y", TORCH, SIXTEEN)(inside32(torch_logits_grad))
CHAIN = r"\text{clamp\_log\_100}(\sigma(x), y)"
replica("bce_logits", "torch_sigmoid", CHAIN, TORCH)(lambda x, y: bce_clamped(sigmoid32(x), y))
replica("bce_logits", "torch_sigmoid_autocast", CHAIN, TORCH, "the sigmoid is rounded to 16 bits first")(
    lambda x, y: widen16(bce_clamped)(sigmoid32(x), y)
)
replica("bce_logits", "torch_sigmoid_compile", CHAIN, TORCH, SIXTEEN)(
    inside32(lambda x, y: bce_clamped(reciprocal(x), y))
)
CHAIN_GRAD = FLOOR + r"\cdot (1-p)p"
replica("bce_logits_grad", "torch_sigmoid", CHAIN_GRAD, TORCH)(torch_chain(torch_floor))
replica("bce_logits_grad", "torch_sigmoid_autocast", CHAIN_GRAD, TORCH)(torch_chain(inside32(torch_floor)))
replica("bce_logits_grad", "torch_sigmoid_compile", CHAIN_GRAD, TORCH, SIXTEEN)(inside32(torch_chain(direct_floor)))
