"""The command that keeps a loss right once it is: budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.numbers.formats import Format

keeping = click.Group()  # the command line takes its commands over


@keeping.command()
@click.argument("target_name", metavar="TARGET")
@click.option("--problem", "-p", required=True, help="The problem it computes, such as bce_logits.")
@click.option(
    "--format", "-f", "formats", multiple=True, required=True, type=options.FormatName(), help="Repeat for several."
)
@click.option(
    "--target", "-t", "targets", multiple=True, help="A target in [0, 1]; repeat. [default: those of the tables]"
)
@options.grid("standard", "exhaustive, standard or quick.")
@click.option("--out", default="budgets.yaml", show_default=True, type=options.PATH, help="Budgets already there stay.")
def budget(
    target_name: str, problem: str, formats: tuple[Format, ...], targets: tuple[str, ...], grid: str, out: Path
) -> None:
    """Measure a loss and write the largest errors as budgets that a test suite keeps.

    TARGET is a kernel's name, path/to/file.py:function, or module:function, as for `harness check`.

    \b
    Examples:
      harness budget my_loss.py:loss --problem bce_logits --format float16 --format float32
      harness budget torch.nn.functional:softplus -p softplus -f float32 --out tests/budgets.yaml
    """
    from harness.testing import budgets

    found = [b for fmt in formats for b in budgets.measured(target_name, problem, fmt.name, targets, grid)]
    budgets.write(out, found)
    click.echo(f"{out}: {len(found)} budgets of {target_name}")
