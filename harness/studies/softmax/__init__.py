"""Log-sum-exp and softmax cross-entropy of K classes: every form against its bound, and where forms fail."""

from __future__ import annotations

from harness.numbers.formats import format_named
from harness.studies.softmax.answer import answer
from harness.studies.softmax.cases import equal_rows, gap_rows, growth_rows, pair_rows, special_rows
from harness.studies.softmax.figures import draw_gap, draw_growth
from harness.studies.softmax.reading import READING
from harness.studies.softmax.rows import study_rows
from harness.studies.study import Parameters, Study, Tables


def run(parameters: Parameters, part: str) -> Tables:
    """Measure every form in one format; the part is the format's name."""
    fmt = format_named(part)
    by_gap, confident = gap_rows(fmt)
    return {
        "softmax": study_rows(fmt, parameters),
        "softmax_confident": confident,
        "softmax_equal": equal_rows(fmt, parameters),
        "softmax_special": special_rows(fmt) if part == "float32" else [],  # alike in every format, which is tested
        "softmax_pairs": pair_rows(fmt, parameters),
        "softmax_growth": growth_rows(fmt, parameters),
        "softmax_gap": by_gap,
    }


STUDY = Study(run, answer, draw={"softmax_growth": draw_growth, "softmax_gap": draw_gap}, reading=READING)
