"""The commands that read tables for people who write papers: rows, figure, cite, diff."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness import UsageError, choices
from harness.cli import options

reading = click.Group()  # the command line takes its commands over
RESULTS = click.option("--results", default="results", show_default=True, type=options.PATH, help="The results folder.")


@reading.command()
@click.argument("table")
@click.option("--where", "condition", help="Which rows, such as 'format == float32 and target == 0'.")
@click.option("--columns", help="Which columns, separated by commas. [default: those that the Markdown table shows]")
@click.option("--latex", "form", flag_value="latex", help="A booktabs table with siunitx columns.")
@click.option("--markdown", "form", flag_value="markdown", default=True, help="The default.")
@click.option("--csv", "form", flag_value="csv", help="Every digit.")
@click.option("--html", "form", flag_value="html", help="A table to place in a page.")
@click.option(
    "--width", type=options.KnownName(["column", "page"]), default="page", show_default=True,
    help="What a LaTeX table must fit: 8.5 cm or 17.8 cm.",
)  # fmt: skip
@RESULTS
def rows(table: str, condition: str | None, columns: str | None, form: str, width: str, results: Path) -> None:
    """Print rows of a table as LaTeX, Markdown, CSV or HTML.

    TABLE is a table's name or the path of its CSV.  In a condition a name that is no column stands for itself; one with
    signs in it needs quotes.

    \b
    Examples:
      harness rows logits --where 'format == float32 and target == 0' --latex --width column
      harness rows exhaustive_logits --where 'max_ulp > 4' --columns kernel,target,max_ulp,max_ulp_input,safe
    """
    from harness.tables import extract

    path = Path(table) if table.endswith(".csv") else results / "tables" / f"{table}.csv"
    if not path.is_file():
        there = sorted(p.stem for p in (results / "tables").glob("*.csv"))
        raise UsageError(f"there is no table {path}; those there are: {choices(path.stem, there)}")
    names = [name.strip() for name in columns.split(",")] if columns else None
    click.echo(extract.extract(path, condition, names, form, width), nl=False)


@reading.command()
@click.argument("name")
@click.option("--kernel", multiple=True, help="Only this kernel, or this system; repeat for several.")
@click.option("--format", "format_", multiple=True, help="Only this format; repeat for several.")
@click.option("--problem", multiple=True, help="Only this problem, in a figure of several.")
@click.option("--target", help="The target, where NAME is without its ending, such as _y0.")
@click.option(
    "--width", type=options.KnownName(["column", "page", "screen"]), default="page", show_default=True,
    help="8.5 cm or 17.8 cm with text of 7 to 8 points; screen: as in results/figures.",
)  # fmt: skip
@click.option("--out", required=True, type=options.PATH, help="The file, .pdf, .svg or .png.")
@RESULTS
def figure(
    name: str, kernel: tuple[str, ...], format_: tuple[str, ...], problem: tuple[str, ...], target: str | None, width: str,
    out: Path, results: Path,
) -> None:  # fmt: skip
    """Draw one figure for a paper, with the panels and kernels asked for.

    NAME is a file's in results/figures without its ending.  PDF and SVG keep text as text and name in their metadata the
    version that drew them and the figure's identifier.  Figures of errors along the input are drawn from the summaries
    that `make` leaves, all others from the committed tables.

    \b
    Examples:
      harness figure bce_logits_plateaus --format float16 --format float32 --width column --out plateaus.pdf
      harness figure bce_logits_errors --target 0 --format float32 --kernel lse_log1p --kernel logaddexp --out errors.pdf
    """
    from harness.cli import figure as drawing

    chosen = drawing.Chosen(kernel, format_, problem, target)
    click.echo(drawing.figure_job(name, chosen, width, results, out))


@reading.command()
@click.argument("identifier", metavar="ID")
@RESULTS
def cite(identifier: str, results: Path) -> None:
    """Print what is needed to cite a row: its cells, provenance, BibTeX, and the command that measures it again.

    ID is what the tables' column `id` has, or its first digits.

    \b
    Example:
      harness cite 1f3a9c02de
    """
    from harness.tables import citation

    click.echo(citation.text(citation.found(results, identifier)))


@reading.command()
@click.argument("before", type=options.PATH)
@click.argument("after", type=options.PATH)
@click.option(
    "--spread", default=2.0, show_default=True, type=click.FloatRange(0),
    help="By how many ulp errors may differ where they were measured with other functions.",
)  # fmt: skip
def diff(before: Path, after: Path, spread: float) -> None:
    """Compare two result sets row by row; exit status 1 if a row changed beyond the spread.

    \b
    Example:
      harness diff results other/results
    """
    from harness.tables import difference

    found = difference.difference(before, after, spread)
    click.echo("\n".join(found.lines))
    if not found.same:
        click.echo("\n" + found.changed.to_markdown(index=False, disable_numparse=True))
    sys.exit(0 if found.same else 1)
