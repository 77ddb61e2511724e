"""Write the requirements files of this folder: each set of packages that the Makefile installs, pinned and with hashes.

    python requirements/renew.py            needs uv; a minute
    python requirements/renew.py --check    only says which files would change

The versions are those of constraints.txt, so change that first.  The hashes are of all files of each version, for Linux and
macOS and every Python that the version supports, not only of those that this machine would take.  core.txt stands alone;
the others begin with it and add what their extra of pyproject.toml needs besides; build.txt has what builds the project,
and those packages that come as sources only, and is installed first.  The extra `systems` has no file here: on
Linux PyPI's torch brings CUDA, and who takes a build without it, from another place, has a file of another hash; and
TensorFlow has no files for the newest Python.  It is installed in the versions of constraints.txt, without hashes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "requirements"
SETS = {
    "core": "workflow",
    "test": "test",
    "docs": "docs",
    "questions": "questions",
    "crate": "crate",
    "mutants": "mutants",
    "slurm": "slurm",
}
OLDEST = "3.11.5"  # of Python: soupsieve, which the documentation's theme needs, asks for it
HEADING = (
    "# The extra {extra}, written by requirements/renew.py: change pyproject.toml and constraints.txt, and run it.\n"
)
BUILDING = "# What builds the project, written by requirements/renew.py.\n"
NAME = re.compile(r"[A-Za-z0-9_.-]+")
START = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)


def build_requirements() -> list[str]:
    """Return what pyproject.toml says that the project is built by."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]


def compiled(extra: str) -> str:
    """Return what uv resolves of an extra and of what builds the project, within constraints.txt, with all hashes."""
    command = [
        "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate",
        "--python-version", OLDEST, "--constraint", "constraints.txt", "--extra", extra, "pyproject.toml", "-",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, input="\n".join(build_requirements()), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def entries(text: str) -> list[str]:
    """Return the entries of a requirements file, each a line that pins a package and the lines of its hashes."""
    return [part for part in START.split(text) if "==" in part]


def written(texts: dict[str, str]) -> dict[str, str]:
    """Return the files by their set: core's entries, those of them that build, and of the others those that core lacks."""
    core, builders = entries(texts["core"]), tuple(f"{NAME.match(r)[0]}==" for r in build_requirements())
    files = {"build": BUILDING + "".join(entry for entry in core if entry.startswith(builders))}
    files |= {"core": HEADING.format(extra=SETS["core"]) + "".join(core)}
    for name in [n for n in texts if n != "core"]:
        more = [entry for entry in entries(texts[name]) if entry not in core]
        files[name] = HEADING.format(extra=SETS[name]) + "-r core.txt\n" + "".join(more)
    return files


def main() -> int:
    """Write all files, or say which would change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a file would change")
    asked = parser.parse_args()
    changed = []
    for name, text in written({name: compiled(extra) for name, extra in SETS.items()}).items():
        path = FOLDER / f"{name}.txt"
        if not path.is_file() or path.read_text() != text:
            changed.append(path.name)
            if not asked.check:
                path.write_text(text)
    print(f"changed: {', '.join(changed) or 'none'}")
    return 1 if asked.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
