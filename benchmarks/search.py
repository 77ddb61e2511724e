"""Search float32 as if it could not be swept, and compare with the true maxima of the exhaustive tables.

    python benchmarks/search.py [--budget N] [--seed N] [--strict] [PROBLEM]...

One line for each kernel and target of results/tables/exhaustive_*.csv: the true maximum, what the
search found with N evaluations (2^20), and their ratio; then the median and least ratio and how many
reach 0.99.  Exit 1 where a ratio is below 0.99, and where this machine's functions are not those under
the tables: their maxima are then others.

2^20 evaluations see whole hot regions of float32, which they do not in float64: `--budget 4096` is a
rehearsal of that, with one input in 2^15 looked at.

An evaluation is a kernel's result with its exact value.  The search also looks at inputs with the kernel
alone, up to 32 for each evaluation of the budget; with --strict so few that all of the kernel's results
together stay within the budget.
"""

import argparse
import csv
import json
import statistics
import sys
import time
from pathlib import Path

from harness.numbers.formats import format_named
from harness.kernels import kernel_named
from harness.problems import problem_named
from harness.workflow.provenance import functions_differ
from harness.search import along, search_worst

TABLES = Path(__file__).parent.parent / "results" / "tables"
WANTED = 0.99
STRICT = 0.2  # inputs looked at for each evaluation of the budget; the search leaves more than that of it unspent


def rows(problems: list[str]) -> list[dict[str, str]]:
    """Return the float32 rows of the exhaustive tables whose maximum is finite and not 0."""
    found = []
    for path in sorted(TABLES.glob("exhaustive_*.csv")):
        other = functions_differ(json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["provenance"])
        if other:
            sys.exit(f"{path} was {other}; run `make exhaustive` here first")
        with path.open(encoding="utf-8") as f:
            found += [r for r in csv.DictReader(f) if r["format"] == "float32" and r["exhaustive"].lower() == "true"]
    if not found:
        sys.exit(f"{TABLES} has no exhaustive_*.csv; run `make exhaustive` first")
    return [r for r in found if (not problems or r["problem"] in problems) and r["max_ulp"] and float(r["max_ulp"])]


def main(problems: list[str], budget: int, seed: int) -> int:
    """Print the comparison; return the exit status."""
    fmt = format_named("float32")
    ratios = []
    for r in rows(problems):
        problem, kernel = problem_named(r["problem"]), kernel_named(r["problem"], r["kernel"])
        target = fmt.parse(r["target"]) if r["target"] else None
        name = f"{r['problem']:15} {r['kernel']:20} {r['target']:4}"
        began = time.perf_counter()
        found = search_worst(problem, kernel, fmt, target, budget, seed)
        ratios.append(found.ulp / float(r["max_ulp"]))
        print(
            f"{name} true {float(r['max_ulp']):12.6g} found {found.ulp:12.6g} ratio {ratios[-1]:.4f}"
            f" evaluations {found.evaluations} interpolated {found.interpolated} in {time.perf_counter() - began:.1f} s",
            flush=True,
        )
    below = sum(v < WANTED for v in ratios)
    print(
        f"median ratio {statistics.median(ratios or [0]):.4f}, least {min(ratios, default=0):.4f};"
        f" {len(ratios) - below} of {len(ratios)} reach {WANTED}"
    )
    return int(below > 0 or not ratios)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("problems", nargs="*", metavar="PROBLEM")
    parser.add_argument("--budget", type=int, default=1 << 20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--looked-at", type=float, default=along.LOOKED_AT)
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    along.LOOKED_AT = STRICT if arguments.strict else arguments.looked_at
    sys.exit(main(arguments.problems, arguments.budget, arguments.seed))
