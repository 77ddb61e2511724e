"""The command line: list, check, reference, verify, and the workflow's stages after them.

Each command reads its arguments here and imports what does the work when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import Crash, UsageError, __version__, choices
from harness.cli import options
from harness.cli.fixing import fixing
from harness.cli.keeping import keeping
from harness.cli.recommending import recommending
from harness.cli.stages import stages
from harness.cli.tables import reading

if TYPE_CHECKING:
    from harness.numbers.formats import Format


WORKFLOW = ("jsonschema", "psutil", "pyarrow", "pygments", "snakemake", "yaml")  # modules of the extra of this name
PIPE_CLOSED = 141  # as a shell says of a process that wrote to a closed pipe


class Commands(click.Group):
    """List commands in the order in which they are declared."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in order of declaration."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; of a reader that went away (`| head`) click would make status 1, which means over the budget."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            with suppress(OSError):  # Python flushes at its end, and would say that it could not
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(PIPE_CLOSED)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the first argument names; UsageError with the nearest that there is."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise UsageError(f"unknown command {args[0]!r}; known commands: {choices(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Measure the numerical error of cross-entropy losses against certified ground truth.

    \b
    Examples:
      harness list kernels
      harness check sigmoid_clip_1e-7 --problem bce_logits --format float32 --target 0
      harness check my_loss.py:loss --problem bce_logits --format bfloat16
      harness reference bce_logits --logit 300 --target 1 --digits 30
      harness verify results/
    """


@cli.command("list")
@click.argument("what", type=options.KnownName(["problems", "kernels", "formats", "grids", "systems", "experiments"]))
@click.option("--problem", help="Only the kernels of this problem.")
def list_(what: str, problem: str | None) -> None:
    """Show what there is: problems, kernels, formats, grids, systems or experiments.

    \b
    Examples:
      harness list problems
      harness list kernels --problem bce_logits
    """
    from harness.cli import list as listing

    click.echo(listing.text(what, problem))


@cli.command()
@click.argument("target_name", metavar="TARGET")
@click.option("--problem", "-p", help="The problem it computes, such as bce_logits.")
@options.weights
@options.exact
@click.option("--classes", type=int, help="The number K of classes, for logsumexp and softmax_ce.")
@click.option(
    "--labels",
    default="integer",
    show_default=True,
    type=options.KnownName(["integer", "onehot", "soft"]),
    help="What labels of K classes are.",
)
@options.format_
@options.grid("standard", "exhaustive, standard or quick.")
@click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    help="A target in [0, 1]; repeat for several. [default: the nine of the tables]",
)
@click.option("--max-ulp", default=4.0, show_default=True, type=float, help="The error budget, in ulps.")
@click.option("--gradient", is_flag=True, help="Check the gradient by the library's own autodiff, too.")
@click.option("--gradient-function", metavar="FILE:F", help="Check this function as the gradient.")
@click.option("--library", type=options.KnownName(["numpy", "torch", "jax", "tensorflow"]), help="What its arrays are.")
@click.option(
    "--device", default="cpu", show_default=True, type=options.KnownName(["cpu", "cuda"]), help="Where it runs."
)
@click.option("--each", is_flag=True, help="It takes one number at a time.")
@click.option(
    "--reduction", type=options.KnownName(["mean", "sum"]), help="It returns the mean, or sum, of all losses."
)
@click.option("--allow-flush", is_flag=True, help="Let pass what only flushed subnormal numbers put over the budget.")
@click.option("--timeout", default=60.0, show_default=True, type=float, help="Seconds that all its calls may take.")
@click.option("--memory", default=8.0, show_default=True, type=float, help="GiB that its process may hold.")
@click.option("--html", "page", type=options.PATH, help="Also write the report as a page.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list instead.")
def check(target_name: str, problem: str | None, fmt: Format, page: Path | None, as_json: bool, **asked: Any) -> None:
    """Measure one loss and give a verdict with the reason.

    TARGET is a kernel's name, path/to/file.py:function, or module:function.  The function gets
    arrays of its library (NumPy, torch, JAX, TensorFlow) in the working format, f(x, y) or f(x), and
    returns an array of the same shape and format.  It runs in a process of its own; see
    docs/own_loss.md.  Exit status: 0 within the budget, 1 over it, 2 for input that cannot be used,
    3 for a function that ran out of time or memory or crashed.

    \b
    Examples:
      harness check lse_log1p --problem bce_logits --format float32 --target 0 --target 1
      harness check my_loss.py:loss --problem bce --format float16 --max-ulp 2
      harness check numpy:log1p --problem log1p --format float32 --grid quick --json
      harness check losses.py:FocalLoss() --problem focal --format bfloat16 --gradient
      harness check losses.py:weighted --problem bce_logits --weights pos=3 --format float32
      harness check losses.py:poisson --exact truths.py:poisson --format float32
      harness check losses.py:cross_entropy --problem softmax_ce --classes 10 --format bfloat16
    """
    from harness.checking.engine import check as measure

    report = measure(target_name, problem, fmt, **asked)
    if page is not None:
        report.to_html(page)
    click.echo(report.to_json() if as_json else report.text())
    sys.exit(0 if report.passed else 1)


@cli.command()
@click.argument("target_name", metavar="TARGET")
@click.option("--problem", "-p", required=True, help="The problem it computes, such as bce_logits.")
@options.format_
@click.option("--input", "input_", required=True, help="The input, as a decimal or hex float.")
@click.option("--target", "-t", help="The target, for a loss or its gradient.")
@click.option("--library", type=options.KnownName(["numpy", "torch", "jax", "tensorflow"]), help="What its arrays are.")
@click.option("--each", is_flag=True, help="It takes one number at a time.")
@click.option(
    "--reduction", type=options.KnownName(["mean", "sum"]), help="It returns the mean, or sum, of all losses."
)
@click.option("--timeout", default=60.0, show_default=True, type=float, help="Seconds that all its calls may take.")
def explain(
    target_name: str,
    problem: str,
    fmt: Format,
    input_: str,
    target: str | None,
    library: str | None,
    each: bool,
    reduction: str | None,
    timeout: float,
) -> None:
    """Say why a loss is wrong at one input, operation by operation.

    TARGET is a kernel's name, path/to/file.py:function, or module:function.  Each row is one operation: what it
    computed, its exact value, its own (local) error, how much the result magnifies that, and its share of the whole
    error.  Code that cannot be followed is named, and judged by its values.

    \b
    Examples:
      harness explain sigmoid_naive --problem bce_logits --format float32 --input 16.7 --target 0
      harness explain my_loss.py:loss -p bce_logits -f bfloat16 --input -9 --target 0
      harness explain my_loss.py:cross_entropy -p softmax_ce -f float32 --input "1.5 -inf 0" --target 2
    """
    from harness.checking.explaining import explanation
    from harness.checking.subject import Options

    asked = Options(library=library, each=each, reduction=reduction)
    click.echo(explanation(target_name, problem, fmt, input_, target, timeout, asked))


@cli.command()
@click.argument("problem", required=False)
@options.weights
@options.exact
@click.option("--logit", help="The input of a problem on logits, as a decimal or hex float.")
@click.option("--probability", help="The input of a problem on probabilities.")
@click.option("--input", "plain", help="The input of any other problem.")
@click.option("--target", help="The target, for a loss or its gradient.")
@click.option("--digits", default=25, show_default=True, type=click.IntRange(1, 10_000), help="Significant digits.")
def reference(
    problem: str | None, logit: str | None, probability: str | None, plain: str | None, target: str | None, digits: int,
    weights: str | None, exact: str | None,
) -> None:  # fmt: skip
    """Print the exact value to certified, correctly rounded digits.

    Inputs are taken exactly as written: --logit 0.1 is one tenth, and 0x1.999999999999ap-4 is the
    float64 nearest to it.
    Digits that cannot be decided in about 8 seconds are refused (exit status 2), never guessed.

    \b
    Examples:
      harness reference bce_logits --logit 300 --target 1 --digits 30
      harness reference bce --probability 0x1p-149 --target 1
      harness reference log1p --input 1e-10
      harness reference bce_logits --weights pos=3 --logit -5 --target 1
    """
    from harness.cli.reference import reference as value

    inputs = {"logit": logit, "probability": probability, "input": plain}
    click.echo(value(problem, inputs, target, digits, weights, exact))


@cli.command()
@click.argument("results", default="results", type=options.PATH)
@click.option("--deep", is_flag=True, help="Sweep all rows again, not some, and run the studies again: minutes.")
@click.option("--exhaustive", is_flag=True, help="With --deep: those over every float32 input too, for hours.")
def verify(results: Path, deep: bool, exhaustive: bool) -> None:
    """Check a results folder: checksums, every cited extreme once more in mpmath and Arb, and cells swept again.

    Re-runs each kernel at the input of its largest error and compares what it computes, the exact
    value, and the error with the table; sweeps some cells of every row again, and some rows whole, and compares their
    counts and means.  The atlas, the special values and golden vectors' answers are computed again; with --deep the
    tables of studies too, but for those that ask libraries.
    Exit status 0 if all agree, 1 if any does not.

    \b
    Examples:
      harness verify results/
      harness verify results/ --deep
    """
    from harness.tables import verify as verification

    if exhaustive and not deep:
        raise UsageError("--exhaustive sweeps every float32 input again, as a part of --deep; add --deep")
    found = verification.verify(results, deep=deep, exhaustive=exhaustive)
    if (results / "vectors").is_dir():
        from harness.testing.vectors import verified

        found = found.and_of(*verified.vectors(results / "vectors"))
    if deep:
        from harness.studies import remade

        found = found.and_of(*remade.studies(results))
    click.echo(found.text)
    sys.exit(0 if found.ok else 1)


cli.commands.update(recommending.commands)
cli.commands.update(fixing.commands)
cli.commands.update(keeping.commands)
cli.commands.update(reading.commands)
cli.commands.update(stages.commands)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status.

    Whatever goes wrong ends in one sentence on standard error.  Status 2: input that cannot be used, or a file or disk that
    cannot be read or written.  Status 3: a user's function, or the harness itself, crashed or ran out of memory; with
    HARNESS_TRACEBACK set, where it did so is printed too.
    """
    for stream in (sys.stdout, sys.stderr):  # a locale without these letters is no reason to fail
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        cli(arguments, standalone_mode=False)
    except click.Abort:
        return 130
    except SystemExit as e:
        return int(e.code or 0)
    except Exception as e:
        if "HARNESS_TRACEBACK" in os.environ:
            traceback.print_exc()
        status, said = told(e)
        click.echo(f"harness: {' '.join(said.split())}", err=True)
        return status
    return 0


def told(e: Exception) -> tuple[int, str]:
    """Return the exit status and the sentence of what ended a command."""
    if isinstance(e, click.ClickException):
        return 2, e.format_message()
    if isinstance(e, UsageError):
        return 2, str(e)
    if isinstance(e, ModuleNotFoundError) and e.name in WORKFLOW:
        return 2, f"{e.name} is not installed; pip install 'xent-harness[workflow]' brings it"
    if isinstance(e, OSError) and e.strerror:
        place = "" if e.filename is None else f"{e.filename}: "
        return 2, f"{place}{e.strerror}"
    if isinstance(e, Crash):
        return 3, str(e)
    if isinstance(e, MemoryError):
        return 3, f"out of memory{f' ({e})' if str(e) else ''}; nothing was written"
    last = traceback.extract_tb(e.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return 3, f"a fault of the harness itself, {type(e).__name__} at {where}: {e}; HARNESS_TRACEBACK=1 shows where"
