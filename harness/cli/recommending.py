"""The command that names the form to use: recommend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.numbers.formats import Format

recommending = click.Group()  # the command line takes its commands over
LIBRARIES = ("numpy", "torch", "jax")


@recommending.command()
@click.option("--problem", "-p", required=True, help="The problem to compute, such as bce_logits.")
@options.format_
@click.option("--range", "range_", metavar="LO,HI", help="Only inputs from LO to HI; --range=-20,20. [default: all]")
@click.option("--targets", type=click.Choice(["hard", "soft"]), help="0 and 1, or any in [0, 1]. [default: hard]")
@options.weights
@click.option("--library", type=click.Choice(LIBRARIES), help="Print the code for this library alone. [default: all]")
@click.option("--results", default="results", show_default=True, type=options.PATH, help="The results folder.")
@click.option("--json", "as_json", is_flag=True, help="Print all forms as JSON instead.")
def recommend(
    problem: str, fmt: Format, range_: str | None, targets: str | None, weights: str | None, library: str | None,
    results: Path, as_json: bool,
) -> None:  # fmt: skip
    """Rank the known forms of a problem by error and cost, and print code of the first.

    Errors are the strongest that the tables know; where they do not speak of a range it is measured: every input in
    float16 and bfloat16, a sample and a search else.  Forms that give NaN, infinity, 0 or a wrong sign inside the range
    are excluded.

    \b
    Examples:
      harness recommend -p bce_logits -f float32
      harness recommend -p bce_logits -f bfloat16 --range=-20,20 --targets soft
      harness recommend -p bce_logits -f float32 --weights pos=3 --library torch
      harness recommend -p softplus -f float16 --json
    """
    from harness.recommend import told

    found = told.recommendation(problem, fmt, range_, targets, weights, results / "tables")
    libraries = (library,) if library else LIBRARIES
    click.echo(told.to_json(found, libraries) if as_json else told.text(found, libraries))
