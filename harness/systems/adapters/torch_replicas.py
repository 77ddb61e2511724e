"""Replica kernels of PyTorch: what is computed in float32, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.kernels import activations, bce, gradients
from harness.kernels.registry import Array, like
from harness.systems.adapters.replicas import inside32, replica, widen16

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
    """Compute sigmoid(x) - y."""
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
