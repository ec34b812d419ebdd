"""`Settling`: a run that does not wait proposes states to jump to, and is over when no jump is worth making."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tnness.records.history import History
from tnness.records.record import BURSTS
from tnness.records.values import change, scale, size
from tnness.stopping.protocol import Estimates, Measure, Rule
from tnness.stopping.tails import CAUTION, FLOOR
from tnness.stopping.waiting import worst

NOT_SETTLED = "not settled: raise --chi or the time between jumps (--set burst=...)"


class Jumping(Protocol):
    """A run that proposes states to go on from.

    trace: one row per proposal, as `BURSTS` names them. predicted: what is still to come of every observable, absolute,
    as last decided; infinite for those that are missing.
    """

    trace: list[tuple[float, ...]]
    predicted: dict[str, float]

    @property
    def time(self) -> float:
        """The run's clock."""
        ...

    @property
    def stage(self) -> int:
        """The present stage."""
        ...

    @property
    def proposal(self) -> Any:
        """A view of the state to go on from, or None while there is none."""
        ...

    @property
    def uncertainty(self) -> float:
        """Factor by which the end may be further off than the proposal is."""
        ...

    @property
    def late(self) -> float:
        """The time from which on observables drift as slowly as they are going to."""
        ...

    @property
    def slowest(self) -> float:
        """The rate at which a drift ends (1 / time)."""
        ...

    def decide(self, predicted: dict[str, float], jump: float, drift: float, tolerance: float) -> None:
        """Take the proposal or not, knowing what it would change."""
        ...

    @property
    def settled(self) -> bool:
        """True where the present stage is over."""
        ...

    @property
    def last(self) -> bool:
        """True in the last stage."""
        ...

    @property
    def exhausted(self) -> bool:
        """True where the present stage had its share without settling."""
        ...

    def start_again(self) -> bool:
        """Append a stage that settles from elsewhere; False where none is wanted."""
        ...

    @property
    def repeated(self) -> Sequence[tuple[int, int]]:
        """Pairs of stages that should have come to the same end."""
        ...


class Settling(Rule):
    """The present stage is over when twice no jump would change any observable by more than the tolerance.

    Parameters
    ----------
    run: makes the proposals, and takes them or not. tolerance: relative change by a jump that may be left.
    """

    judges = True
    unfinished = NOT_SETTLED
    """The outcome of a run that is cut before its last stage."""

    def __init__(self, run: Jumping, tolerance: float) -> None:
        self.run, self.tolerance = run, tolerance

    @property
    def stage(self) -> int:
        """The number of the present stage."""
        return self.run.stage

    def seen(self, history: History, measure: Measure) -> None:
        """Measure what the jump that is proposed would change, and leave it to the run to make it."""
        run = self.run
        if run.proposal is None:
            return
        now, then = history.last_of(run.stage) or {}, measure(run.proposal)
        jumps = {name: run.uncertainty * size(change(now[name], then[name])) for name in then}
        drifts = {name: size(slope) / run.slowest for name, slope in history.slopes(run.stage, run.late).items()}
        jump, drift = (
            max((moved[k] / max(scale(now[k]), scale(then[k]), FLOOR) for k in then), default=0.0)
            for moved in (jumps, drifts)
        )
        run.decide({name: max(jumps[name], drifts[name]) for name in then}, jump, drift, self.tolerance)
        if run.settled and not run.last:
            history.add(run.time, run.stage, then)  # what the stage came to, after its last jump

    def over(self, history: History) -> bool:
        """Return whether nothing is left to jump for."""
        return self.run.settled

    def stalled(self, history: History) -> bool:
        """Return whether the present stage had its share of bursts."""
        return self.run.exhausted

    def next_stage(self, history: History) -> bool:
        """Append a start from elsewhere, where one is wanted; it is entered by the ladder."""
        return self.run.start_again()

    def errors(self, history: History) -> Estimates:
        """Return what is still to come by the last proposal or drift, and how far repeated ends are apart."""
        spread, predicted = self.bracket(history), self.run.predicted
        return {
            "relaxation": {
                name: max(CAUTION * predicted.get(name, math.inf), spread.get(name, 0.0)) for name in history.values
            }
        }

    def bracket(self, history: History) -> dict[str, float]:
        """Return how far the ends are apart of stages that should have come to the same, by observable."""
        apart = [ends_apart(history, first, second) for first, second in self.run.repeated]
        return {name: max(ends[name] for ends in apart) for name in apart[0]} if apart else {}

    def figures(self, history: History) -> dict[str, float]:
        """Return the numbers of bursts and jumps, and the bracket where one was asked for."""
        last = history.last_of(self.stage)
        figures = {
            "relaxation": worst(self.errors(history)["relaxation"], last),
            "bursts": float(len(self.run.trace)),
            "jumps": float(sum(row[-1] for row in self.run.trace)),
        }
        bracket = self.bracket(history)
        return figures | ({"bracket": worst(bracket, last)} if bracket else {})

    def verdict(self, history: History) -> str:
        """Return what keeps the run from settling, or that nothing is known beside it."""
        if self.over(history):
            return "settled, but no error estimate of the time step and of truncation"
        return NOT_SETTLED

    def status(self, history: History) -> str:
        """Return what is still to come by the last proposal."""
        return f"to come={self.to_come(history)} (wanted {self.tolerance:.0e})"

    def to_come(self, history: History) -> str:
        """Return the relative change by the last proposal as a text."""
        rows = [row for row in self.run.trace if row[0] == self.stage]
        return f"{max(rows[-1][2], rows[-1][3]):.1e}" if rows else "-"

    def course(self) -> Mapping[str, tuple[str, Any, Mapping[str, str]]]:
        """Return every burst, as `BURSTS` names them."""
        columns = np.array(self.run.trace, dtype=float).reshape(-1, len(BURSTS)).T
        return {
            name: ("burst", column, {"units": unit, "long_name": meaning})
            for (name, (unit, meaning)), column in zip(BURSTS.items(), columns, strict=True)
        }


def ends_apart(history: History, first: int, second: int, factor: float = 1.0) -> dict[str, float]:
    """Return the largest change of every observable between the ends of two stages, times a factor."""
    before, after = history.last_of(first), history.last_of(second)
    if before is None or after is None:
        return {}
    return {name: factor * size(change(before[name], after[name])) for name in after}
