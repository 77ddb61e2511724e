"""Describe results/ as an RO-Crate, so that archives and readers of metadata know every table: `python docs/crate.py`.

Writes results/ro-crate-metadata.json, by the library rocrate, from the tables, their sidecars and CITATION.cff alone: the
same bytes for the same tables, with no time of its own.  Each table is a file with its question, size and SHA-256.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from rocrate.model.person import Person
from rocrate.rocrate import ROCrate

from harness.workflow import files

RESULTS = Path("results")
NAME = "ro-crate-metadata.json"


def crate(results: Path, citation: Path) -> dict:
    """Return the metadata of a results folder as JSON-LD, its entities in order of their identifiers."""
    said = yaml.safe_load(citation.read_text(encoding="utf-8"))
    made = ROCrate()
    made.name, made.description, made.license = (
        said["title"],
        said["abstract"],
        "https://spdx.org/licenses/BSD-3-Clause",
    )
    made.keywords, made.datePublished = said["keywords"], str(said["date-released"])
    made.root_dataset["version"] = said["version"]
    made.creator = made.add(Person(made, "#authors", properties={"name": said["authors"][0]["name"]}))
    for path in sorted((results / "tables").glob("*.csv")):
        sidecar = path.with_suffix(".json")
        told = files.read_json(sidecar, "a table's sidecar") if sidecar.is_file() else {}
        properties = {
            "name": path.stem,
            "description": str(told.get("title", path.stem)),
            "encodingFormat": "text/csv",
            "contentSize": path.stat().st_size,
            "sha256": files.sha256_of(path.read_text(encoding="utf-8")),
        }
        made.add_file(dest_path=path.relative_to(results).as_posix(), properties=properties)
    found = made.metadata.generate()
    return {**found, "@graph": sorted(found["@graph"], key=lambda entity: entity["@id"])}


def main() -> int:
    """Write the file; return the exit status."""
    described = crate(RESULTS, Path("CITATION.cff"))
    files.write_text(RESULTS / NAME, json.dumps(described, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
    print(f"{RESULTS / NAME}: {len(described['@graph'])} entities")
    return 0


if __name__ == "__main__":
    sys.exit(main())
