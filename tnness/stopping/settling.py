"""`Settling`: the rule of a run that jumps towards its steady state; it is over when no jump is worth making."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tnness.records.history import History
from tnness.records.record import BURSTS
from tnness.records.values import Estimates, Values, change, scale, size
from tnness.stopping.discretisation import ends_apart
from tnness.stopping.protocol import Measure, Rule
from tnness.stopping.tails import CAUTION
from tnness.stopping.target import FLOOR, Target, worst
from tnness.stopping.waiting import TO_COME, Place, Waiting

NOT_SETTLED = "not settled: raise --chi or the time between jumps (--set burst=...)"


class Jumping(Protocol):
    """A run that proposes states to jump to.

    trace: one row per proposal, its columns named by `BURSTS`. predicted: absolute change still to come of every
    element, by the last decision; an observable that is missing counts as infinite.
    """

    trace: list[tuple[float, ...]]
    predicted: Values

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
        """A view of the proposed state, or None while there is none."""
        ...

    @property
    def uncertainty(self) -> float:
        """Factor by which the steady state may be further away than the proposed state."""
        ...

    @property
    def late(self) -> float:
        """The time from which on the fast relaxation is over and the measurements show the slow drift alone."""
        ...

    @property
    def windows(self) -> tuple[float, ...]:
        """The times from which on drifts are measured; each may be the one that counts."""
        ...

    def changes_to_come(self, jumps: Values, slopes: Sequence[Values], late: Values) -> tuple[Values, Values]:
        """Return the changes of every element by jumps, and by the slow drift.

        jumps: by the proposed jump. slopes: the drift in each of `windows`. late: the means of the late part of the
        burst.
        """
        ...

    def ends_with(self, now: Values, then: Values, late: Values) -> Values:
        """Return the final values of a coarse stage.

        now, then: before and after the proposed jump. late: the means of the late part of the burst.
        """
        ...

    def decide(self, predicted: Values, jump: float, drift: float, tolerance: float) -> None:
        """Jump to the proposed state or not, given the changes that the jump would make."""
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
        """True where the present stage has used up its bursts without settling."""
        ...

    def start_again(self) -> bool:
        """Append a stage that settles from another state; return False if none is wanted."""
        ...

    @property
    def repeated(self) -> Sequence[tuple[int, int]]:
        """Pairs of stages that should have reached the same state."""
        ...


class Settling(Rule):
    """The rule of a run that jumps: the run itself says when a stage is settled, given the changes by its jumps.

    Parameters
    ----------
    run: proposes jumps and decides on them. target: the error that is asked for, all kinds together: a jump that
        changes the observables by a small part of it is not worth making.
    """

    judges = True
    unfinished = NOT_SETTLED
    """The outcome of a run that ends before its last stage."""

    def __init__(self, run: Jumping, target: Target) -> None:
        self.run, self.target = run, target

    @property
    def stage(self) -> int:
        """The number of the present stage."""
        return self.run.stage

    def seen(self, history: History, measure: Measure) -> None:
        """Measure the changes that a proposed jump would make, and let the run decide on the jump."""
        run = self.run
        if run.proposal is None:
            return
        now, then = history.last_of(run.stage) or {}, measure(run.proposal)
        jumps = {name: run.uncertainty * np.abs(change(now[name], then[name])) for name in then}
        slopes = [history.slopes(run.stage, time) for time in run.windows]
        late = history.means(run.stage, run.late)
        jumps, drifts = run.changes_to_come(jumps, slopes, late)
        jump, drift = (
            max((size(moved[k]) / max(scale(now[k]), scale(then[k]), FLOOR) for k in then), default=0.0)
            for moved in (jumps, drifts)
        )
        run.decide({name: np.maximum(jumps[name], drifts[name]) for name in then}, jump, drift, self._wanted)
        if run.settled and not run.last:
            history.add(run.time, run.stage, run.ends_with(now, then, late))

    @property
    def _wanted(self) -> float:
        """The relative change below which a jump is not worth making."""
        return TO_COME * self.target.relative

    def over(self, history: History) -> bool:
        """Return whether no jump is worth making any more."""
        return self.run.settled

    def stalled(self, history: History) -> bool:
        """Return whether the present stage has used up its bursts."""
        return self.run.exhausted

    def next_stage(self, history: History) -> bool:
        """Append a stage from another state, if one is wanted; `Ladder` enters it."""
        return self.run.start_again()

    def errors(self, history: History) -> Estimates:
        """Return bounds on the change still to come, by the last proposal or drift; the bracket where it is larger."""
        spread, predicted = self.bracket(history), self.run.predicted
        unknown = {name: np.full_like(series[-1], math.inf) for name, series in history.values.items()}
        return {
            "relaxation": {
                name: np.maximum(CAUTION * predicted.get(name, infinite), spread.get(name, 0.0))
                for name, infinite in unknown.items()
            }
        }

    def remaining(self, history: History, stage: int) -> Values | None:
        """Return None: what is to come after a stage of jumps is part of its last values."""
        return None

    def bracket(self, history: History) -> Values:
        """Return for every element the largest distance between stages that should have reached the same state."""
        apart = [ends_apart(history, first, second) for first, second in self.run.repeated]
        return {name: np.max([ends[name] for ends in apart], axis=0) for name in apart[0]} if apart else {}

    def figures(self, history: History) -> dict[str, float]:
        """Return the relative change still to come, the numbers of bursts and jumps, and the bracket, if any."""
        last = history.last_of(self.stage)
        figures = {
            "relaxation": worst(self.errors(history)["relaxation"], last),
            "bursts": float(len(self.run.trace)),
            "jumps": float(sum(row[-1] for row in self.run.trace)),
        }
        bracket = self.bracket(history)
        return figures | ({"bracket": worst(bracket, last)} if bracket else {})

    def verdict(self, history: History) -> str:
        """Return that the run has not settled, or that it has and no other error is estimated."""
        if self.over(history):
            return "settled, but no error estimate of the time step and of truncation"
        return NOT_SETTLED

    def status(self, history: History) -> str:
        """Return the change still to come by the last proposal, as a text with the tolerance."""
        return f"to come={self.to_come(history)} (wanted {self._wanted:.0e})"

    def to_come(self, history: History) -> str:
        """Return the relative change by the last proposal as a text."""
        rows = [row for row in self.run.trace if row[0] == self.stage]
        return f"{max(rows[-1][2], rows[-1][3]):.1e}" if rows else "-"

    def course(self) -> Mapping[str, tuple[str, Any, Mapping[str, str]]]:
        """Return the columns of `BURSTS`, with one entry per burst."""
        columns = np.array(self.run.trace, dtype=float).reshape(-1, len(BURSTS)).T
        return {
            name: ("burst", column, {"units": unit, "long_name": meaning})
            for (name, (unit, meaning)), column in zip(BURSTS.items(), columns, strict=True)
        }


class Doubting(Jumping, Place, Protocol):
    """A run that jumps, until it finds a reason to wait.

    waits: the reason; empty while it jumps. waits_since: the time from which on it waits.
    """

    waits: str
    waits_since: float


class SettlingOrWaiting(Rule):
    """The rule of a run that jumps while its jumps can be trusted, and waits from then on.

    A run that begins to wait forgets what its present stage has measured: jumps are no relaxation.

    Parameters
    ----------
    run: the run. target: the error that is asked for, all kinds together.
    """

    judges = True

    def __init__(self, run: Doubting, target: Target) -> None:
        self.run, self.settling, self.waiting = run, Settling(run, target), Waiting(target, run)

    @property
    def _rule(self) -> Settling | Waiting:
        return self.waiting if self.run.waits else self.settling

    @property
    def waits(self) -> bool:
        """Whether stages are over by waiting."""
        return bool(self.run.waits)

    @property
    def unfinished(self) -> str:
        """The outcome of a run that ends before its last stage."""
        return self._rule.unfinished

    @property
    def stage(self) -> int:
        """The number of the present stage."""
        return self.run.stage

    def seen(self, history: History, measure: Measure) -> None:
        """Let the run decide on a proposed jump."""
        if not self.run.waits:
            self.settling.seen(history, measure)
        indices = history.of(self.stage)
        if self.run.waits and indices and history.times[indices[0]] < self.run.waits_since:
            now = history.last_of(self.stage) or {}
            history.forget(self.stage)
            history.add(self.run.time, self.stage, now)

    def over(self, history: History) -> bool:
        """Return whether the present stage has come to its end."""
        return self._rule.over(history)

    def stalled(self, history: History) -> bool:
        """Return whether more time would not bring the present stage to its end."""
        return self._rule.stalled(history)

    def next_stage(self, history: History) -> bool:
        """Return False: there are no further stages."""
        return False

    def errors(self, history: History) -> Estimates:
        """Return bounds on the relaxation still to come."""
        return self._rule.errors(history)

    def errors_of(self, history: History, stage: int) -> Values:
        """Return bounds on what was still to come when a stage of waiting ended."""
        return self.waiting.errors_of(history, stage)

    def remaining(self, history: History, stage: int) -> Values | None:
        """Return the change that was still to come when a stage of waiting ended; None for one of jumps."""
        indices = history.of(stage)
        jumped = not indices or history.times[indices[0]] < self.run.waits_since
        return None if jumped else self.waiting.remaining(history, stage)

    def rate(self, history: History) -> float:
        """Return the slowest rate (1 / time) that was seen while the run waited; NaN where there is none."""
        return self.waiting.rate(history)

    def figures(self, history: History) -> dict[str, float]:
        """Return the figures of the present rule, and how many bursts and jumps there were."""
        return dict(self.settling.figures(history)) | dict(self._rule.figures(history))

    def verdict(self, history: History) -> str:
        """Return what the present rule says."""
        return self._rule.verdict(history)

    def status(self, history: History) -> str:
        """Return the change still to come, as a text with the tolerance, and why the run waits, if it does."""
        return self._rule.status(history) + (f", waits: {self.run.waits}" if self.run.waits else "")

    def to_come(self, history: History) -> str:
        """Return the relative change still to come as a text."""
        return self._rule.to_come(history)

    def course(self) -> Mapping[str, tuple[str, Any, Mapping[str, str]]]:
        """Return the bursts."""
        return self.settling.course()
