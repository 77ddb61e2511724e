"""Tables that people read and cite: CSV with every digit, Markdown and LaTeX to read, JSON beside."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import pandas as pd

from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.tables.rows import COLUMNS, Row
from harness.workflow import files as store
from harness.workflow.provenance import provenance

# What the reading tables show, with their headings.
READING = {
    "kernel": "kernel",
    "format": "format",
    "target": "target",
    "max": "max error (ulp)",
    "at": "at input",
    "mean": "mean (ulp)",
    "correct": "correctly rounded",
    "spurious": "spurious",
    "safe": "safe range",
}
NOTE = (
    "≥ marks a maximum over a sample: a lower bound. Spurious outcomes are counts of inputs. "
    "The safe range is where the error stays within 4 ulp with no spurious outcome."
)
LATEX = {
    "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "^": r"\^{}",
    "≥": r"$\ge$", "≤": r"$\le$", "<": "$<$", ">": "$>$", "−": "$-$", "±": r"$\pm$", "×": r"$\times$",
    "·": r"$\cdot$", "σ": r"$\sigma$", "γ": r"$\gamma$", "∞": r"$\infty$", "√": r"$\surd$", "→": r"$\to$",
    "⌈": r"$\lceil$", "⌉": r"$\rceil$", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "₂": "$_2$", "…": r"\dots{}",
}  # fmt: skip
SPURIOUS = {"spurious_nan": "NaN", "spurious_inf": "inf", "spurious_zero": "zero", "wrong_sign": "sign"}


def write(
    path: Path, rows: Sequence[Row], title: str, columns: Sequence[str] = COLUMNS, extra: dict | None = None
) -> None:
    """Write PATH.csv, .md, .tex and .json; the JSON holds provenance and the others' checksums."""
    store.write_text(path.with_suffix(".csv"), to_csv(rows, columns))
    reading = readable(rows)
    store.write_text(path.with_suffix(".md"), to_markdown(reading, title))
    store.write_text(path.with_suffix(".tex"), to_latex(reading, title, path.stem))
    write_sidecar(path, len(rows), extra or {})


def write_frame(
    path: Path,
    rows: Sequence[Row],
    columns: Sequence[str],
    shown: pd.DataFrame,
    title: str,
    extra: dict | None = None,
) -> None:
    """Write a table of other columns than the contract's as PATH.csv, .md, .tex and .json.

    `shown` is what Markdown and LaTeX show of it; `extra` goes into the JSON.
    """
    store.write_text(path.with_suffix(".csv"), to_csv(rows, columns))
    store.write_text(path.with_suffix(".md"), f"# {title}\n\n{bare_markdown(shown)}")
    store.write_text(path.with_suffix(".tex"), to_latex(shown, title, path.stem, _wrapped(shown)))
    write_sidecar(path, len(rows), extra or {})


def _wrapped(frame: pd.DataFrame) -> str:
    """Return LaTeX's column format: text of more than 30 characters wraps, the page's width shared among such columns."""
    long = [frame[c].astype(str).str.len().max() > 30 for c in frame.columns]
    return "".join(f"p{{{0.75 / sum(long):.2f}\\linewidth}}" if wraps else "l" for wraps in long)


def write_sidecar(path: Path, rows: int, extra: dict) -> None:
    """Write PATH.json: row count, provenance, and the checksums of the table's files."""
    files = [path.with_suffix(s) for s in (".csv", ".md", ".tex")]
    checksums = {f.name: store.sha256(f) for f in files}
    store.write_json(
        path.with_suffix(".json"),
        {"table": path.stem, "rows": rows, "sha256": checksums, **extra, "provenance": provenance()},
    )


def to_csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Write rows as CSV with the given columns, booleans as true and false."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: str(v).lower() if isinstance(v, bool) else v for k, v in row.items()})
    return buffer.getvalue()


def readable(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a reader wants them: three digits, at-least signs, inputs in decimal."""
    several = len({r["problem"] for r in rows}) > 1
    shown = [
        {
            **({"problem": r["problem"]} if several else {}),
            "kernel": r["kernel"],
            "format": r["format"],
            "target": r["target"],
            "max": ("" if r["exhaustive"] in (True, "true") else "≥ ") + short(r["max_ulp"])
            if r["max_ulp"] != ""
            else "",
            "at": decimal_input(str(r["max_ulp_input"])),
            "mean": short(r["mean_ulp"]),
            "correct": percent(r["correctly_rounded"]),
            "spurious": ", ".join(
                f"{label} {r[name]}" for name, label in SPURIOUS.items() if r[name] not in ("", 0, "0")
            ),
            "safe": safe(r),
        }
        for r in rows
    ]
    frame = pd.DataFrame(shown).rename(columns=READING)
    return frame.drop(columns="target") if not any(r["target"] for r in rows) else frame


def percent(fraction: object) -> str:
    """Write a fraction in percent with three digits."""
    return "" if fraction == "" else f"{100 * float(str(fraction)):.3g} %"


def safe(r: Row) -> str:
    """Write a safe range in short decimals; 'all' where it is the whole domain, 'none' where it is empty."""
    if r["safe_lo"] == "":
        return "none" if r["mean_ulp"] != "" else ""
    fmt, domain = FORMATS[str(r["format"])], PROBLEMS[str(r["problem"])].domain
    ends = [max(domain[0], -fmt.max), min(domain[1], fmt.max)]
    if [float.fromhex(str(r[c])) for c in ("safe_lo", "safe_hi")] == ends:
        return "all"
    return f"[{decimal_input(str(r['safe_lo']))}, {decimal_input(str(r['safe_hi']))}]"


def decimal_input(text: str) -> str:
    """Write a hex float with four significant digits, for reading only."""
    return "" if text == "" else f"{float.fromhex(text):.4g}"


def short(value: object) -> str:
    """Write a number with three significant digits, also beyond float64's range."""
    text = str(value)
    if text in ("", "inf", "nan"):
        return text
    mantissa, _, exponent = text.lower().partition("e")
    if exponent and abs(int(exponent)) > 300:
        return f"{float(mantissa):.3g}e{int(exponent):+d}"
    return f"{float(text):.3g}"


def to_markdown(frame: pd.DataFrame, title: str, note: str = NOTE) -> str:
    """Write a frame as a Markdown table under its title and a note."""
    return f"# {title}\n\n{note}\n\n{frame.to_markdown(index=False, disable_numparse=True)}\n"


def bare_markdown(frame: pd.DataFrame) -> str:
    """Write a frame of text as a Markdown table without padding: one long cell would widen every row."""
    lines = [frame.columns, ["---"] * len(frame.columns), *frame.itertuples(index=False)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(frame: pd.DataFrame, title: str, label: str, column_format: str = "") -> str:
    """Write a frame as a booktabs longtable, all columns left-aligned unless said otherwise."""
    escaped = frame.rename(columns=_latex).map(_latex)
    return escaped.style.hide(axis="index").to_latex(
        hrules=True, environment="longtable", caption=_latex(title), label=f"tab:{label}",
        column_format=column_format or "l" * len(frame.columns),
    )  # fmt: skip


def _latex(value: object) -> str:
    text = str(value).replace("\\", r"\textbackslash{}")
    for plain, escaped in LATEX.items():
        text = text.replace(plain, escaped)
    return text


def read(path: Path | TextIO) -> pd.DataFrame:
    """Read a table's CSV with every cell as text, as written."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)
