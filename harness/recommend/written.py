"""Write a kernel as Python code of NumPy, PyTorch or JAX, to paste.

A kernel is one source for every kind of array, and its gradient is made by a tape: neither is code that a user could
take.  So the kernel is run once on expressions in place of numbers; what comes back is the graph of its operations, and
that graph is written out, an operation that is used twice under a name of its own.  Nothing is rearranged: each operation
rounds as it does in the kernel.  What is left out changes no number: a factor of 1, a sign that is taken twice or whose
size is taken; and an operation on constants is done beforehand, in the format.

A library's own functions are not NumPy's.  PyTorch's vectorised log1p is 0 at the least subnormal numbers, and JAX's is
off by 128 ulp in float64 from -0.4142 to -0.2929.  So their code has a log1p of its own where that matters, and that of
PyTorch writes logaddexp out, which stands on log1p.  XLA takes subnormal numbers for 0 on CPUs, which no formula can help:
the code of JAX begins with a comment that says so.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.kernels import Kernel
from harness.kernels.duck_array import DuckArray
from harness.numbers.formats import Format

OWN_CALL = re.compile(r"(?<![.\w])log1p\(")  # of the code's own log1p, not of a library's
LONG = 72  # characters of an expression beyond which its longest operand gets a name
WHOLE = 256  # every format holds the whole numbers up to this
OPERATORS = {"add": ast.Add, "subtract": ast.Sub, "multiply": ast.Mult, "divide": ast.Div}
COMPARISONS = {"less": ast.Lt, "less_equal": ast.LtE, "greater": ast.Gt, "greater_equal": ast.GtE, "equal": ast.Eq}
NAMES = {
    "exp": "e", "expm1": "e_minus_1", "log": "log_term", "log1p": "log_term", "logaddexp": "log_term", "abs": "size",
    "negative": "minus", "add": "total", "subtract": "difference", "multiply": "product", "divide": "quotient",
    "where": "chosen", "maximum": "upper", "minimum": "lower", "tanh": "t", "sqrt": "root", "power": "power",
    "sign": "sign", "less": "below", "less_equal": "below", "greater": "above", "greater_equal": "above", "equal": "same",
}  # fmt: skip
MODULES = {"numpy": "np", "torch": "torch", "jax": "jnp"}
IMPORTS = {
    "numpy": "import numpy as np",
    "torch": "import torch",
    "jax": "import jax\nimport jax.numpy as jnp",
}
X64 = 'jax.config.update("jax_enable_x64", True)  # else JAX computes in float32'


class Expression(DuckArray):
    """Stand for an array in a kernel: an input's name, a constant of the format, or an operation on others."""

    def __init__(
        self, graph: dict[tuple, Expression], dtype: np.dtype, name: str, operands: tuple = (), value: Any = None
    ):
        self.graph, self.dtype, self.name, self.operands, self.value = graph, dtype, name, operands, value

    def constant(self, value: np.ndarray) -> Expression:
        """Return a constant of the working format."""
        number = float(value)
        return self._kept("constant", (), (number, np.signbit(number)), number)

    def apply(self, name: str, *operands: Any) -> Expression:
        """Return an operation on expressions and constants; the same operation on the same operands is one expression."""
        taken = tuple(o if isinstance(o, Expression) else self.constant(o) for o in operands)
        if all(o.name == "constant" for o in taken):
            with np.errstate(all="ignore"):
                return self.constant(getattr(np, name)(*(self.dtype.type(o.value) for o in taken)))
        if name == "multiply" and any(o.value == 1 for o in taken):
            return taken[0] if taken[1].value == 1 else taken[1]
        if name in ("negative", "abs") and taken[0].name == "negative":
            inside = taken[0].operands[0]
            return inside if name == "negative" else self.apply("abs", inside)
        return self._kept(name, taken, tuple(id(o) for o in taken))

    def takes(self, other: Any) -> bool:
        """Take other expressions and constants; a tape's value takes the operation over."""
        return isinstance(other, (Expression, np.ndarray, np.generic))

    def _kept(self, name: str, operands: tuple, key: tuple, value: Any = None) -> Expression:
        full = (name, key)
        if full not in self.graph:
            self.graph[full] = Expression(self.graph, self.dtype, name, operands, value)
        return self.graph[full]


@dataclass(frozen=True)
class KnownForm:
    """Hold a kernel of a loss, or of a plain function, and the kernel of its gradient, None where there is none."""

    loss: Kernel
    gradient: Kernel | None

    @property
    def own_gradient(self) -> bool:
        """Tell whether the gradient is the loss's own formula, differentiated as written."""
        return self.gradient is not None and self.gradient.name == self.loss.name

    @property
    def name(self) -> str:
        """Return the name that a ranking has: the loss's kernel, and the gradient's where it is another formula."""
        if self.gradient is None or self.own_gradient:
            return self.loss.name
        return f"{self.loss.name} + {self.gradient.name}"


def body(kernel: Kernel, fmt: Format, inputs: Sequence[str], library: str) -> list[str]:
    """Return the lines of a function of `inputs` that computes a kernel in a format with numpy, torch or jax.

    Constants are those of the format, so that the code is of that format; TypeError for an operation that cannot be
    written.
    """
    graph: dict[tuple, Expression] = {}
    given = [Expression(graph, fmt.dtype, "input", (), name) for name in inputs]
    result = kernel(*given)
    return _Lines(library, inputs[0], given).of(result)


# log1p(t) = t - t^2 / 2 + ...: where |t| <= 2^-(p+1), a quarter of machine epsilon, t alone is right to half an ulp.
TORCH_LOG1P = """def log1p(t):
    return torch.where(torch.abs(t) < torch.finfo(t.dtype).eps / 4, t, torch.log1p(t))"""


# XLA approximates log1p by a quotient of polynomials wherever |t| < sqrt(2) - 1, though it holds for 1 + t from sqrt(1/2) to
# sqrt(2) alone: for t from -0.4142 to -0.2929 it is off.  There log(1 + t) is right: for t in [-1/2, -1/4] the sum rounds by
# at most 2^-54, which is 2^-54 / (1 + t) in the logarithm: 1.4 ulp at most, where the logarithm is about -0.35.
JAX_LOG1P = """def log1p(t):
    return jnp.where((t > -0.5) & (t < -0.25), jnp.log(1 + t), jnp.log1p(t))"""

OWN_LOG1P = {"torch": TORCH_LOG1P, "jax": JAX_LOG1P}


def flushes(library: str, fmt: Format) -> bool:
    """Tell whether a library takes the subnormal numbers of a format for 0: XLA does, but computes float16 in float32."""
    return library == "jax" and fmt.name != "float16"


def function(name: str, kernel: Kernel, fmt: Format, inputs: Sequence[str], library: str) -> str:
    """Return a whole function `name` of the inputs, with the kernel's name and problem as its docstring."""
    lines = [f'"""{kernel.name}, as {kernel.problem} in {fmt.name}."""', *body(kernel, fmt, inputs, library)]
    return "\n".join([f"def {name}({', '.join(inputs)}):", *(f"    {line}" for line in lines)])


def code(form: KnownForm, fmt: Format, inputs: Sequence[str], library: str) -> str:
    """Return a module of Python with the loss, `loss`, and its gradient where there is one, of numpy, torch or jax.

    PyTorch and JAX take the gradient as the loss's derivative, and give none to the targets.
    """
    if form.gradient is None:
        parts = [function("loss", form.loss, fmt, inputs, library)]
    else:
        parts = JOINED[library](form, fmt, inputs, function("gradient", form.gradient, fmt, inputs, library))
    own = [OWN_LOG1P[library]] if any(OWN_CALL.search(part) for part in parts) else []
    return "\n\n\n".join([head(fmt, library), *own, *parts]) + "\n"


def head(fmt: Format, library: str) -> str:
    """Return the first lines of a module: what the library cannot do in the format, its imports, its setting."""
    told = [f"# XLA on CPUs takes what is below {float(fmt.min_normal):.3g} in size for 0, inputs and results."]
    lines = [*(told if flushes(library, fmt) else []), IMPORTS[library]]
    return "\n".join([*lines, *(["", X64] if library == "jax" and fmt.bits == 64 else [])])


def _numpy(form: KnownForm, fmt: Format, inputs: Sequence[str], slope: str) -> list[str]:
    return [function("loss", form.loss, fmt, inputs, "numpy"), slope]


def _torch(form: KnownForm, fmt: Format, inputs: Sequence[str], slope: str) -> list[str]:
    given, none = ", ".join(inputs), "".join(", None" for _ in inputs[1:])
    taken = f"{given}," if len(inputs) == 1 else given
    joined = (
        "class Loss(torch.autograd.Function):\n"
        "    @staticmethod\n"
        f"    def forward(ctx, {given}):\n"
        f"        ctx.save_for_backward({given})\n"
        f"        return value({given})\n\n"
        "    @staticmethod\n"
        "    def backward(ctx, upstream):\n"
        f"        {taken} = ctx.saved_tensors\n"
        f"        return upstream * gradient({given}){none}"
    )
    called = f"def loss({given}):\n    return Loss.apply({given})"
    return [function("value", form.loss, fmt, inputs, "torch"), slope, joined, called]


def _jax(form: KnownForm, fmt: Format, inputs: Sequence[str], slope: str) -> list[str]:
    given, none = ", ".join(inputs), "".join(", None" for _ in inputs[1:])
    loss = "@jax.custom_vjp\n" + function("loss", form.loss, fmt, inputs, "jax")
    kept = f"({given},)" if len(inputs) == 1 else f"({given})"
    forward = f"def forward({given}):\n    return loss({given}), {kept}"
    result = f"upstream * gradient(*kept){none}" if none else "(upstream * gradient(*kept),)"
    backward = f"def backward(kept, upstream):\n    return {result}"
    return [loss, slope, forward, backward + "\n\n\nloss.defvjp(forward, backward)"]


JOINED: dict[str, Callable[..., list[str]]] = {"numpy": _numpy, "torch": _torch, "jax": _jax}


class _Lines:
    """Write a graph as lines of assignments and a return."""

    def __init__(self, library: str, like: str, inputs: Sequence[Expression]):
        self.library, self.like = library, like
        self.named: dict[int, str] = {id(e): e.value for e in inputs}
        self.used: Counter[str] = Counter(e.value for e in inputs)
        self.lines: list[str] = []
        self.typed: dict[float, str] = {}

    def of(self, result: Expression) -> list[str]:
        """Return the lines that compute an expression."""
        self.uses = _uses(result)
        last = ast.unparse(self._node(result))
        if self.lines and self.lines[-1].startswith(f"{last} = "):
            last = self.lines.pop().removeprefix(f"{last} = ")
        constants = [f"{name} = {self.like}.dtype.type({value!r})" for value, name in self.typed.items()]
        return [*constants, *self.lines, f"return {last}"]

    def _node(self, e: Expression) -> ast.expr:
        if id(e) in self.named:
            return ast.Name(self.named[id(e)])
        if e.name == "constant":
            return self._literal(e.value)
        node = self._operation(e)
        return self._assigned(e, node) if self.uses[id(e)] > 1 else node

    def _assigned(self, e: Expression, node: ast.expr) -> ast.expr:
        self.named[id(e)] = self._fresh(NAMES.get(e.name, e.name))
        self.lines.append(f"{self.named[id(e)]} = {ast.unparse(node)}")
        return ast.Name(self.named[id(e)])

    def _fresh(self, name: str) -> str:
        self.used[name] += 1
        return name if self.used[name] == 1 else f"{name}{self.used[name]}"

    def _operands(self, e: Expression) -> list[ast.expr]:
        """Return the operands as they are written, the longest under a name of its own where they are long together."""
        nodes = [self._node(o) for o in e.operands]
        lengths = [0 if isinstance(n, (ast.Name, ast.Constant)) else len(ast.unparse(n)) for n in nodes]
        longest = lengths.index(max(lengths))
        if sum(lengths) > LONG:
            nodes[longest] = self._assigned(e.operands[longest], nodes[longest])
        return nodes

    def _operation(self, e: Expression) -> ast.expr:
        operands = self._operands(e)
        constant = [o.name == "constant" for o in e.operands]
        if e.name == "negative":
            return ast.UnaryOp(ast.USub(), operands[0])
        if e.name == "add" and isinstance(operands[1], ast.UnaryOp):
            return ast.BinOp(operands[0], ast.Sub(), operands[1].operand)
        if e.name in OPERATORS:
            return ast.BinOp(operands[0], OPERATORS[e.name](), operands[1])
        if e.name in COMPARISONS:
            return ast.Compare(operands[0], [COMPARISONS[e.name]()], [operands[1]])
        if e.name == "log1p" and self._own_log1p(e.operands[0]):
            return ast.Call(ast.Name("log1p"), operands, [])
        if self.library == "torch":
            return self._of_torch(e, operands, constant)
        if e.name == "where" and all(constant[1:]) and self.library == "numpy":
            operands[1:] = [self._named_constant(o.value) for o in e.operands[1:]]
        return _call(MODULES[self.library], e.name, operands)

    def _own_log1p(self, t: Expression) -> bool:
        """Tell whether the library's log1p is not right everywhere at an operand; an exp is never below 0."""
        return self.library == "torch" or (self.library == "jax" and t.dtype.itemsize == 8 and t.name != "exp")

    def _of_torch(self, e: Expression, operands: list[ast.expr], constant: list[bool]) -> ast.expr:
        """Write a function of torch, of which some take tensors alone."""
        if e.name in ("maximum", "minimum") and any(constant):
            value, bound = operands if constant[1] else operands[::-1]
            limit = ast.keyword("min" if e.name == "maximum" else "max", bound)
            return ast.Call(ast.Attribute(ast.Name("torch"), "clamp"), [value], [limit])
        if e.name == "logaddexp":
            a, b = e.operands
            apart = e.apply("exp", e.apply("negative", e.apply("abs", e.apply("subtract", a, b))))
            return self._node(e.apply("add", e.apply("maximum", a, b), e.apply("log1p", apart)))
        tensors = e.name in ("maximum", "minimum") or (e.name == "where" and all(constant[1:]))
        made = [
            _call(self.like, "new_tensor", [o]) if tensors and is_constant else o
            for o, is_constant in zip(operands, constant)
        ]
        return _call("torch", e.name, made)

    def _literal(self, value: float) -> ast.expr:
        if value == int(value) and abs(value) <= WHOLE and not (value == 0 and np.signbit(value)):
            return ast.parse(str(int(value)), mode="eval").body
        if self.library == "numpy":  # beside a Python float, NumPy computes bfloat16 in float32
            return self._named_constant(value)
        return ast.parse(repr(value), mode="eval").body

    def _named_constant(self, value: float) -> ast.expr:
        if value not in self.typed:
            self.typed[value] = self._fresh({0.5: "half", 0.0: "zero", 1.0: "one"}.get(value, "c"))
        return ast.Name(self.typed[value])


def _call(module: str, name: str, operands: list[ast.expr]) -> ast.expr:
    return ast.Call(ast.Attribute(ast.Name(module), name), operands, [])


def _uses(result: Expression) -> Counter[int]:
    """Count how often each operation of a graph is an operand."""
    uses: Counter[int] = Counter()
    seen, waiting = {id(result)}, [result]
    while waiting:
        for o in waiting.pop().operands:
            uses[id(o)] += 1
            if id(o) not in seen:
                seen.add(id(o))
                waiting.append(o)
    return uses
