"""The arguments and options that several commands share, each declared once.

What names something of the harness is turned into it here, so that commands get an Experiment or a Format and a
mistake is named in the same words everywhere.  The conversions import what they need when they run: `harness --help`
loads no NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import choices

if TYPE_CHECKING:
    from harness.numbers.formats import Format
    from harness.workflow.experiments import Experiment

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
PATH = click.Path(path_type=Path)


class ExperimentFile(click.ParamType):
    """Read an experiment's YAML file; UsageError names the key or the value that is wrong."""

    name = "experiment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Experiment:
        """Return the experiment that a path's file holds; UsageError names what is wrong in it."""
        from harness.workflow import experiments

        return experiments.load(Path(value))


class KnownName(click.Choice):
    """Take one of a few words; a mistake is told with the word that was likely meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word; BadParameter lists all."""
        if value not in self.choices:
            self.fail(f"{value!r} is none of {choices(value, self.choices)}", param, ctx)
        return super().convert(value, param, ctx)


class TableFile(click.ParamType):
    """Take the path of a table's CSV, whose name its other files and its label in LaTeX bear."""

    name = "csv"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; BadParameter for another suffix, or a name that would need quoting."""
        from harness.workflow.files import NAME

        path = Path(value)
        if path.suffix != ".csv" or not NAME.fullmatch(path.stem):
            self.fail(
                f"{str(value)!r} is no table's file; write NAME.csv, NAME of letters, digits, _ and -", param, ctx
            )
        return path


class FormatName(click.ParamType):
    """Look a format up by its name; UsageError lists the known ones."""

    name = "format"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Format:
        """Return the format that a name stands for."""
        from harness.numbers.formats import format_named

        return format_named(value)


experiment = click.argument("experiment", type=ExperimentFile())
study = click.argument("study", type=PATH)
summaries = click.argument("summaries", nargs=-1, required=True, type=PATH)
parts = click.argument("parts", nargs=-1, required=True, type=PATH)
format_ = click.option(
    "--format", "-f", "fmt", required=True, type=FormatName(), help="The working format, such as float32."
)
weights = click.option(
    "--weights",
    metavar="NAME=NUMBER,…",
    help="Weights of the loss: pos, weight, alpha, gamma, smoothing; pos=3,alpha=0.25.",
)
exact = click.option(
    "--exact", metavar="FILE:NAME", help="An exact function of your own, in place of a problem's name."
)
shard = click.option("--shard", default=0, show_default=True, help="Which of the format's shards, counted from 0.")
out_table = click.option("--out", required=True, type=TableFile(), help="The CSV; .md, .tex and .json stand beside it.")


def grid(default: str | None, told: str) -> Decorator:
    """Declare --grid with its default (None: the experiment's own) and what it is told to be."""
    return click.option("--grid", "-g", default=default, show_default=default is not None, help=told)


def out(told: str) -> Decorator:
    """Declare --out, the one file or folder that a command writes, and say which."""
    return click.option("--out", required=True, type=PATH, help=told)


def figures(told: str = "The folder for PNG, SVG and PDF files.") -> Decorator:
    """Declare --figures, the folder that a command draws into beside what else it writes."""
    return click.option("--figures", "figures", required=True, type=PATH, help=told)
