"""The command that rewrites a loss so that it errs less: fix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.numbers.formats import Format

fixing = click.Group()  # the command line takes its commands over


@fixing.command()
@click.argument("target_name", metavar="TARGET")
@click.option("--problem", "-p", help="The problem it computes, such as bce_logits.")
@options.weights
@options.exact
@click.option(
    "--format", "-f", "fmt", default="float32", show_default=True, type=options.FormatName(), help="The working format."
)
@click.option(
    "--target", "-t", "targets", multiple=True, help="A target in [0, 1]; repeat. [default: those of the tables]"
)
@click.option("--reduction", type=click.Choice(["mean", "sum"]), help="It returns the mean, or sum, of all losses.")
@click.option("--max-ulp", default=4.0, show_default=True, type=float, help="The error budget, in ulps.")
@click.option("--timeout", default=60.0, show_default=True, type=float, help="Seconds that all its calls may take.")
def fix(
    target_name: str, problem: str | None, weights: str | None, exact: str | None, fmt: Format, targets: tuple[str, ...],
    reduction: str | None, max_ulp: float, timeout: float,
) -> None:  # fmt: skip
    """Rewrite a NumPy loss so that it errs less, and print the code with its errors and cost.

    TARGET is path/to/file.py:function or module:function.  Its formula is recorded and rewritten by identities; of what
    they make, ranked by every float16 input, the best is printed.  See docs/fix.md.  Exit status: 0 with code within
    the budget over the usual range, 1 where there is none, 2 for input that cannot be used.

    \b
    Examples:
      harness fix my_loss.py:loss --problem bce_logits
      harness fix my_loss.py:focal -p focal_bce_logits -f float16 --target 0 --target 1
    """
    from harness.checking.rewriting.fixing import fix as fixed

    found = fixed(
        target_name, problem, fmt, targets=targets, weights=weights, exact=exact, reduction=reduction, max_ulp=max_ulp,
        timeout=timeout,
    )  # fmt: skip
    click.echo(found.text())
    sys.exit(0 if found.cured else 1)
