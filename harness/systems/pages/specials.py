"""The systems' table of special values as people read it: infinities, NaN, zeros, the ends of domains, an empty batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from harness.sweep.streaming import BUDGET
from harness.systems.measure.alone import EMPTY, SPECIAL_COLUMNS
from harness.tables import writer
from harness.tables.rows import Row
from harness.tables.special_points import OUTCOMES
from harness.tables.templates import render

TITLE = "Special values: what the losses of real libraries return"
TEMPLATE = Path(__file__).with_name("specials.md.j2")
EXPECTED = ("ok", "outside")
ALL = (*OUTCOMES, "refused", "unavailable")
# The points of the headlines: problem, and inputs with targets.
HEADLINES = {
    "bce_logits": (("+inf", "1"), ("-inf", "0"), ("+inf", "0"), ("-inf", "1"), ("NaN", "1"), (EMPTY, "1")),
    "bce": (("1", "1"), ("+0", "0"), ("+0", "1"), ("1", "0"), ("NaN", "1"), (EMPTY, "1")),
}


def write(path: Path, rows: Sequence[Row], made_with: dict) -> None:
    """Write the table, PATH.csv, .md, .tex and .json, with what it was measured with."""
    read = unexpected(rows)
    page = render(
        TEMPLATE, title=TITLE, budget=f"{BUDGET:g}", counted=writer.bare_markdown(counted(rows)),
        headlines=[writer.bare_markdown(headline(rows, problem)) for problem in HEADLINES],
        unexpected=writer.bare_markdown(read),
    )  # fmt: skip
    writer.write(path, rows, SPECIAL_COLUMNS, read, TITLE, markdown=page, measured_with=made_with)


def headline(rows: Sequence[Row], problem: str, fmt: str = "float32") -> pd.DataFrame:
    """Return what each call returns at the chief points of a problem: a line for each call, or for modes that differ."""
    points = HEADLINES[problem]
    mine = [r for r in rows if r["problem"] == problem and r["format"] == fmt and not r["label_smoothing"]]
    expected = {(str(r["input"]), str(r["target"])): str(r["expected"]) for r in mine}
    cells: dict[tuple, dict[tuple, str]] = {}
    for r in mine:
        cells.setdefault((r["library"], r["system"], r["mode"]), {})[str(r["input"]), str(r["target"])] = _cell(r)
    lines: dict[tuple, list[str]] = {}
    for (library, system, mode), there in cells.items():
        lines.setdefault((library, system, *(there.get(p, "") for p in points)), []).append(str(mode))
    modes = Counter(key[:2] for key in lines)
    name = "p" if problem == "bce" else "x"
    heads = [_heading(name, p, expected.get(p, "")) for p in points]
    return pd.DataFrame(
        [[key[0], f"`{key[1]}`" + (f" ({', '.join(m)})" if modes[key[:2]] > 1 else ""), *key[2:]] for key, m in lines.items()],
        columns=["library", "call", *heads],
    )  # fmt: skip


def _heading(name: str, point: tuple[str, str], expected: str) -> str:
    x, y = point
    if x == EMPTY:
        return x
    return f"{name} = {x.replace('inf', '∞').replace('-', '−')}, y = {y}: {_number(expected)}"


def _cell(row: Row) -> str:
    """Write what came of one point: the number, bold where it is not as expected."""
    if row["computed"] == "":
        return str(row["outcome"])
    text = _number(str(row["computed"]))
    return text if row["outcome"] in EXPECTED else f"**{text}**"


def _number(text: str) -> str:
    if text == "":
        return ""
    value = float.fromhex(text) if "0x" in text else float(text)
    written = f"{value:.6g}".replace("inf", "∞").replace("nan", "NaN")
    return ("0" if value == 0 else written).replace("-", "−")


def counted(rows: Sequence[Row]) -> pd.DataFrame:
    """Return how often each outcome occurs, library by library."""
    tally = Counter((r["library"], r["outcome"]) for r in rows)
    return pd.DataFrame(
        [[name, *(str(tally[name, o]) for o in ALL)] for name in dict.fromkeys(r["library"] for r in rows)],
        columns=["library", *ALL],
    )


def unexpected(rows: Sequence[Row]) -> pd.DataFrame:
    """Return what is not as expected: one line for each outcome of a call, with its inputs; modes alike together."""
    groups: dict[tuple, list[Row]] = {}
    asked: dict[tuple, set[str]] = {}
    for r in rows:
        call = (r["library"], r["system"], r["problem"], r["mode"], r["label_smoothing"])
        asked.setdefault(call, set()).add(str(r["format"]))
        if r["outcome"] not in EXPECTED:
            groups.setdefault((*call, r["outcome"]), []).append(r)
    alike: dict[tuple, list[str]] = {}
    for (library, system, problem, mode, smoothing, outcome), found in groups.items():
        where = _where(found, asked[library, system, problem, mode, smoothing])
        alike.setdefault((library, system, problem, outcome, where), []).append(str(mode))
    lines = [(f"{k[0]}: {k[1]}", k[2], ", ".join(dict.fromkeys(modes)), *k[3:]) for k, modes in alike.items()]
    return pd.DataFrame(lines, columns=["call", "problem", "mode", "outcome", "where"])


def _where(rows: Iterable[Row], formats: set[str]) -> str:
    """Write inputs and targets, those of the same formats together; formats are named where they are not all."""
    found: dict[tuple[str, str], list[str]] = {}
    for r in rows:
        target = str(r["target"])
        soft = target not in ("", "0", "1")  # the format's number nearest to 0.1, or what smoothing makes
        found.setdefault((str(r["input"]), "soft" if soft else target), []).append(str(r["format"]))
    alike: dict[tuple[str, str], list[str]] = {}
    for (x, y), there in found.items():
        only = "" if set(there) == formats else f" in {', '.join(dict.fromkeys(there))}"
        alike.setdefault((x, only), []).append(y)
    return "; ".join(f"{x}" + (f", y = {'/'.join(ys)}" if any(ys) else "") + only for (x, only), ys in alike.items())
