"""Follow torch code: every operation that torch's dispatcher runs, whatever Python, module or autograd called it.

The function runs on ordinary tensors of one element, and computes what it computes by itself.  Beside it a mode of the
dispatcher writes down each operation: the value that torch gave, and the exact counterpart of what it stands for, from
which the exact value follows (see shadow.py).  A tensor is known by its storage, so that views and changes in place
are seen.  torch is not imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.explain.followed import NotFollowed, chosen
from harness.explain.shadow import Shadow, nan_to_num
from harness.numbers.formats import FORMATS

Array = np.ndarray
Tensor = Any
Rule = Callable[..., Shadow]

# The torch name of each format that NumPy has by ml_dtypes alone.
EXTENDED = ("bfloat16", "float8_e4m3fn", "float8_e5m2")

# -- conversions --------------------------------------------------------------------------------------


def to_tensor(array: Array) -> Tensor:
    """Return an array of any format as a tensor of that format, its bits copied."""
    import torch

    if array.dtype.name not in EXTENDED:
        return torch.from_numpy(array.copy())
    plain = torch.from_numpy(array.view(f"i{array.dtype.itemsize}").copy())
    return plain.view(getattr(torch, array.dtype.name))


def to_array(tensor: Tensor) -> Array:
    """Return a tensor as an array of its format; TypeError where NumPy has no such format."""
    import torch

    name = str(tensor.dtype).removeprefix("torch.")
    plain = tensor.detach().cpu()
    if name not in EXTENDED:
        return np.array(plain.numpy())
    bits = torch.int8 if FORMATS[name].bits == 8 else torch.int16
    return np.array(plain.view(bits).numpy()).view(FORMATS[name].dtype)


# -- operations -----------------------------------------------------------------------------------------


def _node(name: str, *operands: Shadow, computed: Array | None = None) -> Shadow:
    """Return an operation's Shadow; what torch does not show, a step inside one of its kernels, NumPy computes."""
    if computed is None:
        import scipy.special

        function = getattr(np, name, None) or getattr(scipy.special, name)
        computed = np.asarray(function(*(o.computed for o in operands)))
    return Shadow(name, operands, computed)


def _number(value: float, like: Shadow, arithmetic: bool = False) -> Shadow:
    """Return a Python number as torch's kernels hold it: in the tensor's format; for arithmetic at least in float32."""
    wide = np.float32 if arithmetic and FORMATS[like.dtype.name].bits < 32 else like.dtype
    return Shadow("constant", (), np.asarray(value, wide))


def _shadows(*values: Any, arithmetic: bool = False) -> list[Shadow]:
    like = next(v for v in values if isinstance(v, Shadow) and v.dtype != bool)
    return [v if isinstance(v, Shadow) else _number(v, like, arithmetic) for v in values]


def _plain(name: str) -> Rule:
    def rule(c: Array, *operands: Any, **_: Any) -> Shadow:
        if all(isinstance(o, Shadow) for o in operands):
            return _node(name, *operands, computed=c)
        return _node(name, *_shadows(*operands, arithmetic=c.dtype != bool), computed=c)

    return rule


def _passed(c: Array, a: Shadow, *_: Any, **__: Any) -> Shadow:
    """Take a view, a copy, or a reduction over one element."""
    return a if a.dtype == c.dtype else Shadow("astype", (a,), c)


def _scaled(name: str) -> Rule:
    """Take a + alpha b or a - alpha b."""

    def rule(c: Array, a: Any, b: Any, alpha: float = 1) -> Shadow:
        a, b = _shadows(a, b, arithmetic=True)
        return _node(name, a, b if alpha == 1 else _node("multiply", b, _number(alpha, b, True)), computed=c)

    return rule


def _rsub(c: Array, a: Shadow, b: Any, alpha: float = 1) -> Shadow:
    return _scaled("subtract")(c, b, a, alpha)


def _div(c: Array, a: Any, b: Any, rounding_mode: str | None = None) -> Shadow:
    if rounding_mode:
        raise NotFollowed(f"torch.div with rounding_mode={rounding_mode!r}")
    return _node("divide", *_shadows(a, b, arithmetic=True), computed=c)


def _clamp(c: Array, a: Shadow, min: Any = None, max: Any = None) -> Shadow:
    if min is not None:
        a, low = _shadows(a, min)
        a = _node("maximum", a, low, computed=c if max is None else None)
    if max is not None:
        a, high = _shadows(a, max)
        a = _node("minimum", a, high, computed=c)
    return a


def _where(c: Array, condition: Shadow, a: Any, b: Any) -> Shadow:
    a, b = _shadows(a, b) if isinstance(a, Shadow) or isinstance(b, Shadow) else (_number(v, condition) for v in (a, b))
    result = chosen(condition, a, b)
    return _node(result.name, *result.operands, computed=c)


def _nan_to_num(c: Array, a: Shadow, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Shadow:
    return nan_to_num(a, c, nan or 0.0, posinf, neginf)


def _compared(name: str, a: Shadow, limit: float) -> Shadow:
    a, other = _shadows(a, limit)
    return Shadow(name, (a, other), np.asarray(getattr(np, name)(a.computed, other.computed)))


def _softplus(c: Array, a: Shadow, beta: float = 1, threshold: float = 20) -> Shadow:
    """Take torch's softplus: x where beta x > threshold, else log1p(e^(beta x)) / beta."""
    scaled = a if beta == 1 else _node("multiply", *_shadows(a, beta))
    cut = _compared("greater", scaled, threshold)
    curved = _node("log1p", _node("exp", scaled), computed=c if beta == 1 and not cut.number else None)
    if beta != 1:
        curved = _node("divide", *_shadows(curved, beta), computed=None if cut.number else c)
    return _node("where", cut, a, curved, computed=c)


def _bce(c: Array, p: Shadow, y: Any, weight: Any = None, *_: Any) -> Shadow:
    """Take (y - 1) max(log1p(-p), -100) - y max(log p, -100), as torch's kernel does, and a weight."""
    p, y, one, least = _shadows(p, y, 1.0, -100.0)
    others = _node("maximum", _node("log1p", _node("negative", p)), least)
    own = _node("maximum", _node("log", p), least)
    terms = _node("multiply", _node("subtract", y, one), others), _node("multiply", y, own)
    value = _node("subtract", *terms, computed=c if weight is None else None)
    return value if weight is None else _node("multiply", *_shadows(value, weight), computed=c)


def _log_sigmoid(x: Shadow) -> Shadow:
    """Take log sigmoid inside a kernel, by torch's own function: SciPy's last digit may be another."""
    from torch.nn.functional import logsigmoid

    return _node("log_expit", x, computed=to_array(logsigmoid(to_tensor(x.computed))))


def _bce_with_logits(c: Array, x: Shadow, y: Any, weight: Any = None, pos_weight: Any = None, *_: Any) -> Shadow:
    """Take (1 - y) x - w log sigmoid(x) with w = 1 + (pos_weight - 1) y, as torch's kernel does, and a weight."""
    x, y, one = _shadows(x, y, 1.0)
    tail = _log_sigmoid(x)
    if pos_weight is not None:
        less = _node("subtract", *_shadows(pos_weight, one))
        tail = _node("multiply", _node("add", _node("multiply", less, y), one), tail)
    linear = _node("multiply", _node("subtract", one, y), x)
    value = _node("subtract", linear, tail, computed=c if weight is None else None)
    return value if weight is None else _node("multiply", *_shadows(value, weight), computed=c)


def _sigmoid_backward(c: Array, g: Shadow, s: Shadow) -> Shadow:
    g, s, one = _shadows(g, s, 1.0)
    return _node("multiply", _node("multiply", g, _node("subtract", one, s)), s, computed=c)


def _tanh_backward(c: Array, g: Shadow, t: Shadow) -> Shadow:
    g, t, one = _shadows(g, t, 1.0)
    return _node("multiply", g, _node("subtract", one, _node("multiply", t, t)), computed=c)


def _threshold_backward(c: Array, g: Shadow, x: Shadow, threshold: float) -> Shadow:
    return _node("where", _compared("less_equal", x, threshold), _number(0, x), g, computed=c)


def _log_sigmoid_backward(c: Array, g: Shadow, x: Shadow, *_: Any) -> Shadow:
    return _node("multiply", *_shadows(g, _node("expit", _node("negative", x))), computed=c)


def _softplus_backward(c: Array, g: Shadow, x: Shadow, beta: float, threshold: float) -> Shadow:
    scaled = x if beta == 1 else _node("multiply", *_shadows(x, beta))
    curved = _node("multiply", *_shadows(g, _node("expit", scaled)))
    return _node("where", _compared("greater", scaled, threshold), g, curved, computed=c)


def _bce_backward(c: Array, g: Shadow, p: Shadow, y: Any, weight: Any = None, *_: Any) -> Shadow:
    """Take g (p - y) / max((1 - p) p, 1e-12), as torch's kernel does."""
    g, p, y, one, eps = _shadows(g, p, y, 1.0, 1e-12)
    above = _node("multiply", g, _node("subtract", p, y))
    below = _node("maximum", _node("multiply", _node("subtract", one, p), p), eps)
    value = _node("divide", above, below, computed=c if weight is None else None)
    return value if weight is None else _node("multiply", *_shadows(value, weight), computed=c)


def _rsqrt(c: Array, a: Shadow) -> Shadow:
    return _node("reciprocal", _node("sqrt", a), computed=c)


ALIKE = {
    "abs": "absolute", "neg": "negative", "sigmoid": "expit", "mul": "multiply", "pow": "power", "log_sigmoid_forward":
    "log_expit", "special_xlog1py": "xlog1py", "sgn": "sign", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal", "eq": "equal", "ne": "not_equal", "bitwise_and": "logical_and", "bitwise_or": "logical_or",
    "bitwise_not": "logical_not", "special_entr": "entr",
    **{name: name for name in ("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "tanh", "sign",
       "reciprocal", "maximum", "minimum", "logaddexp", "xlogy", "logit", "sinh", "cosh", "atanh", "logical_and",
       "logical_or", "logical_not", "isnan")},
}  # fmt: skip
PASSING = (
    "alias", "clone", "detach", "view", "_unsafe_view", "reshape", "expand", "unsqueeze", "squeeze", "t", "transpose",
    "permute", "flatten", "contiguous", "select", "slice", "as_strided", "mean", "sum", "prod", "amax", "amin",
    "nansum", "_to_copy", "lift_fresh", "broadcast_to", "view_as", "unbind", "mul_backward",
)  # fmt: skip
RULES: Mapping[str, Rule] = {
    **{name: _plain(numpy) for name, numpy in ALIKE.items()},
    **dict.fromkeys(PASSING, _passed),
    "add": _scaled("add"), "sub": _scaled("subtract"), "rsub": _rsub, "div": _div, "rsqrt": _rsqrt,
    "clamp": _clamp, "clamp_min": _clamp, "hardtanh": _clamp, "clamp_max": lambda c, a, high: _clamp(c, a, None, high),
    "relu": lambda c, a: _clamp(c, a, 0.0), "where": _where, "masked_fill": lambda c, a, mask, v: _where(c, mask, v, a),
    "nan_to_num": _nan_to_num, "copy": lambda c, _, b, *__: _passed(c, b), "fill": lambda c, *_: Shadow("constant", (), c),
    "zero": lambda c, *_: Shadow("constant", (), c), "softplus": _softplus, "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_with_logits, "sigmoid_backward": _sigmoid_backward,
    "tanh_backward": _tanh_backward, "threshold_backward": _threshold_backward,
    "log_sigmoid_backward": _log_sigmoid_backward, "softplus_backward": _softplus_backward,
    "binary_cross_entropy_backward": _bce_backward,
}  # fmt: skip
MADE_NEW = ("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "new_zeros", "new_ones", "new_full",
            "new_empty")  # fmt: skip


# -- the mode -------------------------------------------------------------------------------------------


class _Record:
    """Hold what is known of tensors, by the place of their storage; they are kept, so that no place is used twice."""

    def __init__(self) -> None:
        self.known: dict[int, Shadow] = {}
        self.kept: list[Tensor] = []

    def note(self, tensor: Tensor, node: Shadow) -> None:
        self.known[tensor.untyped_storage().data_ptr()] = node
        self.kept.append(tensor)

    def of(self, value: Any) -> Any:
        """Return the Shadow of a tensor, a constant where nothing is known of it; anything else as it is."""
        import torch

        if not isinstance(value, torch.Tensor):
            return value
        node = self.known.get(value.untyped_storage().data_ptr()) if value.numel() else None
        return Shadow("constant", (), to_array(value)) if node is None else node

    def has(self, value: Any) -> bool:
        """Tell whether a value is a tensor that stands for something made from the inputs."""
        import torch

        return isinstance(value, torch.Tensor) and value.untyped_storage().data_ptr() in self.known

    def operation(self, name: str, args: tuple[Any, ...], options: Mapping[str, Any], result: Any) -> None:
        """Write down one operation, with the value that torch gave."""
        inplace = name.endswith("_") and not name.startswith("__")
        name = name.removesuffix("_") if inplace else name
        first = result[0] if isinstance(result, (tuple, list)) else result
        touched = [v for v in [*args, *options.values()] if self.has(v)]
        touched += [v for a in args if isinstance(a, (tuple, list)) for v in a if self.has(v)]
        if name == "_local_scalar_dense":
            if touched and str(args[0].dtype) != "torch.bool":
                raise NotFollowed("a Python number is made of a tensor, as item() does")
            return
        if not touched or name in MADE_NEW or getattr(first, "numel", lambda: 0)() == 0:
            return
        self.kept.append(first)
        if first.numel() != 1:
            raise NotFollowed(f"torch's {name} with {first.numel()} results for one element")
        node = self._node(name, args, options, to_array(first))
        self.note(first, node)

    def _node(self, name: str, args: tuple[Any, ...], options: Mapping[str, Any], computed: Array) -> Shadow:
        if name == "index":  # of one element, a mask leaves all or nothing
            return _passed(computed, self.of(args[0]))
        if name == "index_put":
            if not args[2].numel():
                return _passed(computed, self.of(args[0]))
            mask = self.of(next(v for v in args[1] if v is not None))
            return _where(computed, mask, self.of(args[2]), self.of(args[0]))
        if name in ("cat", "stack"):
            return _passed(computed, self.of(next(v for v in args[0] if v.numel())))
        if name not in RULES:
            raise NotFollowed(f"torch's {name}, which has no exact counterpart here")
        chosen = {k: self.of(v) for k, v in options.items() if k in ("min", "max", "alpha", "rounding_mode")}
        return RULES[name](computed, *(self.of(a) for a in args), **chosen)


def follow_torch(function: Callable[..., Tensor], *inputs: Array) -> Shadow:
    """Run a function of tensors on arrays of size 1 and return its result with all it was made from.

    Raises NotFollowed, a TypeError, naming what could not be followed: an operation without an exact counterpart, or
    what does not pass torch's dispatcher.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    record = _Record()

    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            record.operation(func.overloadpacket.__name__, args, kwargs or {}, result)
            return result

    tensors = [to_tensor(a) for a in inputs]
    for tensor, array in zip(tensors, inputs):
        record.note(tensor, Shadow("input", (), array))
    with np.errstate(all="ignore"), Mode():
        result = function(*tensors)
    if not isinstance(result, torch.Tensor) or not record.has(result):
        raise NotFollowed("what does not pass torch's dispatcher")
    node = record.of(result)
    return (
        node if node.shape == inputs[0].shape else Shadow("positive", (node,), node.computed.reshape(inputs[0].shape))
    )
