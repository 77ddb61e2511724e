"""NumPy's loops: the same on every x86-64 machine, and named where they are not."""

import os
import subprocess
import sys

import pytest

from harness.workflow.provenance import functions_differ, provenance

VARIABLE = "NPY_DISABLE_CPU_FEATURES"
FEATURES = "import numpy as np; print(*np.show_config(mode='dicts')['SIMD Extensions'].get('found', []))"
WIDER = {"X86_V4", "AVX512_ICL", "AVX512_SPR"}


def features(script: str, **variables: str) -> set[str]:
    """Return the CPU features that NumPy uses in a Python process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE} | variables
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split())


def test_the_harness_takes_no_loops_that_other_machines_lack():
    own = features(FEATURES)
    assert features(f"import harness; {FEATURES}") == own - WIDER


def test_the_users_choice_of_loops_stands():
    """Negative control: without the harness's choice a machine with AVX-512 shows it."""
    own = features(FEATURES)
    assert features(f"import harness; {FEATURES}", **{VARIABLE: ""}) == own
    assert features(f"import harness; {FEATURES}", **{VARIABLE: "X86_V3"}) == own - {"X86_V3"}


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("simd", ["X86_V9"], "made with simd X86_V9;"),
        ("simd", [], "simd none;"),
        ("libc", "glibc 2.1", "libc glibc 2.1;"),
    ],
)
def test_what_differs_is_named(key, value, text):
    assert text in functions_differ(provenance() | {key: value})


def test_what_does_not_touch_the_functions_does_not_count():
    assert functions_differ(provenance() | {"commit": "0", "python": "3.99"}) == ""
    assert functions_differ({}) == ""
