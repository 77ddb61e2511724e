"""Files under results/ cut off or with one bit flipped: found by who reads them, or made again by who writes them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from disturbances.place import ROOT, SAME, SENTENCE, Ended, Outcome, Place, Site, one_sentence
from disturbances.steps import SEARCH, SUMMARIES, TABLE, search_table, table, verify

sys.path.insert(0, str(ROOT / "tests"))

import bad_input

HOW = {"cut off": bad_input.SPOILED["cut off"], "one bit flipped": bad_input.SPOILED["one bit flipped"]}
# Who reads a file.  A table's four files are read by `harness verify`.
READ: dict[str, Callable[[Site], Ended]] = {
    SUMMARIES[0]: table,
    SEARCH: search_table,
    **{f"results/tables/small.{kind}": verify for kind in ("csv", "md", "tex", "json")},
}
# Files that only long stages write: what they hold is made up, and the commands that read them stand in tests/bad_input.py.
MADE_UP = {
    ".json of studies": ("page", "part.json"),
    ".json of systems": ("systems-table", "systems.json"),
    ".json of systems_exhaustive": ("systems-exhaustive-table", "rows.json"),
}
# What is only looked at, is read by no command: whoever makes it again has it whole.
FIGURES = ("harness", "figures", "experiments/small.yaml", *SUMMARIES, "--table", TABLE, "--out", "results/figures")
REPORT = ("harness", "report", "experiments/small.yaml", "--out", "results/report")
SHOWN = {"svg": FIGURES, "png": FIGURES, "html": REPORT}


def damaged(place: Place) -> Iterator[Outcome]:
    """Give each kind of file cut off and with one bit flipped."""
    for path, read in READ.items():
        for how in HOW:
            yield f"{Path(path).suffix} of {Path(path).parent.name}, {how}", found_damaged(place, path, read, how)
    yield from made_up(place.folder)
    yield from shown(place)


def found_damaged(place: Place, path: str, read: Callable[[Site], Ended], how: str) -> str:
    """Damage a file and ask the command that reads it: it must say so, and running again must mend it."""
    site = place.site()
    HOW[how](site.folder / path)
    before = site.state()
    status, said = read(site)
    if not one_sentence(status, said):
        return f"not found ({status}): {said[-300:]}"
    if site.state() != before:
        return "previous results changed"
    again = place.judged(site)
    shutil.rmtree(site.folder)
    return SENTENCE if again == SAME else again


def made_up(folder: Path) -> Iterator[Outcome]:
    """Give the files of stages that take hours, made up, damaged: refused with all files as they were."""
    world = bad_input.world(folder / "world")
    for kind, (command, path) in MADE_UP.items():
        for how, spoil in HOW.items():
            case = bad_input.Spoiled(
                "", "", [command, *bad_input.COMMANDS[command][0]], lambda w, s=spoil, p=path: s(w / p)
            )  # type: ignore[misc]
            judged = bad_input.tried(case, world, folder / "copy")
            yield f"{kind}, {how}", SENTENCE if judged.verdict == "refused" else f"{judged.verdict}: {judged.error}"


def shown(place: Place) -> Iterator[Outcome]:
    """Give figures and the report damaged: the command that makes them writes them whole."""
    site = place.site()
    atlas = ("harness", "atlas", TABLE, "--out", "results/tables/atlas.csv")
    status, said = max((site.run(*words) for words in (atlas, FIGURES, REPORT)), key=lambda ended: ended[0])
    whole = site.state()
    for kind, command in SHOWN.items():
        path = min((site.folder / "results").rglob(f"*.{kind}"), default=None)
        for how, spoil in HOW.items():
            told = f".{kind} of {command[1]}, {how}"
            if path is None:
                yield told, f"none is made ({status}): {said[-300:]}"
                continue
            spoil(path)
            site.run(*command)
            yield told, SAME if site.state() == whole else "differs"
