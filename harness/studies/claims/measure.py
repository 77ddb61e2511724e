"""Check every claim, ask the libraries that claims are about, and find from which logit on losses are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.studies.claims import of_formulas, of_libraries  # noqa: F401 - they enter their claims
from harness.studies.claims.asking import LIBRARIES, Results, ask_all
from harness.studies.claims.entry import CLAIMS, NOTHING, Claim, in_order
from harness.studies.claims.first import First
from harness.studies.claims.instruments import FORMATS, first_wrong
from harness.studies.study import Parameters, Tables
from harness.tables import writer
from harness.tables.rows import Row
from harness.tables.strongest import Known
from harness.workflow.provenance import functions_differ

# The forms that claims are about.
KERNELS = (
    "sigmoid_naive", "sigmoid_clip_1e-7", "sigmoid_clip_1e-12", "sigmoid_clip_1e-15", "sigmoid_add_eps_1e-7",
    "sigmoid_clamp_log_100", "lse_log", "linear_softplus", "lse_log1p", "softplus_pair",
)  # fmt: skip


def run(parameters: Parameters, part: str) -> Tables:
    """Check every claim of the list; find where the forms that they are about fail.

    The parameter `strongest` lists the tables of other experiments whose figures may be stronger than the standard
    grid's.
    """
    known = made_here(parameters.get("strongest", []))
    return {**checked(CLAIMS, known), "claims_limits": limit_rows(known)}


def made_here(paths: Iterable[str | Path]) -> Known:
    """Read tables; those that are missing, or were made with other functions than this machine's, know nothing.

    A claim says what is measured on this machine, and other functions err otherwise.
    """

    def ours(path: Path) -> bool:
        return path.exists() and not functions_differ(writer.described(path)["provenance"])

    return Known.of(path for path in map(Path, paths) if ours(path))


def checked(claims: Sequence[Claim], known: Known = NOTHING) -> Tables:
    """Ask the libraries once, check the claims, and return a row for each claim and for each library.

    Statements with a source are apart from common beliefs.
    """
    results = ask_all([(k, line) for c in claims for k, lines in (c.lines or {}).items() for line in lines])
    rows = [c.row(results, known) for c in in_order(claims)]
    return {
        "claims": [r for r in rows if r["source"]],
        "claims_beliefs": [r for r in rows if not r["source"]],
        "claims_libraries": library_rows(results),
    }


def library_rows(results: Results) -> list[Row]:
    """Return what became of the lines of each library."""
    rows: list[Row] = []
    for name, known in LIBRARIES.items():
        own = [result for (library, _), result in results.items() if library == name]
        if own:
            missing = [r.reason for r in own if r.status == "unavailable"]
            rows.append(
                {
                    "library": known,
                    "versions": next((r.version for r in own if r.version), ""),
                    "lines": len(own),
                    "answered": sum(r.status == "ok" for r in own),
                    "refused": sum(r.status == "refused" for r in own),
                    "unavailable": len(missing),
                    "reason": missing[0] if missing else "",
                }
            )
    return rows


def limit_rows(known: Known) -> list[Row]:
    """Return for each kernel and format the logits nearest to 0, y = 0, at which the loss is more than 5 % off.

    Empty where there is none up to ±50.  `every_input` says that every logit nearer to 0 was tried, `search` that one may have been
    missed.
    """
    rows: list[Row] = []
    for kernel in KERNELS:
        for fmt in FORMATS:
            wrong, right = (first_wrong(known, kernel, fmt, side) for side in (1, -1))
            rows.append(
                {
                    "kernel": kernel,
                    "format": fmt,
                    "target": "0",
                    "wrong_prediction": _written(wrong),
                    "right_prediction": _written(right),
                    "wrong_basis": wrong.basis,
                    "right_basis": right.basis,
                }
            )
    return rows


def _written(first: First) -> str:
    """Write a logit so that it is read back as it is; empty where there is none."""
    return "" if first.value is None else repr(first.value)
