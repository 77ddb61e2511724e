"""The command line: list, check, reference, verify, and one command per stage of the workflow."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness import UsageError, __version__

RESULTS = Path("results")


class Commands(click.Group):
    """List commands in the order in which they are declared."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in order of declaration."""
        return list(self.commands)


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
@click.argument("what", type=click.Choice(["problems", "kernels", "formats", "grids", "systems", "experiments"]))
@click.option("--problem", help="Only the kernels of this problem.")
def list_(what: str, problem: str | None) -> None:
    """Show what there is: problems, kernels, formats, grids, systems or experiments.

    \b
    Examples:
      harness list problems
      harness list kernels --problem bce_logits
    """
    from harness import listing

    click.echo(listing.text(what, problem))


@cli.command()
@click.argument("target_name", metavar="TARGET")
@click.option("--problem", "-p", required=True, help="The problem it computes, such as bce_logits.")
@click.option("--format", "-f", "format_name", required=True, help="The working format, such as float32.")
@click.option("--grid", "-g", default="standard", show_default=True, help="exhaustive, standard or quick.")
@click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    help="A target in [0, 1]; repeat for several. [default: the nine of the tables]",
)
@click.option("--max-ulp", default=4.0, show_default=True, type=float, help="The error budget, in ulps.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list instead.")
def check(
    target_name: str, problem: str, format_name: str, grid: str, targets: tuple[str, ...], max_ulp: float, as_json: bool
) -> None:
    """Measure one loss and give a verdict with the reason.

    TARGET is a kernel's name, path/to/file.py:function, or module:function.  The function gets
    NumPy arrays in the working format, f(x, y) or f(x), and returns an array of the same shape
    and format.  Exit status: 0 within the budget, 1 over it, 2 for input that cannot be used.

    \b
    Examples:
      harness check lse_log1p --problem bce_logits --format float32 --target 0 --target 1
      harness check my_loss.py:loss --problem bce --format float16 --max-ulp 2
      harness check numpy:log1p --problem log1p --format float32 --grid quick --json
    """
    from harness import checking

    report = checking.check(target_name, problem, format_name, grid, targets, max_ulp)
    click.echo(checking.to_json(report) if as_json else checking.to_text(report))
    sys.exit(0 if report.within else 1)


@cli.command()
@click.argument("problem")
@click.option("--logit", help="The input of a problem on logits, as a decimal or hex float.")
@click.option("--probability", help="The input of a problem on probabilities.")
@click.option("--input", "plain", help="The input of any other problem.")
@click.option("--target", help="The target, for a loss or its gradient.")
@click.option("--digits", default=25, show_default=True, type=click.IntRange(1, 10_000), help="Significant digits.")
def reference(
    problem: str, logit: str | None, probability: str | None, plain: str | None, target: str | None, digits: int
) -> None:
    """Print the exact value to certified, correctly rounded digits.

    Inputs are taken exactly as written: --logit 0.1 is one tenth, and 0x1.999999999999ap-4 is the
    float64 nearest to it.

    \b
    Examples:
      harness reference bce_logits --logit 300 --target 1 --digits 30
      harness reference bce --probability 0x1p-149 --target 1
      harness reference log1p --input 1e-10
    """
    from harness import checking

    click.echo(
        checking.reference(problem, {"logit": logit, "probability": probability, "input": plain}, target, digits)
    )


@cli.command()
@click.argument("results", default="results", type=click.Path(path_type=Path))
def verify(results: Path) -> None:
    """Check a results folder: checksums, and every cited extreme once more in mpmath.

    Re-runs each kernel at the input of its largest error and compares what it computes, the exact
    value, and the error with the table.  Exit status 0 if all agree, 1 if any does not.

    \b
    Example:
      harness verify results/
    """
    from harness import verification

    found = verification.verify(results)
    click.echo(found.text)
    sys.exit(0 if found.ok else 1)


@cli.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--format", "format_name", required=True)
@click.option("--shard", default=0, show_default=True)
@click.option("--grid", default=None, help="Instead of the experiment's own grid.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def sweep(experiment: Path, format_name: str, shard: int, grid: str | None, out: Path) -> None:
    """Stage: sweep one shard of an experiment into a summary file.

    \b
    Example:
      harness sweep experiments/logits.yaml --format float32 --out logits.float32.0.npz
    """
    from harness import experiments, sweep_stage
    from harness.formats import format_named

    e = experiments.load(experiment)
    sweep_stage.sweep_job(e, format_named(format_name), shard, grid or e.grid, out)


@cli.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.argument("summaries", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The CSV; .md, .tex and .json stand beside it."
)
def table(experiment: Path, summaries: tuple[Path, ...], out: Path) -> None:
    """Stage: make an experiment's table from the summary files of all its formats and shards.

    \b
    Example:
      harness table experiments/logits.yaml results/summaries/standard/logits.*.npz --out logits.csv
    """
    from harness import experiments, table_stage

    table_stage.table_job(experiments.load(experiment), list(summaries), out)


@cli.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--part", required=True, help="One of the parts that the experiment names.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The JSON file of what it finds.")
def study(experiment: Path, part: str, out: Path) -> None:
    """Stage: run one part of a study, a question with code of its own.

    \b
    Example:
      harness study experiments/claims.yaml --part all --out claims.all.json
    """
    from harness.studies import stage

    stage.part_job(experiment, part, out)


@cli.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.argument("parts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--results", required=True, type=click.Path(path_type=Path), help="The folder of tables/ and figures/.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The page.")
def page(experiment: Path, parts: tuple[Path, ...], results: Path, out: Path) -> None:
    """Stage: make a study's tables, figures and page from all its parts.

    \b
    Example:
      harness page experiments/claims.yaml claims.all.json --results results --out docs/questions/claims.md
    """
    from harness.studies import stage

    stage.page_job(experiment, list(parts), results, out)


@cli.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.argument("summaries", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--functions",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A summary of exhaustive_primitives; repeat for all its shards. [default: sample the functions]",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The CSV; .md, .tex and .json stand beside it."
)
@click.option(
    "--figures", "folder", required=True, type=click.Path(path_type=Path), help="The folder for PNG and SVG files."
)
def bounds(experiment: Path, summaries: tuple[Path, ...], functions: tuple[Path, ...], out: Path, folder: Path) -> None:
    """Stage: bound every kernel's error a priori and set the bounds beside the measurements.

    A measurement above its bound ends the run with exit status 1, and nothing is written: one of
    the two is wrong.

    \b
    Example:
      harness bounds experiments/logits.yaml logits.*.npz --out bounds_logits.csv --figures figures
    """
    from harness import bounds_stage, experiments
    from harness.bounds import BoundExceeded

    try:
        bounds_stage.bounds_job(experiments.load(experiment), summaries, functions, out, folder)
    except BoundExceeded as e:
        click.echo(f"harness: {e}", err=True)
        sys.exit(1)


@cli.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.argument("summaries", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--table", "table_csv", required=True, type=click.Path(path_type=Path), help="The experiment's CSV.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder for PNG and SVG files.")
def figures(experiment: Path, summaries: tuple[Path, ...], table_csv: Path, out: Path) -> None:
    """Stage: draw an experiment's figures from its summary files and its table.

    \b
    Example:
      harness figures experiments/logits.yaml results/summaries/logits.*.npz --table results/tables/logits.csv --out figures
    """
    from harness import experiments
    from harness import figures as figures_

    figures_.draw(experiments.load(experiment), list(summaries), table_csv, out)


@cli.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The CSV; .md, .tex and .json stand beside it."
)
def special(out: Path) -> None:
    """Stage: tabulate every kernel at infinities, NaN, zeros and the ends of its domain.

    \b
    Example:
      harness special --out results/tables/special_values.csv
    """
    from harness import special as special_

    special_.write(out)


@cli.command()
@click.argument("tables", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The CSV; .md, .tex and .json stand beside it."
)
def atlas(tables: tuple[Path, ...], out: Path) -> None:
    """Stage: say in words where each kernel is safe in each format, and what fails beyond.

    \b
    Example:
      harness atlas results/tables/logits.csv results/tables/gradients.csv --out results/tables/atlas.csv
    """
    from harness import atlas as atlas_

    atlas_.write(list(tables), out)


@cli.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--format", "format_name", required=True)
@click.option("--shard", default=0, show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path))
def search(experiment: Path, format_name: str, shard: int, out: Path) -> None:
    """Stage: search one shard of an experiment's kernels for their worst inputs.

    \b
    Example:
      harness search experiments/worst_float64.yaml --format float64 --out worst.float64.0.json
    """
    from harness import experiments, search_stage
    from harness.formats import format_named

    search_stage.search_job(experiments.load(experiment), format_named(format_name), shard, out)


@cli.command("search-table")
@click.argument("experiment", type=click.Path(path_type=Path))
@click.argument("parts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The CSV; .md, .tex and .json stand beside it."
)
def search_table(experiment: Path, parts: tuple[Path, ...], out: Path) -> None:
    """Stage: make a search's table from the rows of all its shards.

    \b
    Example:
      harness search-table experiments/worst_float64.yaml worst.float64.*.json --out worst_float64.csv
    """
    from harness import experiments, search_stage

    search_stage.search_table_job(experiments.load(experiment), list(parts), out)


@cli.command()
@click.argument("library")
@click.option("--grid", default="standard", show_default=True, help="standard or quick.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def systems(library: str, grid: str, out: Path) -> None:
    """Stage: call all systems of one real library on a grid and measure what they return.

    A library that is not installed, crashes or hangs has its rows all the same; they say so.

    \b
    Example:
      harness systems torch --grid quick --out torch.json
    """
    from harness import systems_stage

    systems_stage.systems_job(library, grid, out)


@cli.command("systems-table")
@click.argument("parts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The CSV; .md, .tex and .json stand beside it."
)
def systems_table(parts: tuple[Path, ...], out: Path) -> None:
    """Stage: make the systems' table from the parts of all libraries.

    \b
    Example:
      harness systems-table torch.json jax.json --out systems.csv
    """
    from harness import systems_stage

    systems_stage.systems_table_job(list(parts), out)


@cli.command("systems-pages")
@click.argument("parts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--docs", required=True, type=click.Path(path_type=Path), help="The folder for systems.md and findings.md."
)
@click.option("--figures", required=True, type=click.Path(path_type=Path), help="The folder for PNG and SVG files.")
def systems_pages(parts: tuple[Path, ...], docs: Path, figures: Path) -> None:
    """Stage: write what users should know of each library, the likeliest surprises, and the figures.

    \b
    Example:
      harness systems-pages torch.json jax.json --docs docs --figures results/figures
    """
    from harness import systems_stage

    systems_stage.systems_pages_job(list(parts), docs, figures)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status.

    Input that cannot be used ends in one sentence on standard error and status 2.
    """
    try:
        cli(arguments, standalone_mode=False)
    except UsageError as e:
        click.echo(f"harness: {e}", err=True)
        return 2
    except click.ClickException as e:
        click.echo(f"harness: {e.format_message()}", err=True)
        return 2
    except click.Abort:
        return 130
    except SystemExit as e:
        return int(e.code or 0)
    return 0
