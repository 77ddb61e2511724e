"""docs/findings.md: the findings as a page."""

from __future__ import annotations

from harness.systems.pages.effects import Answer
from harness.systems.pages.findings import MOST, Finding, family, findings, headline, mixed
from harness.systems.pages.wording import given, input_name, number, version
from harness.tables.rows import Row

INTRODUCTION = """# What real libraries do that their users do not expect

Generated from what the libraries returned in this run; do not edit.

The {most} likeliest surprises among {answers} combinations of call, mode, format and target, each found by a rule
over round inputs (logits −112 to 112, in halves up to ±20; probabilities 10⁻¹⁶ to 1 − 10⁻¹⁶). A call that a
newer version mends leaves the page.

**Rank.** Likelihood = call × format × input, each 1 to 3.

| points | call | format | input |
| --- | --- | --- | --- |
| 3 | shown in the library's introductions to binary classification, run as it runs by default | the library's default | logit of at most 10 in size |
| 2 | public, or run otherwise | mixed precision, or float32 where float64 is the default | logit of at most 20, or a probability of 0 or 1 |
| 1 | private, or of a backend that does not train | others | others |

Of equal likelihood, the graver comes first: NaN or infinity, then a dead gradient, a gradient that is off, a wrong
prediction's loss that is off, then loss or gradient of a right prediction, then lost precision; then the smaller logit. Of each call, one
finding on wrong predictions and one on right ones are listed. The truth is certified to the digits shown.
"""


def page(answers: list[Answer]) -> str:
    """Return the page in Markdown."""
    found = findings(answers)
    head = INTRODUCTION.format(most=min(MOST, len(found)), answers=len(answers))
    return head + "".join(_section(i, f, answers) for i, f in enumerate(found, 1))


def _section(i: int, f: Finding, answers: list[Answer]) -> str:
    e, row = f.effect, f.effect.answer.row
    lines = [
        f"\n## {i}. {title(row)}: {headline(e)}\n",
        f"| {input_name(row)} | target y | what comes | value | exact value | likelihood |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| {given(row, e.x)} | {row['target']} | {_what(row)} | **{number(e.value)}** | {number(e.truth)} | {' × '.join(map(str, f.weights))} = {f.likelihood} |",
    ]
    other = _counterpart(f, answers)
    if other:
        lines.append(
            f"| {given(row, e.x)} | {row['target']} | {_what(other.row)} | {number(other.at(e.x))} | {number(other.truth(e.x))} | |"
        )
    lines += [
        "",
        f"{version(row)}, {str(row['mode']).replace('_', ' ')}, {row['format']}.{_elsewhere(f)}",
        "",
        "```sh",
        f.line,
        "```",
        "",
    ]
    return "\n".join(lines)


def title(row: Row) -> str:
    """Return how a heading names a system."""
    where = f" on {str(row['library']).removeprefix('keras-')}" if family(str(row["library"])) == "keras" else ""
    how = f", mixed precision ({row['format']})" if mixed(row) else f", {row['format']}"
    return f"`{row['system']}`{where}{how}"


def _what(row: Row) -> str:
    return "gradient" if str(row["problem"]).endswith("_grad") else "loss"


def _counterpart(f: Finding, answers: list[Answer]) -> Answer | None:
    """Return the loss that belongs to a gradient, or the other way round, of the same call at the same input."""
    row = f.effect.answer.row
    problem = str(row["problem"])
    wanted = {**{c: row[c] for c in ("library", "system", "mode", "format", "target")},
              "problem": problem.removesuffix("_grad") if problem.endswith("_grad") else problem + "_grad"}  # fmt: skip
    return next((a for a in answers if all(a.row[c] == v for c, v in wanted.items())), None)


def _elsewhere(f: Finding) -> str:
    names = [", ".join(v.replace("_", " ") for v in group) for group in (f.also, f.not_in)]
    return (f" Also wrong there: {names[0]}." if names[0] else "") + (f" Right there: {names[1]}." if names[1] else "")
