"""Check every claim, ask the libraries that claims are about, and find from which logit on losses are wrong."""

from __future__ import annotations

from collections.abc import Sequence

from harness.studies.claims import of_formulas, of_libraries  # noqa: F401 - they enter their claims
from harness.studies.claims.asking import LIBRARIES, Results, ask_all
from harness.studies.claims.entry import CLAIMS, Claim, in_order
from harness.studies.claims.instruments import FORMATS, first_off
from harness.studies.study import Parameters, Tables
from harness.tables.rows import Row, significant

# The forms that claims are about.
KERNELS = (
    "sigmoid_naive", "sigmoid_clip_1e-7", "sigmoid_clip_1e-12", "sigmoid_clip_1e-15", "sigmoid_add_eps_1e-7",
    "sigmoid_clamp_log_100", "lse_log", "linear_softplus", "lse_log1p", "softplus_pair",
)  # fmt: skip
FARTHEST = 50.0  # the logit up to which a form is said to fail


def run(parameters: Parameters, part: str) -> Tables:
    """Check every claim of the list; find where the forms that they are about fail."""
    return {**checked(CLAIMS), "claims_limits": limit_rows()}


def checked(claims: Sequence[Claim]) -> Tables:
    """Ask the libraries once, check the claims, and return a row for each claim and for each library."""
    results = ask_all([(k, line) for c in claims for k, lines in (c.lines or {}).items() for line in lines])
    return {"claims": [c.row(results) for c in in_order(claims)], "claims_libraries": library_rows(results)}


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


def limit_rows() -> list[Row]:
    """Return for each kernel and format the logits nearest to 0, y = 0, at which the loss is more than 5 % off."""
    return [
        {
            "kernel": kernel,
            "format": fmt,
            "target": "0",
            "wrong_prediction": _first(kernel, fmt, 1),
            "right_prediction": _first(kernel, fmt, -1),
        }
        for kernel in KERNELS
        for fmt in FORMATS
    ]


def _first(kernel: str, fmt: str, side: int) -> str:
    """Return the first logit on one side of 0, up to ±50, that is off or not finite; empty where none is."""
    first = first_off(kernel, fmt, "0", side)
    return "" if first is None or abs(first) > FARTHEST else significant(first)
