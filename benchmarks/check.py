"""Time `harness check` of a loss of one's own as a process: the whole command, as a user waits for it.

    python benchmarks/check.py [REPEATS]

A float32 loss with every default, one that passes and one that fails and wants a cure; then the same loss in each
library that is installed, whose import, timed by itself, is taken off.  Prints the least wall time of several runs
and the processor time of that run; exits 1 where a NumPy loss takes more than LIMIT_S.
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


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall time and its processor time, both in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least(command: list[str], repeats: int) -> tuple[float, float]:
    """Return the least wall time of several runs, with the processor time of that run."""
    return min(timed(command) for _ in range(repeats))


def main(repeats: int) -> int:
    """Print a line for each loss; return the exit status."""
    slow = 0
    with tempfile.TemporaryDirectory() as folder:
        for library, source in LOSSES.items():
            if importlib.util.find_spec(library) is None:
                print(f"{library:12} is not installed")
                continue
            path = Path(folder) / f"{library}_loss.py"
            path.write_text(textwrap.dedent(source), encoding="utf-8")
            took = least([sys.executable, "-c", f"import {library}"], repeats) if library != "numpy" else (0.0, 0.0)
            for name in [n for n in ("passes", "fails") if f"def {n}" in source]:
                target = [f"{path}:{name}", "--problem", "bce_logits", "--format", "float32"]
                wall, cpu = least([sys.executable, "-m", "harness", "check", *target], repeats)
                apart = f", {wall - took[0]:.2f} s without the library's import" if library != "numpy" else ""
                print(f"{library:12} {name:7} {wall:.2f} s, of processors {cpu:.2f} s{apart}", flush=True)
                slow += library == "numpy" and wall > LIMIT_S
    print(f"limit {LIMIT_S} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
