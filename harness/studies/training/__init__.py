"""Does it matter for training which loss is used?  Small networks trained with every loss, in every format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness import UsageError
from harness.studies.study import Parameters, Study, Tables, joined
from harness.studies.training.answer import READING, answer
from harness.studies.training.errors import distribution, error_rows, logits_of_trained
from harness.studies.training.figures import DRAW
from harness.studies.training.rows import cause_rows, summary_rows, trained_rows
from harness.studies.training.runs import task_named


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold matrix products to one thread: the order in which BLAS sums up depends on their number.

    Raises UsageError where scikit-learn, which brings the data and the means to do so, is not installed.
    """
    try:
        import sklearn  # noqa: F401
        from threadpoolctl import threadpool_limits  # type: ignore[import-not-found,import-untyped]
    except ImportError as e:
        raise UsageError(
            "the study training needs scikit-learn, which is not installed; pip install '.[questions]' brings it"
        ) from e
    with threadpool_limits(1):
        yield


def run(parameters: Parameters, part: str) -> Tables:
    """Train on one data set with one model, or, as part `logits`, measure errors on trained models' logits."""
    with one_thread():
        if part == "logits":
            logits = distribution(logits_of_trained(parameters, parameters["trained"]))
            return {"realistic_logits": logits, "training_errors": error_rows(parameters, logits)}
        rows, curves = trained_rows(task_named(part, parameters))
        return {"training": rows, "training_curves": curves}


def combine(parameters: Parameters, parts: list[Tables]) -> Tables:
    """Join the parts' tables and add the summary and the causes."""
    found = joined(parameters, parts)
    rows = found["training"]
    return {"training_summary": summary_rows(rows), "training_causes": cause_rows(rows), **found}


STUDY = Study(run, answer, DRAW, combine, READING)
