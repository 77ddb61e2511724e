"""The commands that the workflow runs, one per stage; each writes whole files or nothing.

A stage only hands its arguments to a room's job: the command line knows no more of a room than that.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.numbers.formats import Format
    from harness.workflow.experiments import Experiment

stages = click.Group()  # the command line takes its commands over
Paths = tuple[Path, ...]


# ---- experiments: sweep, table, figures, bounds -------------------------------------------------


@stages.command()
@options.experiment
@options.format_
@options.shard
@options.grid(None, "Instead of the experiment's own grid.")
@options.out("The summary file.")
def sweep(experiment: Experiment, fmt: Format, shard: int, grid: str | None, out: Path) -> None:
    """Stage: sweep one shard of an experiment into a summary file.

    \b
    Example:
      harness sweep experiments/logits.yaml --format float32 --out logits.float32.0.npz
    """
    from harness.sweep.job import sweep_job

    sweep_job(experiment, fmt, shard, grid or experiment.grid, out)


@stages.command()
@options.experiment
@options.summaries
@options.out_table
def table(experiment: Experiment, summaries: Paths, out: Path) -> None:
    """Stage: make an experiment's table from the summary files of all its formats and shards.

    \b
    Example:
      harness table experiments/logits.yaml results/summaries/logits.*.npz --out logits.csv
    """
    from harness.tables.job import table_job

    table_job(experiment, list(summaries), out)


@stages.command()
@options.experiment
@click.argument("table", type=options.TableFile())
def rewrite(experiment: Experiment, table: Path) -> None:
    """Stage: write a sweep's table again from its own CSV: columns that follow from others, Markdown and LaTeX.

    \b
    Example:
      harness rewrite experiments/exhaustive_logits.yaml results/tables/exhaustive_logits.csv
    """
    from harness.tables.job import rewrite_job

    rewrite_job(experiment, table)


@stages.command()
@options.experiment
@options.summaries
@click.option("--table", required=True, type=options.PATH, help="The experiment's CSV.")
@options.out("The folder for PNG and SVG files.")
def figures(experiment: Experiment, summaries: Paths, table: Path, out: Path) -> None:
    """Stage: draw an experiment's figures from its summary files and its table.

    \b
    Example:
      harness figures experiments/logits.yaml results/summaries/logits.*.npz --table results/tables/logits.csv --out figures
    """
    from harness.figures.job import figures_job

    figures_job(experiment, list(summaries), table, out)


@stages.command()
@options.experiment
@options.summaries
@click.option(
    "--functions",
    multiple=True,
    type=options.PATH,
    help="A summary of the functions' exhaustive sweep; repeat for all its shards. [default: sample the functions]",
)
@options.out_table
@options.figures()
def bounds(experiment: Experiment, summaries: Paths, functions: Paths, out: Path, figures: Path) -> None:
    """Stage: bound every kernel's error a priori and set the bounds beside the measurements.

    A measurement above its bound ends the run with exit status 1, and nothing is written: one of
    the two is wrong.

    \b
    Example:
      harness bounds experiments/logits.yaml logits.*.npz --out bounds_logits.csv --figures figures
    """
    from harness.bounds import job

    try:
        job.bounds_job(experiment, summaries, functions, out, figures)
    except job.BoundExceeded as e:
        click.echo(f"harness: {e}", err=True)
        sys.exit(1)


# ---- searches -----------------------------------------------------------------------------------


@stages.command()
@options.experiment
@options.format_
@options.shard
@options.out("The JSON file of what it finds.")
def search(experiment: Experiment, fmt: Format, shard: int, out: Path) -> None:
    """Stage: search one shard of an experiment's kernels for their worst inputs.

    \b
    Example:
      harness search experiments/worst_float64.yaml --format float64 --out worst.float64.0.json
    """
    from harness.search.job import search_job

    search_job(experiment, fmt, shard, out)


@stages.command("search-table")
@options.experiment
@options.parts
@options.out_table
def search_table(experiment: Experiment, parts: Paths, out: Path) -> None:
    """Stage: make a search's table from the rows of all its shards.

    \b
    Example:
      harness search-table experiments/worst_float64.yaml worst.float64.*.json --out worst_float64.csv
    """
    from harness.search.table import search_table_job

    search_table_job(experiment, list(parts), out)


# ---- all kernels together: special values, the atlas --------------------------------------------


@stages.command()
@options.out_table
def special(out: Path) -> None:
    """Stage: tabulate every kernel at infinities, NaN, zeros and the ends of its domain.

    \b
    Example:
      harness special --out results/tables/special_values.csv
    """
    from harness.tables.special_values import special_values_job

    special_values_job(out)


@stages.command()
@click.argument("tables", type=options.PATH)
@options.out("The folder of the vectors.")
def vectors(tables: Path, out: Path) -> None:
    """Stage: choose golden vectors from the tables of a folder, and say what they kill.

    \b
    Example:
      harness vectors results/tables --out results/vectors
    """
    from harness.testing.vectors.job import vectors_job

    vectors_job(tables, out)


@stages.command()
@click.argument("tables", nargs=-1, required=True, type=options.PATH)
@options.out_table
def atlas(tables: Paths, out: Path) -> None:
    """Stage: say in words where each kernel is safe in each format, and what fails beyond.

    \b
    Example:
      harness atlas results/tables/logits.csv results/tables/gradients.csv --out results/tables/atlas.csv
    """
    from harness.tables.atlas import atlas_job

    atlas_job(list(tables), out)


# ---- studies ------------------------------------------------------------------------------------


@stages.command()
@options.study
@click.option("--part", required=True, help="One of the parts that the study names.")
@options.out("The JSON file of what it finds.")
def study(study: Path, part: str, out: Path) -> None:
    """Stage: run one part of a study, a question with code of its own.

    \b
    Example:
      harness study experiments/claims.yaml --part all --out claims.all.json
    """
    from harness.studies.job import part_job

    part_job(study, part, out)


@stages.command()
@options.study
@options.parts
@click.option("--results", required=True, type=options.PATH, help="The folder of tables/ and figures/.")
@options.out("The page.")
def page(study: Path, parts: Paths, results: Path, out: Path) -> None:
    """Stage: make a study's tables, figures and page from all its parts.

    \b
    Example:
      harness page experiments/claims.yaml claims.all.json --results results --out docs/questions/claims.md
    """
    from harness.studies.job import page_job

    page_job(study, list(parts), results, out)


# ---- systems: real libraries --------------------------------------------------------------------


@stages.command()
@click.argument("library")
@options.grid("standard", "standard or quick.")
@options.out("The JSON file of its rows.")
def systems(library: str, grid: str, out: Path) -> None:
    """Stage: call all systems of one real library on a grid and measure what they return.

    A library that is not installed, crashes or hangs has its rows all the same; they say so.

    \b
    Example:
      harness systems torch --grid quick --out torch.json
    """
    from harness.systems.job import systems_job

    systems_job(library, grid, out)


@stages.command("systems-table")
@options.parts
@options.out_table
def systems_table(parts: Paths, out: Path) -> None:
    """Stage: make the systems' table from the parts of all libraries.

    Beside it come OUT_special.csv, what they make of special values, and OUT_probes.csv, of which the pages are made.

    \b
    Example:
      harness systems-table torch.json jax.json --out systems.csv
    """
    from harness.systems.job import systems_table_job

    systems_table_job(list(parts), out)


@stages.command("systems-pages")
@click.argument("table", type=options.TableFile())
@click.option("--docs", required=True, type=options.PATH, help="The folder for systems.md and findings.md.")
@options.figures()
def systems_pages(table: Path, docs: Path, figures: Path) -> None:
    """Stage: write what users should know of each library, the likeliest surprises, and the figures.

    They are made of the systems' table and the probes beside it, SYSTEMS_probes.csv; no library is called.

    \b
    Example:
      harness systems-pages results/tables/systems.csv --docs docs --figures results/figures
    """
    from harness.systems.job import systems_pages_job

    systems_pages_job(table, docs, figures)


@stages.command("systems-sweep")
@click.argument("group")
@options.shard
@options.out("The summary file.")
def systems_sweep(group: str, shard: int, out: Path) -> None:
    """Stage: sweep one shard of every float32 input through the calls that introductions show, of a group of libraries.

    GROUP is the kind of input that the calls take, logit or probability, and of Keras the backend: logit-keras-jax.

    \b
    Example:
      harness systems-sweep logit --shard 0 --out logit.0.npz
    """
    from harness.systems.exhaustive.job import sweep_job

    sweep_job(group, shard, out)


@stages.command("systems-rows")
@click.argument("library")
@options.summaries
@options.out("The JSON file of its rows.")
def systems_rows(library: str, summaries: Paths, out: Path) -> None:
    """Stage: make the rows of a library's calls from the summary files of all shards.

    \b
    Example:
      harness systems-rows torch logit.*.npz --out torch.json
    """
    from harness.systems.exhaustive.job import rows_job

    rows_job(library, list(summaries), out)


@stages.command("systems-exhaustive-table")
@options.parts
@options.out_table
def systems_exhaustive_table(parts: Paths, out: Path) -> None:
    """Stage: make the table of the calls that introductions show from the rows of all libraries.

    \b
    Example:
      harness systems-exhaustive-table torch.json optax.json --out systems_exhaustive.csv
    """
    from harness.systems.exhaustive.job import table_job

    table_job(list(parts), out)


# ---- the report ---------------------------------------------------------------------------------


@stages.command()
@click.argument("experiments", nargs=-1, type=options.ExperimentFile())
@click.option("--results", default="results", show_default=True, type=options.PATH, help="The folder of tables/.")
@click.option(
    "--docs", default="docs", show_default=True, type=options.PATH, help="The folder of questions and findings."
)
@options.out("The folder for index.html and its data.")
def report(experiments: tuple[Experiment, ...], results: Path, docs: Path, out: Path) -> None:
    """Stage: make the page that people open first, from the tables alone.

    Error curves are drawn of the experiments that are given, where their summaries lie in RESULTS/summaries.

    \b
    Example:
      harness report experiments/logits.yaml experiments/gradients.yaml --out results/report
    """
    from harness.report.job import report_job

    report_job(experiments, results, docs, out)
