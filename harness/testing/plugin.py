"""The pytest plugin: a marker that makes one test of each format or of each budget, and the fixture that runs it.

    @pytest.mark.ulp_within(problem="bce_logits", formats=["float16", "float32"], max_ulp=4)
    def test_loss(ulp_case):
        ulp_case.check(my_loss)

    @pytest.mark.ulp_budgets("budgets.yaml")
    def test_budgets(ulp_case):
        ulp_case.check()

pytest loads this module at every start: it imports nothing of the harness before a marked test is collected.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

MARKERS = (
    "ulp_within(problem, formats, max_ulp=4, targets=None): one test for each format, by the fixture ulp_case",
    "ulp_budgets(path): one test for each budget that `harness budget` wrote to a file, by the fixture ulp_case",
)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers of this module, so that pytest knows them where it is strict about markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a case of each format or budget that a test's marker names."""
    if "ulp_case" not in metafunc.fixturenames:
        return
    from harness.testing.case import budget_cases, format_cases

    cases: list[Any] = []
    for marker in metafunc.definition.iter_markers("ulp_within"):
        cases += format_cases(*marker.args, **marker.kwargs)
    for marker in metafunc.definition.iter_markers("ulp_budgets"):
        cases += budget_cases(Path(metafunc.definition.path).parent / marker.args[0])
    if not cases:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid} asks for ulp_case and has no marker ulp_within or ulp_budgets"
        )
    metafunc.parametrize("ulp_case", cases, ids=[case.name for case in cases])
