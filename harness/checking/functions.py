"""Find a user's function and call it with what it asks for.

A function is named by a file or a module and what is in it; in a file, its siblings are imported as `python file.py`
would.  What its parameters are called tells which is the input and which the target; losses have them in either order,
and by many names.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from harness import UsageError, choices
from harness.sweep.own import Function, one_line

# Names of parameters.  A `y` is the target, unless the other is one by its own name, as in f(y, t).
INPUTS = re.compile(
    r"x|z|p|q|(y_?)?(pred|preds|predt|prediction|predictions|hat|prob|probs|score|scores|logit|logits)"
    r"|inputs?|outputs?|probability|probabilities|margin|margins|logits_.*|raw.*"
)
TARGETS = re.compile(r"t|targets?|labels?|(y_?)?(true|target|label|onehot)|truth|ground_truth|gt")
DATA = re.compile(r"dtrain|train_data|dmatrix|dataset|train_set|data")
XGBOOST = re.compile(r"d(train|matrix)")


def find(target: str) -> Function:
    """Return the function that path/to/file.py:NAME or module:NAME names.

    NAME is a function, a method of a class as `Class.method`, or a call that makes one, such as `FocalLoss(gamma=2)`.  A
    module is looked for in the working directory too.  Raises UsageError, one sentence, where there is no such file,
    module or function, or where it cannot be imported.
    """
    found, module = named(target)
    place, _, name = _parted(target)
    if not callable(found):
        raise UsageError(f"{place} has no function {name!r}; its functions: {choices(name, _functions(module))}")
    if inspect.isclass(found):
        raise UsageError(f"{name} of {place} is a class; write {target}() for an instance of it")
    return found


def named(target: str) -> tuple[Any, ModuleType]:
    """Return whatever path/to/file.py:NAME or module:NAME names, and its module; UsageError where there is no such thing."""
    if ":" not in target:
        raise UsageError(f"{target!r} names no file and what is in it; write path/to/file.py:NAME")
    place, _, name = _parted(target)
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    try:
        return _made(module, name) if "(" in name else _attribute(module, name), module
    except (Exception, SystemExit) as e:
        if "(" not in name and isinstance(e, AttributeError):
            raise UsageError(
                f"{place} has no function {name!r}; its functions: {choices(name, _functions(module))}"
            ) from e
        raise UsageError(f"{name} of {place} cannot be made: {one_line(e)}") from e


def _parted(target: str) -> tuple[str, str, str]:
    """Divide a target at the colon before its name, whose arguments may have colons too."""
    return target[: _colon(target)], ":", target[_colon(target) + 1 :]


def _colon(target: str) -> int:
    return target.rindex(":", 0, target.find("(") if "(" in target else len(target))


def _functions(module: ModuleType) -> list[str]:
    """Return the names of the module's own functions; those that it only imports are left out."""
    known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
    return [n for n in known if getattr(vars(module)[n], "__module__", None) == module.__name__] or known


def _known(module: ModuleType) -> str:
    return ", ".join(_functions(module)) or "none"


def _made(module: ModuleType, text: str) -> Any:
    """Return what a call such as `FocalLoss(gamma=2)` makes: names of the module and calls of them, with plain values.

    Raises SyntaxError for what is no expression, ValueError for one that computes (`1 + 1`, a comprehension).
    """

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Call):
            arguments = [value(a) for a in node.args]
            return value(node.func)(*arguments, **{str(k.arg): value(k.value) for k in node.keywords})
        if isinstance(node, ast.Name):
            return getattr(module, node.id) if hasattr(module, node.id) else getattr(builtins, node.id)
        if isinstance(node, ast.Attribute):
            return getattr(value(node.value), node.attr)
        try:
            return ast.literal_eval(node)
        except ValueError as e:
            raise ValueError(f"{ast.unparse(node)} is no plain value, such as 2 or 'mean', and no call") from e

    return value(ast.parse(text, mode="eval").body)


def _attribute(module: ModuleType, name: str) -> Any:
    """Return what a dotted name stands for; a method is bound to an instance of its class, made without arguments."""
    found: Any = module
    for part in name.split("."):
        owner, found = found, getattr(found, part)
        if inspect.isclass(owner) and inspect.isfunction(inspect.getattr_static(owner, part)):
            found = getattr(owner(), part)
    return found


def _from_file(path: Path) -> ModuleType:
    """Import a file as a module of its own name, its folder being the first place for its imports."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}; write path/to/file.py:function")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    arguments, sys.argv = sys.argv, [str(path)]  # those of the harness are none of the file's
    try:
        spec.loader.exec_module(module)
    except BaseException as e:
        raise UsageError(f"{path} cannot be imported: {one_line(e)}") from e
    finally:
        sys.argv = arguments
    return module


def _from_name(name: str) -> ModuleType:
    """Import a module by its dotted name, as Python does when it is run in the working directory."""
    sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except BaseException as e:
        raise UsageError(f"module {name!r} cannot be imported: {one_line(e)}") from e
    finally:
        sys.path.remove("")


# -- arguments --------------------------------------------------------------------------------------


class ObjectiveData:
    """Stand for the data of a boosting library's objective: its labels, without weights unless there are some.

    Data without weights have None for them in LightGBM, and an empty array in XGBoost, whose objectives call it `dtrain`
    or `dmatrix`.  `asked` tells whether the objective wanted them.
    """

    def __init__(self, labels: Any, name: str, weights: Any = None):
        self.labels, self.name, self.weights, self.asked = labels, name, weights, False

    def get_label(self) -> Any:
        """Return the targets, one for each input."""
        return self.labels

    def get_weight(self) -> Any:
        """Return the weights, or what stands for none: no example is weighted."""
        self.asked = True
        if self.weights is not None:
            return self.weights
        return np.empty(0, np.float32) if XGBOOST.fullmatch(self.name) else None


def arranged(function: Function, name: str, has_target: bool) -> Callable[..., Any]:
    """Return f(x, y), or f(x), that calls a user's function with its arguments in its own order and by its own names.

    UsageError, one sentence, where it needs more than an input and a target.
    """
    parameters = _parameters(function)
    if parameters is None:
        return function
    _refuse_fewer(parameters, name, 1 + has_target)
    _refuse_more(parameters, name, 1 + has_target)
    positional = [p for p in parameters if p.kind != p.KEYWORD_ONLY]
    if has_target and len(positional) >= 2 and DATA.fullmatch(_plain(positional[1])):
        data = _plain(positional[1])
        return _standing_for(function, lambda x, y: _objective(function, data, x, y))
    at = _places(parameters, has_target)
    if at is None:
        return function
    return _standing_for(function, lambda *given: _call(function, parameters, at, given))


def _objective(function: Function, name: str, x: Any, y: Any) -> Any:
    """Call an objective with data that have no weights; one that cannot do without them, with weights of 1.

    A product with XGBoost's empty array is an error, or, of one element, empty itself.
    """
    data = ObjectiveData(y, name)
    try:
        found = function(x, data)
    except Exception:
        if not data.asked:
            raise
        found = ()
    emptied = isinstance(found, tuple) and all(np.size(part) == 0 for part in found)
    if not (data.asked and emptied and np.size(x)):
        return found
    return function(x, ObjectiveData(y, name, np.ones_like(y)))


def _standing_for(function: Function, called: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls another in its own way, and names it: what follows code looks into that."""
    called.__wrapped__ = function  # type: ignore[attr-defined]
    return called


def _parameters(function: Function) -> list[inspect.Parameter] | None:
    """Return the parameters that a function may be given; None where that is not known, or any number of them.

    A module of torch is called through its `forward`, whose parameters have the names.
    """
    inner = getattr(function, "forward", None) or getattr(function, "python_function", None) or function
    try:
        found = list(inspect.signature(inner).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(p.kind == p.VAR_POSITIONAL for p in found):
        return None
    return [p for p in found if p.kind != p.VAR_KEYWORD]


def _plain(parameter: inspect.Parameter) -> str:
    return parameter.name.lower().strip("_")


def _refuse_fewer(parameters: Sequence[inspect.Parameter], name: str, given: int) -> None:
    if len(parameters) < given:
        takes = ("no argument", "one argument")[len(parameters)]
        what = "an input and a target: write f(x, y)" if given == 2 else "an input: write f(x)"
        raise UsageError(f"{name} takes {takes}, and gets {what}")


def _refuse_more(parameters: Sequence[inspect.Parameter], name: str, taken: int) -> None:
    needed = [p for p in parameters if p.default is p.empty]
    extra = [p for p in needed if not (INPUTS.fullmatch(_plain(p)) or TARGETS.fullmatch(_plain(p)) or _plain(p) == "y")]
    if len(needed) > taken and extra:
        what = "an input and a target" if taken == 2 else "an input"
        raise UsageError(
            f"{name} also needs {', '.join(repr(p.name) for p in extra)}, and gets {what}; give it a default value"
        )


def _places(parameters: Sequence[inspect.Parameter], has_target: bool) -> tuple[int, int | None] | None:
    """Return which parameters are the input and the target; None where they are the first ones, in that order."""
    names = [_plain(p) for p in parameters]
    inputs = [i for i, n in enumerate(names) if INPUTS.fullmatch(n)]
    targets = [i for i, n in enumerate(names) if TARGETS.fullmatch(n)]
    if has_target and "y" in names:
        (inputs if targets else targets).append(names.index("y"))
    if not has_target:
        return (inputs[0], None) if inputs and inputs[0] > 0 and parameters[0].default is not inspect._empty else None
    first = list(range(min(2, len(names))))
    if len(first) == 2 and not ({*inputs[:1], *targets[:1]} - {*first}):
        # One of the first two that is known says what the other is.
        if targets[:1] == [0] or inputs[:1] == [1]:
            return 1, 0
        return None if parameters[1].kind != inspect.Parameter.KEYWORD_ONLY else (0, 1)
    if inputs and targets:
        return inputs[0], targets[0]
    return None


def _call(
    function: Function, parameters: Sequence[inspect.Parameter], at: tuple[int, int | None], given: Sequence[Any]
) -> Any:
    """Call a function by the names of its parameters; those without a name to use, by their place."""
    chosen = {i: v for i, v in zip(at, given) if i is not None}
    places: list[Any] = []
    names: dict[str, Any] = {}
    for i, p in enumerate(parameters):
        if i not in chosen:
            continue
        if p.kind == p.POSITIONAL_ONLY:
            places.append(chosen[i])
        else:
            names[p.name] = chosen[i]
    return function(*places, **names)
