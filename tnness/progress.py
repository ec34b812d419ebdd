"""What a run shows while it works, and how it is told to stop."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from tqdm import tqdm

from tnness.engines.protocol import Run
from tnness.relaxation import Tail

REDRAW = 0.1
"""Seconds between two drawings of the bar."""
NOTES = 10
"""Lines that a time evolution writes where there is no terminal."""


class Progress:
    """A bar where stderr is a terminal, a line per stage where it is not, nothing where it is not wanted.

    Parameters
    ----------
    name: of the model. shown: whether anything is written. total: times of an evolution, 0 for a steady state.
    done: of these, how many are past already.
    """

    def __init__(self, name: str, shown: bool, total: int = 0, done: int = 0) -> None:
        terminal = sys.stderr.isatty()
        self.name, self.total, self.done = name, total, done
        self.notes = shown and not terminal
        self.started = self._drawn = time.monotonic()
        form = None if total else "{desc} [{elapsed}{postfix}]"
        self.bar = tqdm(
            total=total or None, initial=done, disable=not (shown and terminal), desc=name, bar_format=form, leave=False
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *details: object) -> None:
        self.bar.close()

    def relaxing(self, run: Run, chi: int, tail: Tail | None, tolerance: float) -> None:
        """Show a steady state's stage, time and what is still to come."""
        if self._due():
            self.bar.set_description_str(_stage(run), refresh=False)
            to_come = _to_come(tail)
            self.bar.set_postfix_str(f"t={run.time:.4g} bond={chi} to come={to_come} (wanted {tolerance:.0e})")

    def stage_over(self, run: Run, tail: Tail | None) -> None:
        """Note the end of a stage."""
        self._note(f"{_stage(run)} done at t = {run.time:.4g}, still to come {_to_come(tail)}")

    def evolving(self, run: Run, chi: int) -> None:
        """Show an evolution's time and bond dimension."""
        if self._due():
            self.bar.set_postfix_str(f"t={run.time:.4g} chi={chi} discarded={run.discarded:.1e}")

    def measured(self, run: Run) -> None:
        """Count one of the times."""
        self.bar.update(1)
        self.done += 1
        if self.done * NOTES // self.total > (self.done - 1) * NOTES // self.total:
            self._note(f"{self.done} of {self.total} times done, t = {run.time:.4g}, discarded {run.discarded:.1e}")

    def _due(self) -> bool:
        if self.bar.disable or time.monotonic() - self._drawn < REDRAW:
            return False
        self._drawn = time.monotonic()
        return True

    def _note(self, text: str) -> None:
        if self.notes:
            sys.stderr.write(f"{self.name}: {text}, after {time.monotonic() - self.started:.1f} s\n")
            sys.stderr.flush()


class Fraction:
    """A bar of the fraction done, where stderr is a terminal and it is wanted."""

    def __init__(self, name: str, shown: bool) -> None:
        terminal = sys.stderr.isatty()
        form = "{desc} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]"
        self.bar = tqdm(total=1.0, disable=not (shown and terminal), desc=name, bar_format=form, leave=False)

    def __enter__(self) -> Fraction:
        return self

    def __exit__(self, *details: object) -> None:
        self.bar.close()

    def show(self, text: str, fraction: float) -> None:
        """Show what is being done, and which fraction of it is done."""
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update(min(fraction, 1.0) - self.bar.n)


class Stop:
    """Turns the first SIGINT or SIGTERM into a request to stop between steps; a second SIGINT stops at once."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *details: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True


def _stage(run: Run) -> str:
    return f"stage {run.stage + 1}/{len(run.stage_names)} ({run.stage_names[run.stage]})"


def _to_come(tail: Tail | None) -> str:
    return "-" if tail is None or math.isinf(tail.relative) else f"{tail.relative:.1e}"
