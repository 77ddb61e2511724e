"""What a command costs as a process: its least time on the processor, beside another's in the same run."""

import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def least_cpu(commands, turns=2, check=False):
    """Return the least user time of each command's process, and all that it printed.

    All are run in turn, so that a busy machine slows all alike; arguments are Python's.
    """
    spent, said = {name: [] for name in commands}, {name: set() for name in commands}
    for _ in range(turns):
        for name, command in commands.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            said[name].add(
                subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=check).stdout
            )
            spent[name].append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return {name: min(times) for name, times in spent.items()}, said
