"""What the package tells while it works: records of `logging` under the name `tnness`.

They go to stderr as bare lines, beside the bars that stand there, unless the program around has a console of its own
for all of `logging`. A level silences them:

    logging.getLogger("tnness").setLevel(logging.WARNING)
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

MESSAGES = logging.getLogger("tnness")
"""Where all messages go. Progress is told at the level INFO, what may be wrong at WARNING."""
SILENCE = 30.0
"""Longest silence in seconds of what computes many points, where no bar is drawn."""


class Lines(logging.Handler):
    """Writes bare lines to stderr, above any bar. It is silent where the root of `logging` has a console.

    last: when a line was written last (seconds of `time.monotonic`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.last = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self.last = time.monotonic()
        if any(_is_console(handler) for handler in logging.getLogger().handlers):
            return
        try:
            tqdm.write(self.format(record), file=sys.stderr)
            sys.stderr.flush()
        except (OSError, ValueError):  # a stderr that is closed or full tells nothing
            self.handleError(record)


def tell_at(level: int) -> None:
    """Set the lowest level of what is told: `logging.WARNING` is quiet, `logging.INFO` tells of progress."""
    MESSAGES.setLevel(level)


@contextmanager
def never_silent(name: str, longest: float = SILENCE) -> Iterator[None]:
    """Tell that something is still computed whenever nothing has been told for a while.

    name: of what is computed. longest: silence (seconds).
    """
    over, begun = threading.Event(), time.monotonic()

    def watch() -> None:
        while not over.wait(max(0.01, LINES.last + longest - time.monotonic())):
            if time.monotonic() - LINES.last >= longest:
                wall, cpu = time.monotonic() - begun, time.process_time()
                MESSAGES.info("%s: computing for %.0f s, %.0f s of processor time in this process", name, wall, cpu)
                LINES.last = time.monotonic()  # told, or silenced

    watcher = threading.Thread(target=watch, name="tnness-never-silent", daemon=True)
    LINES.last = time.monotonic()
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _is_console(handler: logging.Handler) -> bool:
    return getattr(handler, "stream", None) in (sys.stderr, sys.__stderr__, sys.stdout, sys.__stdout__)


LINES = Lines()
MESSAGES.addHandler(LINES)
if MESSAGES.level == logging.NOTSET:
    MESSAGES.setLevel(logging.INFO)
