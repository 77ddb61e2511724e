"""Say on standard error how far a long pass is: inputs a second and time left."""

from __future__ import annotations

import sys
import time

# Short passes say nothing; long ones say a line every so many seconds.
SILENT_BELOW = 1 << 24
SECONDS = 10.0


class Progress:
    """Count inputs and report the share done, the rate, and the time left."""

    def __init__(self, label: str, total: int):
        self.label, self.total, self.done = label, total, 0
        self.began = self.said = time.monotonic()

    def __call__(self, points: int) -> None:
        """Count inputs that are done; print a line if it is time."""
        self.done += points
        now = time.monotonic()
        if self.total < SILENT_BELOW or (now - self.said < SECONDS and self.done < self.total):
            return
        self.said = now
        rate = self.done / max(now - self.began, 1e-9)
        left = (self.total - self.done) / rate
        share = 100 * self.done / self.total
        print(f"{self.label}: {share:.0f} %, {rate:.3g} inputs/s, {left:.0f} s left", file=sys.stderr, flush=True)
