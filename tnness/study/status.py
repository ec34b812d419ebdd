"""The progress of a sweep, read from its store while other processes fill it. No record is opened for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tnness.display.page import escaped, html_table
from tnness.study.store import Failure, Store
from tnness.typed import typed

RECENT = 200
"""Number of latest finished points from which the present rate is computed."""


@dataclass(frozen=True)
class Status:
    """The progress of a sweep.

    asked: number of points of all requests. done, running, failed, damaged: numbers of these points; a damaged one has
    a file that is cut short or holds another point. rate: points finished per
    second while any are running; 0 if it is not known. failures: of the points that failed.
    """

    folder: Path
    asked: int
    done: int
    running: int
    failed: int
    rate: float
    failures: tuple[Failure, ...]
    damaged: int = 0

    @property
    def missing(self) -> int:
        """Number of points that no process has computed or is computing."""
        return self.asked - self.done - self.running - self.failed - self.damaged

    @property
    def seconds_left(self) -> float | None:
        """Expected time to the end at the present rate; None where nothing is running or no rate is known."""
        return (self.missing + self.running) / self.rate if self.running and self.rate > 0 else None

    def __str__(self) -> str:
        lines = [f"{self.asked} points: {self.done} done, {self.running} running, {self.failed} failed, "]
        lines[0] += f"{self.missing} missing"
        if self.damaged:
            lines[0] += f", {self.damaged} damaged (the same sweep computes them again)"
        if self.rate > 0:
            lines.append(f"rate: {_rate(self.rate)}")
        if self.seconds_left is not None:
            end = datetime.fromtimestamp(time.time() + self.seconds_left)
            lines.append(f"expected end: {end:%Y-%m-%d %H:%M} (in {_duration(self.seconds_left)})")
        for failure in self.failures:
            values = ", ".join(f"{name} = {value}" for name, value in failure.values.items())
            lines.append(f"failed: {values}, realization {failure.realization}, seed {failure.seed}: {failure.error}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the progress for a notebook: a bar, the counts, the failures."""
        lines = "".join(f"<p>{escaped(line)}</p>" for line in str(self).splitlines() if not line.startswith("failed:"))
        return share_html(self.done, self.failed, self.asked) + lines + failures_html(self.failures)


MOST_FAILURES = 50
"""Most failures that a page lists."""


def failures_html(failures: Sequence[Failure]) -> str:
    """Return the failed points of a sweep as a table; empty where there are none."""
    if not failures:
        return ""
    rows = [
        [", ".join(f"{k} = {v}" for k, v in f.values.items()), f.realization, f.seed, f.attempts, f.error]
        for f in failures[:MOST_FAILURES]
    ]
    more = len(failures) - len(rows)
    table = html_table(["failed at", "realization", "seed", "attempts", "error"], rows)
    return table + (f"<p>and {more} more</p>" if more > 0 else "")


def share_html(done: int, failed: int, asked: int) -> str:
    """Return a bar of the points that are done (in green) and that failed (in red), as inline SVG."""
    width, height = 400, 14
    good, bad = (width * n / asked if asked else 0.0 for n in (done, failed))
    return (
        f'<svg viewBox="0 0 {width} {height}" width="100%" style="max-width:{width}px" role="img" '
        f'aria-label="{done} of {asked} done, {failed} failed"><rect width="{width}" height="{height}" fill="none" '
        f'stroke="currentColor"/><rect width="{good:.1f}" height="{height}" fill="#2f8f5b"/>'
        f'<rect x="{good:.1f}" width="{bad:.1f}" height="{height}" fill="#c4532a"/></svg>'
    )


@typed
def status(folder: str | Path) -> Status:
    """Return the progress of the sweep in a store.

    Raises
    ------
    RecordError: there is no sweep in this folder.
    """
    store = Store.open(folder)
    keys = store.keys()
    finished = {key: when for key, when in store.finished().items() if key in keys}
    damaged = store.misplaced(finished)
    for key in damaged:
        del finished[key]
    failures = {key: f for key, f in store.failures().items() if key in keys and key not in finished}
    running = [key for key in store.running() if key in keys and key not in finished]
    damaged -= {*running, *failures}
    failed = sorted((f for key, f in failures.items() if key not in running), key=lambda f: f.realization)
    rate = _recent_rate(sorted(finished.values())) if running else 0.0
    counts = (len(keys), len(finished), len(running), len(failed))
    return Status(store.folder, *counts, rate, tuple(failed), len(damaged))


def _recent_rate(times: list[float]) -> float:
    """Return the latest points per second; the time since the last one counts, so that the rate of a stall falls."""
    recent = times[-RECENT:]
    if len(recent) < 2:
        return 0.0
    spent = max(time.time(), recent[-1]) - recent[0]
    return (len(recent) - 1) / spent if spent > 0 else 0.0


def _rate(rate: float) -> str:
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if rate * seconds >= 1:
            return f"{rate * seconds:.3g} points/{unit}"
    return f"{rate * 86400:.3g} points/day"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
