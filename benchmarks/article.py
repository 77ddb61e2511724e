"""Set a two-column article of three tables and two figures, as an author would: `python benchmarks/article.py FOLDER`.

Tables come from `harness rows --latex`, what stands below them with them, figures from `harness figure`, all from the
committed tables.  Writes FOLDER/article.pdf and prints its pages, and every box that is overfull; exit status 1 where there
is one.  Needs pdflatex with booktabs, graphicx and siunitx 3; where pdftoppm is, each page becomes a picture, too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness.cli import figure
from harness.tables import extract

RESULTS = Path("results")
# Table, rows, columns, width.
TABLES = (
    ("logits", "format == float32 and target == 0 and kernel in ['sigmoid_naive', 'sigmoid_clip_1e-7', lse_log1p, softplus_pair]",
     ("kernel", "max_ulp", "max_ulp_input", "safe"), "column"),
    ("exhaustive_logits", "target in ['0', '1'] and kernel in [lse_log1p, logaddexp, logaddexp_pair, maechler]",
     ("kernel", "target", "max_ulp", "max_ulp_input", "mean_ulp"), "column"),
    ("gradients", "problem == bce_logits_grad and target == 1 and kernel in [sigmoid_minus_target, weighted_sigmoids]",
     ("kernel", "format", "max_ulp", "max_ulp_input", "correctly_rounded", "safe"), "page"),
)  # fmt: skip
FIGURES = (
    ("bce_logits_plateaus", figure.Chosen(format=["float32"]), "column", "Loss and gradient as computed, in float32."),
    ("bce_worst", figure.Chosen(), "page", "Largest errors from probabilities, in every format."),
)
PREAMBLE = r"""\documentclass[twocolumn]{article}
\usepackage[T1]{fontenc}\usepackage[a4paper,textwidth=178mm,columnsep=8mm,textheight=245mm]{geometry}
\usepackage{array,booktabs,graphicx,siunitx,textcomp}
\begin{document}
\title{Three tables and two figures}\author{}\date{}\maketitle
"""
TEXT = "What is set here was chosen by a command each, and nothing of it was edited. "


def article(folder: Path) -> tuple[int, list[str]]:
    """Write and compile the article; return its pages, and TeX's errors and overfull boxes."""
    parts = [PREAMBLE, TEXT * 12]
    for table, condition, columns, width in TABLES:
        set_ = extract.extract(RESULTS / "tables" / f"{table}.csv", condition, columns, "latex", width)
        below = re.findall(r"^% Below the table: (.*)$", set_, re.MULTILINE)[0]
        parts.append(set_.replace(r"\end{table", rf"\par\smallskip\footnotesize {below}" + "\n" + r"\end{table", 1))
        parts.append("\n\n" + TEXT * 16)
    for name, chosen, width, caption in FIGURES:
        star = "*" if width == "page" else ""
        figure.figure_job(name, chosen, width, RESULTS, folder / f"{name}.pdf")
        parts.append(
            rf"\begin{{figure{star}}}\centering\includegraphics{{{name}.pdf}}\caption{{{caption}}}\end{{figure{star}}}"
            + "\n"
        )
        parts.append("\n\n" + TEXT * 16)
    (folder / "article.tex").write_text("".join(parts) + "\n\\end{document}\n", encoding="utf-8")
    return compiled(folder)


def compiled(folder: Path) -> tuple[int, list[str]]:
    """Run TeX on article.tex; return the pages, and errors and boxes that are overfull by a point or more."""
    command = ["pdflatex", "-interaction=nonstopmode", "article.tex"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / "article.log").read_text(encoding="latin-1")
    wrong = re.findall(r"^(?:! .*|Overfull \\[hv]box .*)$", log, re.MULTILINE)
    pages = re.search(r"Output written on .*\((\d+) page", log)
    return int(pages[1]) if pages else 0, wrong


def main() -> int:
    """Make the article in the folder that is given; return the exit status."""
    if not shutil.which("pdflatex"):
        sys.exit("pdflatex is not installed (Debian: texlive-latex-recommended texlive-science)")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/article")
    folder.mkdir(parents=True, exist_ok=True)
    pages, wrong = article(folder)
    print(f"{folder}/article.pdf: {pages} pages, {len(wrong)} errors and overfull boxes")
    print("".join(f"  {line}\n" for line in wrong), end="")
    if shutil.which("pdftoppm"):
        subprocess.run(["pdftoppm", "-r", "110", "-png", "article.pdf", "page"], cwd=folder, check=True)
    return bool(wrong) or not pages


if __name__ == "__main__":
    sys.exit(main())
