"""A project of losses and their tests, run with the pytest plugin in a process of its own, as a user's would be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(folder: Path, losses: str, tests: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Write losses.py and its tests into a folder, and run them with further options of pytest and variables."""
    (folder / "losses.py").write_text(losses)
    (folder / "test_losses.py").write_text(f"import losses\nimport pytest\n\n{tests}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "harness.testing.plugin", "-p", "no:cacheprovider", *options]
    given = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [*command, "test_losses.py"], cwd=folder, env={**os.environ, **given, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
