"""The documentation's site, `make docs`: the pages of this folder as they are, and a reference made from the code.

Two directives write what would otherwise be typed twice: `columns` the columns of the tables, from the modules that
write them, and `schema` the keys of an experiment's file, from the schema that refuses others.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DOCS = Path(__file__).parent
ROOT = DOCS.parent
REPORT = ROOT / "results" / "report"
sys.path[:0] = [str(ROOT), str(DOCS)]

import reference  # noqa: E402  (beside this file)

import harness  # noqa: E402  (of this folder, not of wherever else it is installed)

project = "xent-harness"
author = "The harness authors"
copyright = f"2026, {author}"
version = release = harness.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx_click", "sphinxcontrib.mermaid"]
exclude_patterns = ["_build", "captions", "examples"]
html_theme = "furo"
html_title = "How wrong is your cross-entropy loss?"
html_show_sphinx = False
html_copy_source = False
smartquotes_action = "qe"  # quotes and ellipses; -- stays what is typed
myst_enable_extensions = ["colon_fence", "dollarmath", "linkify"]
myst_linkify_fuzzy_links = False  # addresses only: losses.py is a file
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "description"
default_role = "code"  # docstrings quote code in single backticks

# The page of `make report` is carried where it was made; without it the site says how to make it.
if (REPORT / "index.html").exists():
    tags.add("report")  # noqa: F821  (Sphinx puts `tags` into this file)


class Columns(SphinxDirective):
    """Print the columns of the tables that a name of docs/reference.py stands for."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the Markdown table as nodes."""
        return self.parse_text_to_nodes(reference.columns(self.arguments[0]))


class Schema(SphinxDirective):
    """Print the keys of an experiment's file, from a schema in experiments/."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the Markdown table as nodes."""
        self.env.note_dependency(str(ROOT / "experiments" / self.arguments[0]))
        return self.parse_text_to_nodes(reference.keys(ROOT / "experiments" / self.arguments[0]))


def lead_outside(app: Sphinx, doctree: nodes.document) -> None:
    """Make links that lead out of this folder work: a file is carried to download, a folder is named only."""
    source = Path(app.env.doc2path(app.env.docname)).parent
    for link in list(doctree.findall(addnodes.pending_xref)):
        target = link["reftarget"] if link.get("refdomain") != "doc" else f"/{link['reftarget']}.md"
        found = [
            p for p in (source / target, DOCS / target.lstrip("/")) if p.exists() and DOCS not in p.resolve().parents
        ]
        if found and found[0].is_dir():
            link.replace_self(link.children)
        elif found:
            at = os.path.relpath(found[0].resolve(), source)
            link.replace_self(addnodes.download_reference("", "", *link.children, reftarget=at, refdoc=app.env.docname))


def carry_report(app: Sphinx, exception: Exception | None) -> None:
    """Copy the page of `make report` into the site."""
    if exception is None and (REPORT / "index.html").exists():
        shutil.copytree(REPORT, Path(app.outdir) / "report", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives, and what is carried."""
    app.add_directive("columns", Columns)
    app.add_directive("schema", Schema)
    app.connect("doctree-read", lead_outside, priority=400)  # before Sphinx collects what is to be downloaded
    app.connect("build-finished", carry_report)
    return {"parallel_read_safe": True}
