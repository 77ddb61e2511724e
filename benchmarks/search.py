"""Search float32 as if it could not be swept, and compare with the true maxima of the exhaustive tables.

    python benchmarks/search.py [--budget N] [--seed N] [--strict] [--share S] [PROBLEM]...

One line for each kernel and target of results/tables/exhaustive_*.csv: the true maximum, the share of it
that the search found with N evaluations, and the share that a sample of as many inputs as the search looked at
finds; then the median and least of both, and how many searches reach the share S (0.99).  Exit 1 where fewer than all do,
and where this machine's functions are not those under the tables: their maxima are then others.

N is 2^12 unless said otherwise: a rehearsal of float64, where only a small part of a hot region can be seen.  2^20
evaluations see all hot regions of float32.

An evaluation is a kernel's result with its exact value.  The search also looks at inputs with the kernel
alone, up to 64 for each evaluation of the budget; with --strict so few that all of the kernel's results
together stay within the budget.
"""

import argparse
import csv
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from harness.numbers.formats import format_named
from harness.kernels import kernel_named
from harness.problems import problem_named
from harness.workflow.provenance import functions_differ
from harness.search import along, search_worst
from harness.search.space import SearchLine, cell_intervals

TABLES = Path(__file__).parent.parent / "results" / "tables"
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
    chosen = [r for r in found if (not problems or r["problem"] in problems) and r["max_ulp"] and float(r["max_ulp"])]
    if not chosen:
        sys.exit(f"no float32 row is of {', '.join(problems)}; name a problem of {TABLES}/exhaustive_*.csv")
    return chosen


@dataclass(frozen=True)
class Rehearsal:
    """Hold a true maximum in ulp, and the shares of it that a search and a sample of as many inputs found."""

    true: float
    searched: float
    sampled: float
    evaluations: int
    interpolated: int


def rehearse(row: dict[str, str], budget: int, seed: int) -> Rehearsal:
    """Search for the worst input of an exhaustive row, and sample as many inputs, evenly over the cells."""
    fmt = format_named(row["format"])
    problem, kernel = problem_named(row["problem"]), kernel_named(row["problem"], row["kernel"])
    target = fmt.parse(row["target"]) if row["target"] else None
    found = search_worst(problem, kernel, fmt, target, budget, seed)
    line, true = SearchLine(problem, fmt, target), float(row["max_ulp"])
    run = along.LineSearch(line, kernel, budget, seed)
    low, high = cell_intervals(fmt, *line.ends, budget)
    run.sample(low[None], high[None], max(1, (found.evaluations + found.interpolated) // len(low)))
    return Rehearsal(true, found.ulp / true, run.found.ulp / true, found.evaluations, found.interpolated)


def main(problems: list[str], budget: int, seed: int, wanted: float) -> int:
    """Print the comparison; return the exit status."""
    done = []
    for r in rows(problems):
        began = time.perf_counter()
        done.append(rehearse(r, budget, seed))
        d = done[-1]
        print(
            f"{r['problem']:15} {r['kernel']:28} {r['target']:4} true {d.true:12.6g} searched {d.searched:.4f}"
            f" sampled {d.sampled:.4f} evaluations {d.evaluations} interpolated {d.interpolated}"
            f" in {time.perf_counter() - began:.1f} s",
            flush=True,
        )
    for name in ("searched", "sampled"):
        shares = [getattr(d, name) for d in done]
        print(
            f"{name}: median share {statistics.median(shares):.4f}, least {min(shares):.4f};"
            f" {sum(v >= wanted for v in shares)} of {len(shares)} reach {wanted}"
        )
    return int(any(d.searched < wanted for d in done))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("problems", nargs="*", metavar="PROBLEM")
    parser.add_argument("--budget", type=int, default=1 << 12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--looked-at", type=float, default=along.LOOKED_AT)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--share", type=float, default=0.99)
    arguments = parser.parse_args()
    along.LOOKED_AT = STRICT if arguments.strict else arguments.looked_at
    sys.exit(main(arguments.problems, arguments.budget, arguments.seed, arguments.share))
