"""Follow TensorFlow code: the graph that TensorFlow traces, run operation by operation with exact counterparts beside.

`tf.function` turns a function into a graph of operations, whatever was nested in it (other functions, Keras, the backward
pass of a gradient tape).  Each operation is run here by itself, as TensorFlow runs code that is not compiled, and gives
what TensorFlow computes for it and the exact value of what it stands for (see shadow.py).  What a user has put into a
`tf.function` runs otherwise: TensorFlow's optimiser rewrites its graph, as log(1 + x) into log1p(x).  So where the result is
not the function's own, the graphs of the functions that are called are rewritten here too, by the same optimiser, and followed
again.  A function that TensorFlow compiles (`jit_compile`) may differ in bits from both; then it counts as not followed, and
that is said.  TensorFlow is not imported before it is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.explain.followed import NotFollowed
from harness.explain.shadow import Shadow

Array = np.ndarray
Rule = Callable[..., Shadow]

# TensorFlow computes what is left over of an array by other code than the rest: each input is repeated so many times,
# as long as the shortest arrays that a check calls it with.
REPEATED = 1024

# The name that NumPy or scipy.special has for an operation of TensorFlow.
ALIKE = {
    "Add": "add", "AddV2": "add", "Sub": "subtract", "Mul": "multiply", "MulNoNan": "multiply", "RealDiv": "divide",
    "Div": "divide", "DivNoNan": "divide", "Neg": "negative", "Exp": "exp", "Expm1": "expm1", "Log": "log",
    "Log1p": "log1p", "Tanh": "tanh", "Sigmoid": "expit", "Maximum": "maximum", "Minimum": "minimum", "Abs": "absolute",
    "Sqrt": "sqrt", "Pow": "power", "Square": "square", "Sign": "sign", "Reciprocal": "reciprocal", "Inv": "reciprocal",
    "Xlogy": "xlogy", "Xlog1py": "xlog1py", "Sinh": "sinh", "Cosh": "cosh", "Atanh": "arctanh", "Less": "less",
    "LessEqual": "less_equal", "Greater": "greater", "GreaterEqual": "greater_equal", "Equal": "equal",
    "NotEqual": "not_equal", "LogicalAnd": "logical_and", "LogicalOr": "logical_or", "LogicalNot": "logical_not",
    "IsNan": "isnan", "IsFinite": "isfinite",
}  # fmt: skip
PASSING = (
    "Identity", "Snapshot", "StopGradient", "PreventGradient", "CheckNumerics", "Reshape", "ExpandDims", "Squeeze",
    "BroadcastTo", "Transpose", "StridedSlice", "Slice", "GatherV2", "Sum", "Mean", "Max", "Min", "Prod", "EnsureShape",
)  # fmt: skip
CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def _node(name: str, *operands: Shadow, computed: Array | None = None) -> Shadow:
    """Return an operation's Shadow; what TensorFlow does not show, a step inside one of its kernels, NumPy computes."""
    if computed is None:
        import scipy.special

        function = getattr(np, name, None) or getattr(scipy.special, name)
        computed = np.asarray(function(*(o.computed for o in operands)))
    return Shadow(name, operands, computed)


def _one(like: Shadow) -> Shadow:
    return Shadow("constant", (), np.ones_like(like.computed))


def _softplus(c: Array, x: Shadow) -> Shadow:
    """Take log1p(e^x); where e^x is too small or too large to count, TensorFlow's kernel returns e^x, or x."""
    return _node("log1p", _node("exp", x), computed=c)


def _softplus_grad(c: Array, g: Shadow, x: Shadow) -> Shadow:
    """Take g / (e^-x + 1)."""
    below = _node("add", _node("exp", _node("negative", x)), _one(x))
    return _node("divide", g, below, computed=c)


def _sigmoid_grad(c: Array, s: Shadow, g: Shadow) -> Shadow:
    """Take g s (1 - s)."""
    return _node("multiply", _node("multiply", g, s), _node("subtract", _one(s), s), computed=c)


def _tanh_grad(c: Array, t: Shadow, g: Shadow) -> Shadow:
    """Take g (1 - t^2)."""
    return _node("multiply", g, _node("subtract", _one(t), _node("square", t)), computed=c)


def _reciprocal_grad(c: Array, r: Shadow, g: Shadow) -> Shadow:
    """Take -g r^2."""
    return _node("multiply", _node("negative", g), _node("square", r), computed=c)


def _sqrt_grad(c: Array, r: Shadow, g: Shadow) -> Shadow:
    """Take g / 2 / r."""
    half = Shadow("constant", (), np.full_like(r.computed, 0.5))
    return _node("divide", _node("multiply", g, half), r, computed=c)


def _relu_grad(c: Array, g: Shadow, x: Shadow) -> Shadow:
    """Take g where x > 0, else 0."""
    zero = Shadow("constant", (), np.zeros_like(x.computed))
    return _node("where", _node("greater", x, zero), g, zero, computed=c)


def _sum_of(c: Array, *terms: Shadow) -> Shadow:
    total = terms[0]
    for i, term in enumerate(terms[1:], 2):
        total = _node("add", total, term, computed=c if i == len(terms) else None)
    return total


def _clip(c: Array, x: Shadow, low: Shadow, high: Shadow) -> Shadow:
    return _node("maximum", _node("minimum", x, high), low, computed=c)


def _converted(c: Array, x: Shadow) -> Shadow:
    return x if x.dtype == c.dtype else _node("astype", x, computed=c)


def _inserted(c: Array, shape: Shadow, begin: Shadow, end: Shadow, strides: Shadow, g: Shadow) -> Shadow:
    """Take the gradient of x[:, None] and its like, which is g; that of a part of x has zeros, too."""
    if g.computed.tobytes() != c.tobytes():
        raise NotFollowed("TensorFlow's StridedSliceGrad of a part of an array")
    return g


def _alike(name: str) -> Rule:
    return lambda c, *operands: Shadow(name, operands, c)


RULES: Mapping[str, Rule] = {
    **{name: _alike(numpy) for name, numpy in ALIKE.items()},
    **dict.fromkeys(PASSING, lambda c, x, *rest: x),
    "Select": lambda c, *o: Shadow("where", o, c), "SelectV2": lambda c, *o: Shadow("where", o, c),
    "Rsqrt": lambda c, x: _node("reciprocal", _node("sqrt", x), computed=c),
    "SquaredDifference": lambda c, a, b: _node("square", _node("subtract", a, b), computed=c),
    "Relu": lambda c, x: _node("maximum", x, Shadow("constant", (), np.zeros_like(x.computed)), computed=c),
    "Softplus": _softplus, "SoftplusGrad": _softplus_grad, "SigmoidGrad": _sigmoid_grad, "TanhGrad": _tanh_grad,
    "SqrtGrad": _sqrt_grad,
    "ReluGrad": _relu_grad, "ReciprocalGrad": _reciprocal_grad, "InvGrad": _reciprocal_grad, "AddN": _sum_of, "ClipByValue": _clip,
    "Cast": _converted, "StridedSliceGrad": _inserted,
    "ZerosLike": lambda c, x: Shadow("constant", (), c), "OnesLike": lambda c, x: Shadow("constant", (), c),
}  # fmt: skip


class _Rewritten:
    """Hold a function's graph as TensorFlow's optimiser rewrites it before it runs."""

    def __init__(self, tf: Any, graph: Any):
        from tensorflow.core.protobuf.config_pb2 import ConfigProto
        from tensorflow.python.grappler import tf_optimizer
        from tensorflow.python.training.saver import export_meta_graph

        described = export_meta_graph(graph_def=graph.as_graph_def(), graph=graph)
        described.collection_def["train_op"].node_list.value.extend(o.name for o in graph.outputs)  # what is fetched
        asked = ConfigProto()
        options = asked.graph_options.rewrite_options
        options.min_graph_nodes = -1
        # This alone trusts the shapes of inputs, as a run does.
        options.arithmetic_optimization = options.constant_folding = options.AGGRESSIVE
        rewritten = tf.Graph()
        with rewritten.as_default():
            tf.graph_util.import_graph_def(tf_optimizer.OptimizeGraph(asked, described), name="")
        self.inputs, self.outputs = (
            [rewritten.get_tensor_by_name(t.name) for t in ends] for ends in (graph.inputs, graph.outputs)
        )
        self.get_operations, self._get_function = rewritten.get_operations, graph._get_function


class _Graph:
    """Run the operations of a graph on repeated values of one element, and keep what is known of each.

    With `rewriting`, the functions that it calls are run as TensorFlow's optimiser rewrites them.
    """

    def __init__(self, tf: Any, graph: Any, rewriting: bool = False):
        self.tf, self.graph, self.rewriting = tf, graph, rewriting
        self.values: dict[str, Any] = {}
        self.known: dict[str, Shadow | None] = {}

    def __call__(self, values: Sequence[Any], known: Sequence[Shadow | None]) -> tuple[list[Any], list[Shadow | None]]:
        """Return the results' values, and Shadows of those that were made from the inputs."""
        for given, value, node in zip(self.graph.inputs, values, known):
            self.values[given.name], self.known[given.name] = value, node
        for operation in self.graph.get_operations():
            if operation.type != "Placeholder":
                self._step(operation)
        outputs = [o.name for o in self.graph.outputs]
        return [self.values[n] for n in outputs], [self.known[n] for n in outputs]

    def _step(self, operation: Any) -> None:
        values = [self.values[i.name] for i in operation.inputs]
        nodes = [self.known[i.name] for i in operation.inputs]
        if operation.type in CALLS:
            inner = self.graph._get_function(operation.get_attr("f").name)
            called = _Rewritten(self.tf, inner.graph) if self.rewriting else inner.graph
            results, made = _Graph(self.tf, called, self.rewriting)(values, nodes)
        else:
            results = self._run(operation, values)
            made = [self._made(operation.type, values, nodes, r) for r in results]
        for output, result, node in zip(operation.outputs, results, made):
            self.values[output.name], self.known[output.name] = result, node

    def _run(self, operation: Any, values: Sequence[Any]) -> list[Any]:
        """Run one operation by itself; NotFollowed where it is none that can be, such as a branch or a loop."""
        if operation.type == "Const":
            return [self.tf.constant(self.tf.make_ndarray(operation.get_attr("value")))]
        function = getattr(self.tf.raw_ops, operation.type, None)
        if function is None or operation.type in ("If", "StatelessIf", "While", "StatelessWhile"):
            raise NotFollowed(f"TensorFlow's {operation.type}")
        left, given = list(values), {}
        names = list(inspect.signature(function).parameters)  # of the inputs first, in their order, then of attributes
        for argument, name in zip(operation.op_def.input_arg, names):
            count = operation.get_attr(argument.number_attr) if argument.number_attr else 0
            given[name] = [left.pop(0) for _ in range(count)] if argument.number_attr else left.pop(0)
        asked = [n for n in names[len(given) :] if n in operation.node_def.attr]
        given |= {name: operation.get_attr(name) for name in asked}
        found = function(**given)
        return [found] if hasattr(found, "dtype") else list(found)

    def _made(self, name: str, values: Sequence[Any], nodes: Sequence[Shadow | None], result: Any) -> Shadow | None:
        if all(node is None for node in nodes) or not (result.dtype.is_floating or result.dtype.is_bool):
            return None
        if name not in RULES:
            raise NotFollowed(f"TensorFlow's {name}, which has no exact counterpart here")
        operands = [_constant(v) if n is None else n for v, n in zip(values, nodes)]
        return RULES[name](_single(result, name), *operands)


def _single(value: Any, name: str) -> Array:
    """Return the one number that all elements of a tensor are, as an array of shape (1,)."""
    flat = np.asarray(value.numpy()).reshape(-1)
    if not len(flat) or flat[:1].tobytes() * len(flat) != flat.tobytes():
        raise NotFollowed(f"TensorFlow's {name}, whose results differ from element to element")
    return flat[:1].copy()


def _constant(value: Any) -> Shadow:
    """Return a value that no input went into: one number, or whatever else, such as axes, which no rule looks at."""
    flat = np.asarray(value.numpy()).reshape(-1)
    return Shadow("constant", (), flat[:1].copy() if len(flat) else np.zeros(1, np.float32))


def follow_tensorflow(function: Callable[..., Any], *inputs: Array) -> Shadow:
    """Run a function of tensors on arrays of size 1 and return its result with all it was made from.

    Raises NotFollowed, a TypeError, naming what could not be followed.
    """
    import tensorflow as tf

    given = [tf.constant(np.repeat(a, REPEATED) if a.shape == (1,) else a) for a in inputs]
    traced = tf.function(function, autograph=False).get_concrete_function(
        *(tf.TensorSpec(g.shape, g.dtype) for g in given)
    )
    nodes = [Shadow("input", (), np.reshape(a, 1)) for a in inputs]
    node = _made_of(tf, traced.graph, given, nodes, False)
    if any(operation.type in CALLS for operation in traced.graph.get_operations()):
        node = _as_it_runs(tf, traced.graph, given, nodes, np.asarray(function(*given).numpy()).reshape(-1)[:1], node)
    return (
        node if node.shape == inputs[0].shape else Shadow("positive", (node,), node.computed.reshape(inputs[0].shape))
    )


def _made_of(tf: Any, graph: Any, given: Sequence[Any], nodes: Sequence[Shadow], rewriting: bool) -> Shadow:
    with np.errstate(all="ignore"):
        _, made = _Graph(tf, graph, rewriting)(given, nodes)
    if len(made) != 1 or made[0] is None:
        raise NotFollowed("a result that is made of no input, or several results")
    return made[0]


def _as_it_runs(
    tf: Any, graph: Any, given: Sequence[Any], nodes: Sequence[Shadow], own: Array, written: Shadow
) -> Shadow:
    """Return the result followed as written, or else through the rewritten graphs, whichever is the function's own.

    NotFollowed where neither is.
    """
    if _is(written, own):
        return written
    try:
        node = _made_of(tf, graph, given, nodes, True)
    except NotFollowed:
        raise
    except Exception:  # an optimiser of another version
        node = written
    if _is(node, own):
        return node
    raise NotFollowed(
        f"a tf.function, which TensorFlow rewrites or compiles before it runs: its operations as written give {written.number:.9g}, "
        f"what runs {float(own.item()):.9g}"
    )


def _is(node: Shadow, own: Array) -> bool:
    return bool(np.array_equal(node.computed.reshape(-1), own, equal_nan=True))
