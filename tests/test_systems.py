"""Systems: the supervisor survives bad libraries, and each real library answers or says why it does not."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from harness import UsageError
from harness.numbers.formats import FORMATS
from harness.problems import problem_named
from harness.systems.measure.agreement import agreement
from harness.systems.registry import Library, System, libraries, systems_of
from harness.systems.replicas import kernel_of
from harness.systems.run.supervise import Request, Result, evaluate

FAKE = """
import os, signal, sys, time
import numpy as np
from harness.systems.registry import System

__version__ = "0.1"

def raising(x):
    raise ValueError("no such thing\\nsecond line")

def printing(x):
    print("hello from Python")
    os.write(1, b'{"index": 0, "status": "ok"}\\n')
    return x

def crashing(x):
    os.kill(os.getpid(), signal.SIGSEGV)

def forking(x):
    if os.fork() == 0:
        time.sleep(60)
    os._exit(3)

def hanging(x):
    while True:
        time.sleep(1)

def missing():
    import no_such_library

def broken():
    raise OSError("half installed")

CALLS = {
    "good": lambda x: x + x, "raising": raising, "printing": printing, "crashing": crashing,
    "forking": forking, "exiting": lambda x: sys.exit(7), "hanging": hanging,
    "shape": lambda x: x[:1], "integer": lambda x: x.astype(int),
    "with_target": lambda x, y: x * y,
}

def systems(library):
    found = [System(n, library, "sigmoid", "eager", lambda f=f: f, "reciprocal") for n, f in CALLS.items()]
    found.append(System("missing", library, "sigmoid", "eager", missing, "reciprocal"))
    found.append(System("broken", library, "sigmoid", "eager", broken, "reciprocal"))
    return found
"""
X = np.array([0.5, 1.5, -2.0], np.float32)


@pytest.fixture
def fake(tmp_path: Path) -> Library:
    (tmp_path / "fake_adapter.py").write_text(textwrap.dedent(FAKE))
    return Library("fake", "fake_adapter", ("fake_adapter",), {"PYTHONPATH": str(tmp_path)})


def _run(fake: Library, *names: str, timeout_s: float = 20) -> list[Result]:
    return evaluate(fake, [Request(f"{n}:sigmoid:eager", X) for n in names], timeout_s=timeout_s)


def _is_good(result: Result) -> bool:
    return result.status == "ok" and result.output is not None and np.array_equal(result.output, X + X)


@pytest.mark.parametrize(
    "name, status, reason",
    [
        ("raising", "refused", "ValueError: no such thing"),
        ("crashing", "unavailable", "crashed with signal 11 (SIGSEGV)"),
        ("forking", "unavailable", "its process ended with exit code 3"),
        ("exiting", "unavailable", "its process ended with exit code 7"),
        ("shape", "unavailable", "returned shape (1,) for inputs of shape (3,)"),
        ("integer", "unavailable", "returned int64 for inputs of format float32"),
        ("missing", "unavailable", "not installed: No module named 'no_such_library'"),
        ("broken", "unavailable", "does not load: OSError: half installed"),
    ],
)
def test_a_bad_system_has_its_row_and_the_rest_go_on(fake: Library, name: str, status: str, reason: str) -> None:
    before, bad, after = _run(fake, "good", name, "good")
    assert (bad.status, bad.reason, bad.output) == (status, reason, None)
    assert _is_good(before) and _is_good(after)


def test_a_hang_ends_at_the_limit_and_its_system_is_not_tried_again(fake: Library) -> None:
    results = _run(fake, "good", "hanging", "hanging", "good", timeout_s=2)
    assert [r.reason for r in results] == ["", "timed out after 2 s", "timed out after 2 s", ""]
    assert _is_good(results[0]) and _is_good(results[3])


def test_prints_are_reported_and_corrupt_nothing(fake: Library) -> None:
    printing, good = _run(fake, "printing", "good")
    assert printing.status == "ok" and np.array_equal(printing.output, X)
    assert "hello from Python" in printing.printed and '"index": 0' in printing.printed
    assert _is_good(good) and good.printed == "" and good.version == "fake_adapter==0.1"


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_every_format_travels_bit_for_bit(fake: Library, name: str) -> None:
    x = FORMATS[name].from_ordinal(np.array([0, 1, 5, -7, FORMATS[name].max_ordinal]))
    (result,) = evaluate(fake, [Request("with_target:sigmoid:eager", x, np.ones((), x.dtype))])
    assert result.output is not None and result.output.dtype == x.dtype
    assert np.array_equal(FORMATS[name].ordinal(result.output), FORMATS[name].ordinal(x))


def test_unusable_requests_are_refused_with_a_sentence(fake: Library) -> None:
    with pytest.raises(UsageError, match="unknown library 'nope'; known libraries: torch"):
        evaluate("nope", [])
    with pytest.raises(UsageError, match="targets are float64"):
        evaluate(fake, [Request("good:sigmoid:eager", X, np.ones(()))])
    (result,) = evaluate(fake, [Request("nonsense", X)])
    assert (result.status, result.reason) == ("unavailable", "unknown system 'nonsense'")


def test_the_registry_imports_no_library_under_test() -> None:
    code = (
        "import sys\nfrom harness.systems.registry import libraries, systems_of\n"
        "for entry in libraries(): systems_of(entry.name)\n"
        "tested = {'torch', 'tensorflow', 'keras', 'jax', 'sklearn', 'scipy', 'xgboost'}\n"
        "print(sorted(tested & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("library", [entry.name for entry in libraries()])
def test_every_system_names_a_replica_that_computes(library: str) -> None:
    for system in systems_of(library):
        for name in system.formats:
            x = np.array([0.25, 0.75]).astype(FORMATS[name].dtype)
            inputs = (x, x) if problem_named(system.problem).has_target else (x,)
            assert kernel_of(system)(*inputs).shape == x.shape, system.key


def test_label_smoothing_moves_the_target_exactly() -> None:
    system = System("s", "l", "bce", "eager", lambda: abs, "clip_1e-7", label_smoothing=0.125)
    assert [system.effective_target(y) for y in (0.0, 1.0)] == [Fraction(1, 16), Fraction(15, 16)]


# -- real libraries: they answer, or their rows say why not -------------------------------------

LOGITS = np.array([-30.0, -1.0, 0.0, 2.0, 9.0])
PROBABILITIES = np.array([1e-3, 0.25, 0.5, 0.875])
# The rest take longer to start; all of them run in the sweep, and are registered above.
SPOT = ("torch", "tensorflow", "optax", "sklearn", "scipy", "keras-numpy", "catboost", "replica")


def _spot_requests(library: str) -> list[tuple[System, Request]]:
    """Ask each system of the quick modes at a few points, with target 1, in its last format."""
    found = []
    for s in systems_of(library):
        if s.mode in ("compile", "xla", "graph", "jit"):
            continue
        dtype = FORMATS[s.formats[-1]].dtype
        x = (PROBABILITIES if problem_named(s.problem).input == "probability" else LOGITS).astype(dtype)
        y = np.ones((), dtype) if problem_named(s.problem).has_target else None
        found.append((s, Request(s.key, x, y)))
    return found


@pytest.mark.parametrize("library", SPOT)
def test_real_systems_answer_like_their_replicas_or_say_why_not(library: str) -> None:
    asked = _spot_requests(library)
    results = evaluate(library, [request for _, request in asked], timeout_s=30)
    for (system, request), result in zip(asked, results, strict=True):
        if result.status != "ok":
            assert result.reason, system.key
            continue
        assert result.version and result.output is not None
        found = agreement(system, result.output, request.x, request.y)
        # Some 3 ulp in exp or log, doubled a few times by 1 - p: a wrong formula is far beyond.
        assert found.max_steps <= 2**6, (system.key, found)


def test_agreement_catches_a_wrong_replica_and_counts_steps() -> None:
    x = np.array([0.25, 0.5]).astype(ml_dtypes.bfloat16)
    system = System("s", "l", "bce", "eager", lambda: abs, "naive")
    right = kernel_of(system)(x, np.ones_like(x))
    assert agreement(system, right, x, np.ones((), x.dtype)).max_steps == 0
    off = FORMATS["bfloat16"].step(right, np.array([0, 3]))
    found = agreement(system, off, x, np.ones((), x.dtype))
    assert (found.max_steps, found.at, found.identical) == (3.0, 0.5, 0.5)
    assert agreement(system, -right, x, np.ones((), x.dtype)).max_steps > 2**14


def test_agreement_tells_a_flush_from_a_difference() -> None:
    x = np.array([-87.5, -1.0], np.float32)
    system = System("s", "l", "sigmoid", "eager", lambda: abs, "reciprocal")
    flushed = kernel_of(system)(x)
    assert 0 < flushed[0] < np.finfo(np.float32).tiny
    flushed[0] = 0
    found = agreement(system, flushed, x)
    assert found.max_steps > 1e6 and found.max_steps_flushed == 0


def test_agreement_counts_across_zero_in_float64() -> None:
    x = np.array([2.0, -2.0])
    system = System("s", "l", "tanh", "eager", lambda: abs, "numpy")
    assert agreement(system, np.tanh(x), x).max_steps == 0
    assert agreement(system, -np.tanh(x), x).max_steps > 2**62
    assert agreement(system, np.nextafter(np.tanh(x), 2), x).max_steps == 1


def test_a_module_computes_what_its_function_does():
    """Every name that the pages give beside a call is the same function, bit for bit; its neighbour is not."""
    torch = pytest.importorskip("torch")
    from harness.systems.adapters import torch_

    functions = {name: function for name, function, *_ in torch_.CALLS}
    of = {name: typed for name, _, _, typed, *_ in torch_.CALLS}
    assert set(torch_.MODULES) == set(functions)
    for name, also in torch_.MODULES.items():
        modules = [getattr(torch.nn, part.removeprefix("torch.nn.")) for part in also.split(" + ")]
        x = torch.linspace(0.001, 0.999, 501) if of[name] == "bce" else torch.linspace(-30, 30, 501)
        y = (torch.arange(501) % 2).float()
        result = x
        for made in modules[:-1]:
            result = made()(result)
        two = of[name].startswith("bce")
        last = modules[-1](reduction="none")(result, y) if two else modules[-1]()(result)
        assert torch.equal(last, functions[name](x, y) if two else functions[name](x)), name
        assert not torch.equal(last, functions[name](x + 0.001, y) if two else functions[name](x + 0.001))
