"""An author's article: tables and figures as the commands give them, set by TeX in two columns without an overfull box."""

import runpy
import shutil

import pytest

ARTICLE = runpy.run_path("benchmarks/article.py")

pytestmark = pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed, and sets the article")


def test_three_tables_and_two_figures_fit(tmp_path):
    pages, wrong = ARTICLE["article"](tmp_path)
    assert wrong == [] and pages >= 1
    log = (tmp_path / "article.log").read_text(encoding="latin-1")
    assert all(f"{name}.pdf" in log for name, *_ in ARTICLE["FIGURES"])
    source = (tmp_path / "article.tex").read_text(encoding="utf-8")
    assert source.count(r"\begin{tabular}") == len(ARTICLE["TABLES"]) and source.count("xent-harness") >= 3


@pytest.mark.parametrize("planted", [r"\noindent\rule{9cm}{1pt}", r"\undefinedcommand"])
def test_what_does_not_fit_is_noticed(tmp_path, planted):
    """Negative control."""
    text = ARTICLE["PREAMBLE"] + planted + "\n\\end{document}\n"
    (tmp_path / "article.tex").write_text(text, encoding="utf-8")
    assert len(ARTICLE["compiled"](tmp_path)[1]) == 1
