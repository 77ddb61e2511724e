"""Compile every committed LaTeX table as supplied, in a class of one column and in one of two: `python benchmarks/latex.py`.

Prints for each class the pages, and every box that is overfull; the exit status is 1 where there is one or where TeX
stops.  Needs pdflatex with booktabs, graphicx and siunitx 3 (Debian: texlive-latex-recommended, texlive-science).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CLASSES = {"one column": r"\documentclass{article}", "two columns": r"\documentclass[twocolumn]{article}"}
PREAMBLE = r"\usepackage[T1]{fontenc}\usepackage{array,booktabs,graphicx,siunitx,textcomp}\extrafloats{100}"


def compiled(tables: Sequence[Path], document_class: str) -> tuple[int, list[str]]:
    """Compile tables in one document; return its pages, and TeX's errors and overfull boxes with their tables."""
    inputs = "".join(f"\\typeout{{TABLE {t.stem}}}\\input{{{t.resolve()}}}\\clearpage\n" for t in tables)
    text = f"{document_class}{PREAMBLE}\\begin{{document}}\n{inputs}\\end{{document}}\n"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "all.tex"
        source.write_text(text, encoding="utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-draftmode", source.name]
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
        log = source.with_suffix(".log").read_text(encoding="latin-1")
    found, table = [], ""
    for line in log.splitlines():
        table = line.split()[-1] if line.startswith("TABLE ") else table
        if line.startswith(("Overfull", "! ")):
            found.append(f"{table}: {line}")
    pages = re.search(r"Output written on .*?\((\d+) page|No pages of output", log)
    ended = re.findall(r"\[(\d+)", log)
    return (int(ended[-1]) if ended else 0), found if pages or ended else [*found, "TeX made no page"]


def main() -> int:
    """Compile all tables in both classes; return the exit status."""
    if not shutil.which("pdflatex"):
        sys.exit("pdflatex is not installed (Debian: texlive-latex-recommended texlive-science)")
    tables, status = sorted(Path("results/tables").glob("*.tex")), 0
    for name, document_class in CLASSES.items():
        pages, found = compiled(tables, document_class)
        print(f"{name}: {len(tables)} tables, {pages} pages, {len(found)} errors and overfull boxes")
        print("".join(f"  {line}\n" for line in found), end="")
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main())
