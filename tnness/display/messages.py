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
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from tqdm import tqdm

MESSAGES = logging.getLogger("tnness")
"""Where all messages go. Progress is told at the level INFO, what may be wrong at WARNING."""
SILENCE = 30.0
"""Longest silence in seconds of what computes many points, where no bar is drawn."""
FIRST = 5.0
"""Longest silence in seconds before the first step of a run."""


def is_open(stream: Any) -> bool:
    """Return whether a stream can be written to: where a program is started with a closed stderr, there is none."""
    return stream is not None and not getattr(stream, "closed", False)


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
        if not is_open(sys.stderr):
            return
        with suppress(OSError, ValueError):  # a stderr that is full tells nothing, and stops nothing
            tqdm.write(self.format(record), file=sys.stderr)
            sys.stderr.flush()


def tell_at(level: int) -> None:
    """Set the lowest level of what is told: `logging.WARNING` is quiet, `logging.INFO` tells of progress."""
    MESSAGES.setLevel(level)


_WATCHED: ContextVar[threading.Event | None] = ContextVar("end of the watch", default=None)


def ready() -> None:
    """End the watch of `never_silent` around: what is computed now tells of itself."""
    over = _WATCHED.get()
    if over is not None:
        over.set()


@contextmanager
def never_silent(name: str, longest: float = SILENCE, first: float | None = None) -> Iterator[None]:
    """Tell that something is still computed whenever nothing has been told for a while, until `ready` is called.

    name: of what is computed. longest: silence (seconds). first: the longest before the first word; default: as later.
    """
    over, begun = threading.Event(), time.monotonic()
    ready()
    token = _WATCHED.set(over)

    def watch() -> None:
        allowed = longest if first is None else first
        while not over.wait(max(0.01, LINES.last + allowed - time.monotonic())):
            if time.monotonic() - LINES.last >= allowed:
                allowed = longest
                wall, cpu = time.monotonic() - begun, time.process_time()
                MESSAGES.info("%s: computing for %.0f s, %.0f s of processor time in this process", name, wall, cpu)
                LINES.last = time.monotonic()  # told, or silenced

    watcher = threading.Thread(target=watch, name="tnness-never-silent", daemon=True)
    LINES.last = time.monotonic()
    watcher.start()
    try:
        yield
    finally:
        _WATCHED.reset(token)
        over.set()
        watcher.join()


def _is_console(handler: logging.Handler) -> bool:
    return getattr(handler, "stream", None) in (sys.stderr, sys.__stderr__, sys.stdout, sys.__stdout__)


LINES = Lines()
MESSAGES.addHandler(LINES)
if MESSAGES.level == logging.NOTSET:
    MESSAGES.setLevel(logging.INFO)
