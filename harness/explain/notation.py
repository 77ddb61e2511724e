"""How explanations write operations: as people do, with the computed numbers in them, 1 / (1 + exp(-16.6355))."""

from __future__ import annotations

from harness.explain.shadow import Shadow, taken

COMPARISONS = {
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip
OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", **COMPARISONS}
SHORT = {"absolute": "abs", "maximum": "max", "minimum": "min"}
TRANSPARENT = ("where", "astype", "positive")
READABLE = 40  # characters of an operation in a sentence


def expression(node: Shadow) -> str:
    """Write an operation, its operands as formulas if they are short and as numbers if not."""
    written = (_parts(node, depth, top=True)[0] for depth in range(6, 1, -1))
    return next((text for text in written if len(text) <= READABLE), None) or _parts(node, 1, top=True)[0]


def _parts(node: Shadow, depth: int, top: bool = False) -> tuple[str, int]:
    """Return the text and how tightly it binds: a comparison 0, a sum 1, a product 2, the rest 3."""
    while node.name in TRANSPARENT:
        node = taken(node)
    if node.height == 0 or (node.height > depth and not top):
        text = number(node.number)
        return text, 1 if text.startswith("-") else 3
    parts = [_parts(o, depth - 1) for o in node.operands]
    if node.name == "negative":
        return "-" + _within(parts[0], 2), 1
    if node.name not in OPERATORS:
        return f"{SHORT.get(node.name, node.name)}({', '.join(text for text, _ in parts)})", 3
    binds = {"multiply": 2, "divide": 2}.get(node.name, 0 if node.name in COMPARISONS else 1)
    left, right = _within(parts[0], binds), _within(parts[1], binds + 1)
    if left == right and node.name in COMPARISONS:
        left, right = (repr(o.number) for o in node.operands)
    return f"{left} {OPERATORS[node.name]} {right}", binds


def _within(part: tuple[str, int], least: int) -> str:
    text, binds = part
    return text if binds >= least else f"({text})"


def number(v: float) -> str:
    """Write a number with 6 digits, or with as many as tell it from 0 and 1."""
    for digits in (6, 9, 12):
        text = f"{v:.{digits}g}"
        if float(text) == v or abs(float(text)) not in (0.0, 1.0):
            return text
    return repr(v)
