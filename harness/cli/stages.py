"""The commands that the workflow runs, one per stage; each writes whole files or nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import click

stages = click.Group()  # the command line takes its commands over


@stages.command()
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
    from harness.numbers.formats import format_named
    from harness.sweep import job
    from harness.workflow import experiments

    e = experiments.load(experiment)
    job.sweep_job(e, format_named(format_name), shard, grid or e.grid, out)


@stages.command()
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
    from harness.tables import job
    from harness.workflow import experiments

    job.table_job(experiments.load(experiment), list(summaries), out)


@stages.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--part", required=True, help="One of the parts that the experiment names.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The JSON file of what it finds.")
def study(experiment: Path, part: str, out: Path) -> None:
    """Stage: run one part of a study, a question with code of its own.

    \b
    Example:
      harness study experiments/claims.yaml --part all --out claims.all.json
    """
    from harness.studies import job

    job.part_job(experiment, part, out)


@stages.command()
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
    from harness.studies import job

    job.page_job(experiment, list(parts), results, out)


@stages.command()
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
    from harness.bounds import job
    from harness.bounds.bound import BoundExceeded
    from harness.workflow import experiments

    try:
        job.bounds_job(experiments.load(experiment), summaries, functions, out, folder)
    except BoundExceeded as e:
        click.echo(f"harness: {e}", err=True)
        sys.exit(1)


@stages.command()
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
    from harness import figures as figures_
    from harness.workflow import experiments

    figures_.draw(experiments.load(experiment), list(summaries), table_csv, out)


@stages.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The CSV; .md, .tex and .json stand beside it."
)
def special(out: Path) -> None:
    """Stage: tabulate every kernel at infinities, NaN, zeros and the ends of its domain.

    \b
    Example:
      harness special --out results/tables/special_values.csv
    """
    from harness.tables import special_values as special_

    special_.write(out)


@stages.command()
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
    from harness.tables import atlas as atlas_

    atlas_.write(list(tables), out)


@stages.command()
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
    from harness.numbers.formats import format_named
    from harness.search import job
    from harness.workflow import experiments

    job.search_job(experiments.load(experiment), format_named(format_name), shard, out)


@stages.command("search-table")
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
    from harness.search import job
    from harness.workflow import experiments

    job.search_table_job(experiments.load(experiment), list(parts), out)


@stages.command()
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
    from harness.systems import job

    job.systems_job(library, grid, out)


@stages.command("systems-table")
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
    from harness.systems import job

    job.systems_table_job(list(parts), out)


@stages.command("systems-pages")
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
    from harness.systems import job

    job.systems_pages_job(list(parts), docs, figures)
