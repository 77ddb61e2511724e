"""Say on standard error how far a long pass is, and how far the whole run: share done and time left."""

from __future__ import annotations

import logging
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


class TimeLeft(logging.Handler):
    """Print the time that a run of the workflow still takes, from the jobs that it says are done.

    The rest is taken to go on as the jobs did so far: a job counts as one, whatever it takes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.began = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line for a record that counts jobs (`done` of `total`), while some are left."""
        done, total = getattr(record, "done", 0), getattr(record, "total", 0)
        if isinstance(done, int) and isinstance(total, int) and 0 < done < total:
            left = (time.monotonic() - self.began) * (total - done) / done
            print(f"about {duration(left)} left for {total - done} of {total} jobs", file=sys.stderr, flush=True)


def tell_time_left(logger: logging.Logger) -> None:
    """Let a run of the workflow tell how long it still takes; once, however often it is asked."""
    if not any(isinstance(h, TimeLeft) for h in logger.handlers):
        logger.addHandler(TimeLeft())


def duration(seconds: float) -> str:
    """Write a time as `40 s`, `12 min` or `1 h 50 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
