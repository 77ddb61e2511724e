"""PyTorch's losses and activations on the CPU: eager, under autocast, and under torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.systems.registry import Call, System

Torch = Any
Function = Callable[..., Any]  # tensors in, tensor out


def tensor(values: np.ndarray) -> Torch:
    """Convert an array bit for bit; NumPy's bfloat16 goes by its pattern."""
    import torch

    if values.dtype.name == "bfloat16":
        return torch.from_numpy(values.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(values.copy())


def array(values: Torch) -> np.ndarray:
    """Convert a tensor bit for bit."""
    import ml_dtypes
    import torch

    plain = values.detach().contiguous()
    if plain.dtype == torch.bfloat16:
        return plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return plain.numpy()


def differentiated(function: Function) -> Function:
    """Return d(function)/d(first argument) per element, by torch.autograd."""

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
        run = differentiated(run) if gradient else run
        return lambda *inputs: array(run(*map(tensor, inputs)))

    return loaded


SIGMOID_BCE = "torch.sigmoid + binary_cross_entropy"
# name, function, problem, replica of the value in modes eager, autocast, compile; and of the gradient
CALLS = (
    (
        "torch.nn.functional.binary_cross_entropy",
        _bce,
        "bce",
        ("clamp_log_100", "torch_autocast", "torch_compile"),
        ("torch", "torch_autocast", "torch_compile"),
    ),
    (
        "torch.nn.functional.binary_cross_entropy_with_logits",
        _bce_with_logits,
        "bce_logits",
        ("torch", "torch_autocast", "torch_compile"),
        ("torch", "torch_inside32", "torch_inside32"),
    ),
    (
        SIGMOID_BCE,
        _sigmoid_bce,
        "bce_logits",
        ("torch_sigmoid", "torch_sigmoid_autocast", "torch_sigmoid_compile"),
        ("torch_sigmoid", "torch_sigmoid_autocast", "torch_sigmoid_compile"),
    ),
    ("torch.sigmoid", _sigmoid, "sigmoid", ("inside32",) * 3, ()),
    ("torch.nn.functional.softplus", _softplus, "softplus", ("torch",) * 3, ()),
    ("torch.nn.functional.logsigmoid", _logsigmoid, "log_sigmoid", ("torch_inside32",) * 3, ()),
)
MODES = (("eager", _eager), ("autocast_bfloat16", _autocast("bfloat16")), ("compile", _compiled))
MODELS = (
    ("torch.nn.Linear + BCEWithLogitsLoss", _bce_with_logits, "torch_autocast", "torch_inside32"),
    ("torch.nn.Linear + Sigmoid + BCELoss", _sigmoid_bce, "torch_sigmoid_autocast", "torch_sigmoid_autocast"),
)


def systems(library: str) -> list[System]:
    """Return the systems of torch."""
    found = []
    for name, function, problem, values, gradients in CALLS:
        for i, (mode, wrap) in enumerate(MODES):
            found.append(System(name, library, problem, mode, load(function, wrap, False), values[i]))
            if gradients:
                loader = load(function, wrap, True)
                found.append(System(name, library, problem + "_grad", mode, loader, gradients[i]))
    for name, head, value, grad in MODELS:
        for dtype in ("bfloat16", "float16"):
            for gradient, problem, kernel in ((False, "bce_logits", value), (True, "bce_logits_grad", grad)):
                loader = load(_model(head), _autocast(dtype), gradient)
                mode = f"model_autocast_{dtype}"
                found.append(System(name, library, problem, mode, loader, kernel, formats=(dtype,)))
    return found
