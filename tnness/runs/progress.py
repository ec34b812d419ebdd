"""The progress that a run shows, and the signals that stop it."""

from __future__ import annotations

import logging
import math
import signal
import sys
import threading
import time
import warnings
from types import FrameType
from typing import Any

from tqdm import TqdmWarning, tqdm

from tnness.display.messages import MESSAGES, is_open
from tnness.errors import Doubt, Interrupted

REDRAW = 0.1
"""Seconds between two drawings of the bar."""
HANGUP = getattr(signal, "SIGHUP", None)
"""The signal of a terminal that closes; None where there is none, on Windows."""
STOPPING = (signal.SIGINT, signal.SIGTERM, *([] if HANGUP is None else [HANGUP]))
"""Signals that ask a run to stop."""
NOTES = 10
"""Lines that a time evolution writes where there is no terminal."""


def bar_class() -> type[tqdm[Any]]:
    """Return the class of progress bars: in a notebook, that of tqdm for notebooks.

    `tqdm.auto`, which tells the two apart, is imported only beside IPython: it takes a tenth of a second.
    """
    if "IPython" not in sys.modules:
        return tqdm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # a notebook without widgets: bars of text
        from tqdm.auto import tqdm as auto
    return auto


def draws_bars() -> bool:
    """Return whether a bar can be drawn: on a terminal, or in a notebook that has widgets."""
    on_terminal = is_open(sys.stderr) and sys.stderr.isatty()
    return on_terminal or any(cls.__name__ == "tqdm_notebook" for cls in bar_class().__mro__)


class Progress:
    """Shows a bar if stderr is a terminal or in a notebook, else a line per stage; nothing if `shown` is False.

    Lines go through `logging`, under the name `tnness`.

    Parameters
    ----------
    name: of the model. shown: whether anything is written. total: number of times of an evolution, 0 for a steady
        state.
    """

    def __init__(self, name: str, shown: bool, total: int = 0) -> None:
        drawn = draws_bars()
        self.name, self.total, self.done = name, total, 0
        self.notes = shown and not drawn
        self.started = self._drawn = time.monotonic()
        form = None if total else "{desc} [{elapsed}{postfix}]"
        hidden = not (shown and drawn)
        self.bar = bar_class()(total=total or None, disable=hidden, desc=name, bar_format=form, leave=False)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *details: object) -> None:
        self.bar.close()

    def skip(self, done: int) -> None:
        """Count the times that an earlier run has measured."""
        if self.total and done > 0:
            self.done = done
            self.bar.update(done)

    def show(self, stage: str, text: str, fraction: float = math.nan) -> None:
        """Show the stage and a text, and the fraction done if it is known and the bar counts no times."""
        if self.bar.disable or time.monotonic() - self._drawn < REDRAW:
            return
        self._drawn = time.monotonic()
        if stage:
            self.bar.set_description_str(stage, refresh=False)
        share = "" if self.total or math.isnan(fraction) else f" ({min(fraction, 1.0):.0%})"
        self.bar.set_postfix_str(f"{text}{share}")

    def stage_over(self, stage: str, at: float, ended: str) -> None:
        """Note the end of a stage."""
        if stage:
            self._note(f"{stage} done at t = {at:.4g}, {ended}")

    def measured(self, text: str) -> None:
        """Count one time as measured."""
        self.bar.update(1)
        self.done += 1
        if self.done * NOTES // self.total > (self.done - 1) * NOTES // self.total:
            self._note(f"{self.done} of {self.total} times done, {text}")

    def note(self, text: str, level: int = logging.INFO) -> None:
        """Tell the user a line, beside the bar. level: of `logging`."""
        if self.notes:
            self._note(text, level)
        elif not self.bar.disable:
            MESSAGES.log(level, "%s: %s", self.name, text)

    def doubt(self, text: str) -> None:
        """Say that something may be wrong: as a note, or as a warning where no progress is shown."""
        if self.bar.disable and not self.notes:
            warnings.warn(f"{self.name}: {text}", Doubt, stacklevel=2)
        self.note(text, logging.WARNING)

    def _note(self, text: str, level: int = logging.INFO) -> None:
        if self.notes:
            MESSAGES.log(level, "%s: %s, after %.1f s", self.name, text, time.monotonic() - self.started)


class Stop:
    """Turns the first signal to stop into a request to stop between steps; a second SIGINT stops at once.

    number: of the signal that came; 0 before. SIGHUP counts where it is not ignored, as `nohup` has it ignored.
    at_once: whether the first signal stops at once: as long as there is nothing to save.
    """

    def __init__(self, at_once: bool = False) -> None:
        self.number, self.at_once = 0, at_once
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                if number == HANGUP and signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *details: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number
        if self.at_once:
            raise Interrupted("interrupted before the first step", self.number)

    @property
    def requested(self) -> bool:
        """True once a signal has come."""
        return self.number != 0
