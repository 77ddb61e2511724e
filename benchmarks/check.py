"""Time `harness check` of a loss of one's own as a process: the whole command, as a user waits for it.

    python benchmarks/check.py [REPEATS]

A float32 loss with every default, one that passes and one that fails and wants a cure; then the same loss in each
library that is installed, beside its import by itself.  All of them are run in turn, REPEATS times over, so that a machine
whose speed drifts slows all alike, and beside them `import numpy, mpmath`, the yardstick: what a check costs as a multiple
of that depends on the machine least.  Prints for each command the least and the median of the wall times, the median of
the processor times, and that over the yardstick's; exits 1 where the least wall time of a NumPy loss is above LIMIT_S.
"""

import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from statistics import median

LIMIT_S = 1.5

LOSSES = {
    "numpy": """
        import numpy as np

        def passes(x, y):
            tail = np.log1p(np.exp(-np.abs(x)))
            return y * (np.maximum(-x, 0) + tail) + (1 - y) * (np.maximum(x, 0) + tail)

        def fails(x, y):
            p = 1 / (1 + np.exp(-x))
            return -(y * np.log(p) + (1 - y) * np.log(1 - p))
        """,
    "torch": """
        import torch.nn.functional as F

        def passes(input, target):
            return F.softplus(-input) * target + F.softplus(input) * (1 - target)
        """,
    "jax": """
        import jax

        @jax.jit
        def passes(logits, labels):
            return labels * jax.nn.softplus(-logits) + (1 - labels) * jax.nn.softplus(logits)
        """,
    "tensorflow": """
        import tensorflow as tf

        def passes(y_true, y_pred):
            return y_true * tf.math.softplus(-y_pred) + (1 - y_true) * tf.math.softplus(y_pred)
        """,
}


YARDSTICK = "import numpy, mpmath"


def environment() -> dict[str, str]:
    """Return the environment without what keeps Python from caching its bytecode, as no user has it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall time and its processor time, both in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=environment())
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(folder: Path) -> dict[str, list[str]]:
    """Return what is timed, by a name of two words; the losses are written into a folder."""
    found = {YARDSTICK: [sys.executable, "-c", YARDSTICK]}
    for library, source in LOSSES.items():
        if importlib.util.find_spec(library) is None:
            print(f"{library} is not installed")
            continue
        path = folder / f"{library}_loss.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        if library != "numpy":
            found[f"import {library}"] = [sys.executable, "-c", f"import {library}"]
        for name in [n for n in ("passes", "fails") if f"def {n}" in source]:
            asked = [f"{path}:{name}", "--problem", "bce_logits", "--format", "float32"]
            found[f"{library} {name}"] = [sys.executable, "-m", "harness", "check", *asked]
    return found


def main(repeats: int) -> int:
    """Print a line for each command; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        every = commands(Path(folder))
        for command in every.values():
            timed(command)  # writes the bytecode
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in every}
        for _ in range(repeats):
            for name, command in every.items():
                runs[name].append(timed(command))
    yardstick = median(cpu for _, cpu in runs[YARDSTICK])
    for name, found in runs.items():
        wall, cpu = min(w for w, _ in found), median(c for _, c in found)
        middle = median(w for w, _ in found)
        print(
            f"{name:22} {wall:.2f} s, median {middle:.2f} s; processors {cpu:.2f} s, {cpu / yardstick:.1f} x the yardstick"
        )
    slow = [n for n, found in runs.items() if n.startswith("numpy") and min(w for w, _ in found) > LIMIT_S]
    print(f"{repeats} runs of each in turn; limit {LIMIT_S} s; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
