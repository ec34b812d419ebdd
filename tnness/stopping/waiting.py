"""`Waiting`: a stage is over when the change still to come, by its exponential tail, is small."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from tnness.records.history import History
from tnness.records.values import Estimates, Values
from tnness.stopping.protocol import Rule
from tnness.stopping.tails import Tails
from tnness.stopping.target import Target

NOT_RELAXED = "not relaxed: raise --max-time"
SHARE = 0.5
"""Share of the error asked for that the relaxation may take, when the last stage ends."""
TO_COME = 0.1
"""Share of it that the change still to come may have, by extrapolation, when any stage ends."""
STALLED = 100
"""Fewest measurements in the first or the last stage that is called stalled."""
SOON_STALLED = 40
"""The same in a stage between them, which begins near its end and is there to be compared with."""
LOOK_EVERY = 10
"""Measurements from one look at whether a stage is stalled to the next."""
SETTLED_AFTER = 3.0
"""Fewest relaxation times in a later stage that is called stalled: it first settles into its own state."""


class Place(Protocol):
    """The present stage of a run, among all its stages."""

    @property
    def stage(self) -> int:
        """The present stage, counted from 0."""
        ...

    @property
    def stage_names(self) -> tuple[str, ...]:
        """One label per stage, e.g. `chi=32 dt=0.4`."""
        ...


class Waiting(Rule):
    """The rule that a stage is over when the extrapolated change still to come is a small part of the error asked for.

    In the last stage, a bound on that change must be small too. This rule estimates one kind of error only, so that its
    outcome is never `converged`: see `Ladder`.

    Parameters
    ----------
    target: the error that is asked for, all kinds together. place: stages of the run, which truncation may keep from
        settling; default: there is one stage, and only time can be missing.
    known_rate: a rate (1 / time) at which slow parts are known to decay; default: no rate is known.
    """

    judges = True
    waits = True
    """Whether stages are over by waiting, so that a short time at half the step tells the Trotter error."""
    unfinished = NOT_RELAXED
    """The outcome of a run that ends before its last stage."""

    def __init__(self, target: Target, place: Place | None = None, known_rate: float = math.nan) -> None:
        self.target, self.place, self.known_rate = target, place, known_rate
        self._tails = Tails(History())

    @property
    def stage(self) -> int:
        """The number of the present stage."""
        return 0 if self.place is None else self.place.stage

    @property
    def _last(self) -> bool:
        return self.place is None or self.stage == len(self.place.stage_names) - 1

    def tails(self, history: History) -> Tails:
        """Return the tails of a history."""
        if self._tails.history is not history:
            self._tails = Tails(history)
        return self._tails

    def over(self, history: History) -> bool:
        """Return whether the change still to come in the present stage is small; in the last stage, its bound too."""
        tail, last = self.tails(history).of(self.stage), history.last_of(self.stage)
        if tail is None or not self.target.excess(tail.remaining, last) <= TO_COME:
            return False
        return not self._last or self.target.excess(self._bounds(history), last) <= SHARE

    def stalled(self, history: History) -> bool:
        """Return whether truncation keeps the present stage of a run in stages from settling: it wanders to and fro.

        The last stage is stalled only if the change still to come was within the error asked for at half of its
        measurements, and still is.
        """
        tails, last, count = self.tails(history), history.last_of(self.stage), len(history.of(self.stage))
        fewest = SOON_STALLED if self.stage > 0 and not self._last else STALLED
        if self.place is None or count < fewest or count % LOOK_EVERY:
            return False
        if not self._last:
            return tails.wanders(self.stage)
        if self.stage > 0 and history.time_in(self.stage) * tails.rate() < SETTLED_AFTER:
            return False
        looks = [tail for tail in (tails.halfway(self.stage), tails.of(self.stage)) if tail is not None]
        return all(self.target.excess(tail.remaining, last) <= 1 for tail in looks) and tails.wanders(self.stage)

    def errors(self, history: History) -> Estimates:
        """Return bounds on the relaxation still to come; infinite while there are too few measurements."""
        return {"relaxation": self._bounds(history)}

    def errors_of(self, history: History, stage: int) -> Values:
        """Return bounds on what was still to come when a stage ended."""
        return self._bounds(history, stage)

    def remaining(self, history: History, stage: int) -> Values:
        """Return the change that was still to come when a stage ended, by extrapolation; empty where unknown."""
        tail = self.tails(history).of(stage)
        return {} if tail is None else tail.remaining

    def rate(self, history: History) -> float:
        """Return the slowest rate (1 / time) that is known or was seen; NaN where there is none."""
        return min((rate for rate in (self.known_rate, self.tails(history).rate()) if rate > 0), default=math.nan)

    def _bounds(self, history: History, stage: int | None = None) -> Values:
        bounds = self.tails(history).bounds(self.stage if stage is None else stage, self.known_rate)
        if bounds is not None:
            return bounds
        return {name: np.full_like(series[-1], math.inf) for name, series in history.values.items()}

    def figures(self, history: History) -> dict[str, float]:
        """Return the relative change still to come, and the rate of the relaxation."""
        tails = self.tails(history)
        tail = tails.of(self.stage)
        rate = self.known_rate if self.known_rate > 0 else tails.rate()
        return {"relaxation": tail.relative if tail else math.inf, "relaxation_rate": rate}

    def verdict(self, history: History) -> str:
        """Return why the run is not relaxed, or that it is and no other error is estimated."""
        if self.over(history):
            return "relaxed, but no error estimate of the time step and of truncation"
        return "truncation keeps it from settling: raise --chi" if self.stalled(history) else NOT_RELAXED

    def status(self, history: History) -> str:
        """Return the change still to come, as a text with the tolerance."""
        return f"to come={self.to_come(history)} (wanted {TO_COME * self.target.relative:.0e})"

    def to_come(self, history: History) -> str:
        """Return the relative change still to come as a text."""
        tail = self.tails(history).of(self.stage)
        return "-" if tail is None or math.isinf(tail.relative) else f"{tail.relative:.1e}"
