"""Experiments: questions written as data, one file each, experiments/NAME.yaml.

A file says what is measured (problems, kernels, formats, targets, the grid of inputs or a search) and what is made of
it (a table always; figures; bounds).  Everything that the workflow decides about an experiment it reads here: nothing
follows from a file's name.  Files are checked against experiments/schema.yaml, which describes every key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

import harness
from harness import UsageError, choices
from harness.kernels import Kernel, kernel_named, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.workflow.files import NAME, read_text, sha256_of
from harness.workflow.targets import STANDARD_TARGETS


@dataclass(frozen=True)
class Experiment:
    """Hold one question: problems × kernels × formats × targets × grid, how it is divided, and what is made of it."""

    name: str
    question: str
    problems: list[Problem]
    kernels: dict[str, list[Kernel]]
    formats: list[Format]
    targets: list[str]
    grid: str
    shards: dict[str, int]
    search: dict[str, Any]  # budget, seeds, joint; empty where a grid is swept
    main: bool = False  # one of those that the default job and the atlas are made of
    figures: bool = True  # False for a search, whose table is all there is to draw from
    bounds: dict[str, str] = field(default_factory=dict)  # `functions`; empty where none are set beside its table

    def shards_of(self, fmt: str) -> int:
        """Return into how many jobs the sweep or search of a format (by name) is divided."""
        return self.shards.get(fmt, 1)

    def divided(self, fmt: str, shard: int) -> int:
        """Return the number of shards of a format (by name); UsageError for a shard that is not one of them."""
        shards = self.shards_of(fmt)
        if not 0 <= shard < shards:
            raise UsageError(
                f"there is no shard {shard} of {self.name} in {fmt}; they are counted from 0 to {shards - 1}"
            )
        return shards

    @property
    def digest(self) -> str:
        """Return the SHA-256, 64 hex digits, of what is measured: problems, kernels, formats, targets, grid, shards.

        What it is called and what is made of the measurements (the question, figures, bounds) do not count.
        """
        meaning = {
            "kernels": [[p.name, [k.name for k in self.kernels[p.name]]] for p in self.problems],
            "formats": [[f.name, self.shards_of(f.name)] for f in self.formats],
            "targets": self.targets,
            "grid": self.grid,
            "search": self.search,
        }
        return sha256_of(json.dumps(meaning, sort_keys=True))


FOLDER = Path(harness.__file__).parent.parent / "experiments"  # of the checkout; its schemas hold for files anywhere


# JSON Schema takes 1.0 for an integer; Python's range and NumPy's seeds do not.
VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


class _Plain(yaml.SafeLoader):
    """Read YAML without aliases, by which a few lines may stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node; YAMLError for an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"aliases (*{self.peek_event().anchor}) are not taken; write what they stand for")
        return super().compose_node(parent, index)


@cache
def _schema(path: Path) -> dict:
    return yaml.safe_load(read_text(path, "the schema of experiments"))


def schema_beside(path: Path, name: str) -> Path:
    """Return the schema of an experiment's file: the one beside it, or else the checkout's."""
    beside = path.parent / name
    return beside if beside.is_file() else FOLDER / name


def named(path: Path) -> str:
    """Return an experiment's name, that of its file; UsageError for one that a shell would need to quote."""
    if not NAME.fullmatch(path.stem):
        raise UsageError(f"{path} cannot be an experiment's name: letters, digits, _ and - alone, no - in front")
    return path.stem


def files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the experiment files of a folder by name, in order: those that sweep or search, and the studies."""
    paths = [p for p in sorted(folder.glob("*.yaml")) if p.stem not in ("schema", "study_schema")]
    studies = [p for p in paths if re.search(r"^study:", read_text(p, "an experiment"), re.MULTILINE)]
    return {p.stem: p for p in paths if p not in studies}, {p.stem: p for p in studies}


def read(path: Path, schema_path: Path) -> dict[str, Any]:
    """Read a YAML file that must follow a schema; UsageError names the key or the value that is wrong."""
    text = read_text(path, "a YAML file")
    try:
        data = yaml.load(text, _Plain)
    except (yaml.YAMLError, ValueError, RecursionError) as e:  # ValueError: a date that is none
        raise UsageError(f"{path} cannot be read as YAML: {' '.join(str(e).split())}") from e
    schema = _schema(schema_path)
    for error in sorted(VALIDATOR(schema).iter_errors(data), key=_unknown_first):
        raise UsageError(f"{path}: {_sentence(error, schema)}")
    return data


def load(path: Path) -> Experiment:
    """Read an experiment file that sweeps or searches; schema.yaml beside it says what may stand in it.

    What a file leaves out has the schema's default: all kernels, STANDARD_TARGETS, the standard grid, one shard a
    format.  Raises UsageError that names the key, the value, the problem, the kernel or the format that is wrong.
    """
    name = named(path)
    data = read(path, schema_beside(path, "schema.yaml"))
    problems = [problem_named(name) for name in data["problems"]]
    chosen = data.get("kernels", "all")
    targets = data.get("targets", list(STANDARD_TARGETS))
    return Experiment(
        name,
        data["question"],
        problems,
        {
            p.name: kernels_of(p.name) if chosen == "all" else [kernel_named(p.name, k) for k in chosen]
            for p in problems
        },
        [format_named(f) for f in data["formats"]],
        [str(t) for t in targets] if isinstance(targets, list) else [targets],
        data.get("grid", "standard"),
        data.get("shards", {}),
        {"budget": 1 << 20, "seeds": [0], "joint": False, **data["search"]} if "search" in data else {},
        data.get("main", False),
        data.get("figures", True) and "search" not in data,
        data.get("bounds", {}),
    )


def _unknown_first(error: Any) -> tuple[bool, str]:
    """Order errors: a key that is unknown is likelier a slip than the one that is missing."""
    return error.validator != "additionalProperties", str(error)


def _sentence(error: Any, schema: dict) -> str:
    if error.validator == "additionalProperties":
        extra = sorted(set(error.instance) - set(error.schema["properties"]), key=str)
        return f"unknown key {extra[0]!r}; known keys: {choices(extra[0], error.schema['properties'])}"
    where = ".".join(str(p) for p in error.absolute_path)
    return f"{where + ': ' if where else ''}{error.message}"
