"""What the slips are: of a module's source, every small change of some kinds, as another source with a mark of where it is."""

from __future__ import annotations

import ast
import functools
import hashlib
import pickle
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).parents[2]

BINARY, COMPARED = "core/ReplaceBinaryOperator_", "core/ReplaceComparisonOperator_"
OPERATORS = (
    "core/NumberReplacer", "core/AddNot", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd", "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue", "core/ReplaceBreakWithContinue", "core/ReplaceContinueWithBreak",
    "core/ReplaceUnaryOperator_Delete_Not", "core/ReplaceUnaryOperator_Delete_USub",
    "core/ReplaceUnaryOperator_Delete_Invert", "core/ZeroIterationForLoop", "core/ExceptionReplacer",
    *(BINARY + o for o in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "LShift_RShift",
                           "RShift_LShift", "BitAnd_BitOr", "BitOr_BitAnd", "BitXor_BitAnd", "Pow_Mul")),
    *(COMPARED + o for o in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "LtE_Gt", "Gt_LtE",
                             "GtE_Lt", "Is_IsNot", "IsNot_Is")),
)  # fmt: skip
SWAPPED = {"any": "all", "max": "min", "maximum": "minimum", "argmax": "argmin", "floor": "ceil", "lower": "upper"}
SWAPPED |= {new: old for old, new in SWAPPED.items()}


class SwapName(Operator):
    """Put a function's opposite in its place: Cosmic Ray has no such operator, and arrays have many such functions."""

    def mutation_positions(self, node: Any) -> Iterator[tuple]:
        """Yield where a name stands that has an opposite."""
        if node.type == "name" and node.value in SWAPPED:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the name's opposite."""
        node.value = SWAPPED[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple:
        """Return none: they serve Cosmic Ray's own tests."""
        return ()


@dataclass(frozen=True)
class Mutant:
    """Hold one slip: the module's file, the outermost function that it is in ("" outside of any), and the sources.

    `constants` are what it assigns where it is outside and nothing else outside of functions reads them.
    """

    path: str
    function: str
    there: str
    planted: str
    source: str
    constants: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return what tells it from all others."""
        return hashlib.sha256(f"{self.path}\0{self.source}".encode()).hexdigest()[:16]

    @property
    def module(self) -> str:
        """Return the module's name, as `Planter` asks for it."""
        return self.path.removesuffix(".py").replace("/", ".")


class Source:
    """Be what `Planter` takes for a fault: a module's other source."""

    def __init__(self, mutant: Mutant):
        self.module, self.path, self._text = mutant.module, ROOT / mutant.path, mutant.source

    def source(self) -> str:
        """Return the mutant's source."""
        return self._text


def mutants_of(path: str) -> list[Mutant]:
    """Return all mutants of a module's file, each once, in the order of its lines; none that is the same program."""
    text = (ROOT / path).read_text(encoding="utf-8")
    tree, lines, found = ast.parse(text), text.splitlines(keepends=True), []
    functions, constants = spans(tree), constants_of(path, tree)
    for first, last, margin in statements(tree):
        before, here, after = lines[: first - 1], lines[first - 1 : last], lines[last:]
        for changed in changes(textwrap.dedent("".join(here))):
            new = textwrap.indent(changed, margin)
            line, there, planted = difference(here, new.splitlines(keepends=True))
            line += first - 1
            names = next((names for start, end, names in constants if start <= line <= end), ())
            source = "".join([*before, new, *after])
            found.append((line, Mutant(path, within(functions, line), there, planted, source, names)))
    return [mutant for _, mutant in sorted(found, key=lambda pair: pair[0])]


def statements(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """Yield first and last line, and the margin, of each statement of a module, and of its classes instead of these.

    So what stands before a class, as that it is frozen, is left alone.
    """
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            first = min([inner.lineno, *(d.lineno for d in getattr(inner, "decorator_list", []))])
            yield first, inner.end_lineno or 0, " " * inner.col_offset


def changes(block: str) -> Iterator[str]:
    """Yield each other program that the operators make of a statement."""
    tree, seen = parso.parse(block), {program(block)}
    nodes, stored = list(ast_nodes(tree)), pickle.dumps(tree)
    for name in (*OPERATORS, ""):
        operator = get_operator(name)() if name else SwapName()
        for occurrence in range(sum(len(list(operator.mutation_positions(n))) for n in nodes)):
            changed = MutationVisitor(occurrence, operator).walk(pickle.loads(stored)).get_code()
            what = program(changed)
            if what and what not in seen:
                seen.add(what)
                yield changed


def program(text: str) -> str:
    """Return what a source does: its tree without annotations, which nothing evaluates here; "" where it is no Python.

    So it is where a dictionary takes in another with `**`, which the operators take for a power.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def spans(tree: ast.Module) -> list[tuple[int, int, str]]:
    """Return first and last line of the body of each outermost function, and its qualified name."""
    found = []
    for node, prefix in [(n, "") for n in tree.body] + [
        (n, f"{c.name}.") for c in tree.body if isinstance(c, ast.ClassDef) for n in c.body
    ]:
        if isinstance(node, ast.FunctionDef):
            found.append((node.body[0].lineno, node.end_lineno or 0, prefix + node.name))
    return found


def constants_of(path: str, tree: ast.Module) -> list[tuple[int, int, tuple[str, ...]]]:
    """Return first and last line, and the names, of each assignment of names that nothing reads at import."""
    module, found = path.removesuffix(".py").replace("/", "."), []
    importers = [t for t in map(parsed, ROOT.glob("harness/**/*.py")) if module in t[0]]
    for node in tree.body:
        if names := assigned(node):
            here = {n for other in tree.body if other is not node for n in read_at_import(other)}
            there = {n for text, other in importers for n in read_at_import(other)}
            if not (here | there) & set(names):
                found.append((node.lineno, node.end_lineno or 0, names))
    return found


def assigned(node: ast.stmt) -> tuple[str, ...]:
    """Return the names that a statement assigns; none where it does anything else."""
    if not isinstance(node, ast.Assign) or len(node.targets) > 1:
        return ()
    return tuple(n.id for n in ast.walk(node.targets[0]) if isinstance(n, ast.Name))


@functools.cache
def parsed(path: Path) -> tuple[str, ast.Module]:
    """Return a file's text and its tree."""
    text = path.read_text(encoding="utf-8")
    return text, ast.parse(text)


def read_at_import(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement reads when its module is imported: not those in the bodies of functions."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    inner = [*node.decorator_list, node.args] if isinstance(node, ast.FunctionDef) else ast.iter_child_nodes(node)
    for child in () if isinstance(node, ast.Lambda) else inner:
        yield from read_at_import(child)


def within(functions: list[tuple[int, int, str]], line: int) -> str:
    """Return which function's body a line is in; "" where in none."""
    return next((name for first, last, name in functions if first <= line <= last), "")


def difference(old: list[str], new: list[str]) -> tuple[int, str, str]:
    """Return the first line that differs, counted from 1, and what stands there and is planted, on one line each."""
    first = next(i for i, (a, b) in enumerate(zip(old, new)) if a != b)
    most = min(len(old), len(new)) - first
    last = next((i for i, (a, b) in enumerate(zip(reversed(old), reversed(new))) if i == most or a != b), most)
    there, planted = (" ".join("".join(lines[first : len(lines) - last]).split()) for lines in (old, new))
    return first + 1, there, planted
