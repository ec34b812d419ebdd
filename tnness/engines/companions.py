"""Companions: runs beside a time evolution, at other settings, from which its errors are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Start
from tnness.engines.protocol import Companion, Engine, Report, Run
from tnness.errors import NumericalError
from tnness.records.record import Record
from tnness.records.snapshot import Snapshot
from tnness.stopping.compared import Compared
from tnness.stopping.protocol import Rule

ASIDE = "companion_"
"""Prefix, in a snapshot, of a companion's arrays and numbers: `companion_KIND_NAME`."""
Sizes = Mapping[str, NDArray[np.float64]]
LOST = "lost"
"""Number, in a snapshot, that a companion leaves whose state was lost."""


@dataclass
class Accompanied:
    """A time evolution with its companions.

    Parameters
    ----------
    main: the run itself. companions: kind of error -> a companion, or None where that kind does not exist.
    beside: kind of error -> the run of its companion. lost: kinds whose companion lost its state.
    """

    main: Run
    companions: Mapping[str, Companion | None]
    beside: dict[str, Run]
    lost: set[str] = field(default_factory=set)

    @property
    def time(self) -> float:
        """The clock of the run that is furthest behind."""
        return min(run.time for run in (self.main, *self.beside.values()))

    @property
    def discarded(self) -> float:
        """The weight that the main run has dropped; NaN where its engine does not say."""
        return float(getattr(self.main, "discarded", math.nan))

    @property
    def trace_drift(self) -> float:
        """The drift of the main run's trace; NaN where its engine does not say."""
        return float(getattr(self.main, "trace_drift", math.nan))

    @property
    def truncated(self) -> float:
        """A bound on the share of the main run's state that truncation has changed; infinite where it is not known."""
        return float(getattr(self.main, "truncated", math.inf))

    @property
    def factors(self) -> dict[str, float | None]:
        """Kind of error -> factor of the difference; None where that kind does not exist."""
        return {kind: None if each is None else each.factor for kind, each in self.companions.items()}

    @property
    def views(self) -> dict[str, Any]:
        """Kind of error -> the view of its companion; None where its state was lost."""
        return {kind: None if kind in self.lost else run.view() for kind, run in self._all.items()}

    @property
    def _all(self) -> dict[str, Any]:
        return {kind: self.beside.get(kind) for kind, each in self.companions.items() if each is not None}

    def apart(self, kind: str) -> float:
        """Return the largest difference of a companion's one- and two-site marginals from the run's; 0 if unknown."""
        first, second = (getattr(run, "marginals", None) for run in (self.main, self.beside.get(kind)))
        if first is None or second is None:
            return 0.0
        return float(np.abs(first() - second()).max(initial=0.0))

    def step(self, until: float | None = None) -> Report:
        """Advance the run that is furthest behind, the main run first."""
        behind = self.time
        if self.main.time <= behind:
            return self.main.step(until)
        kind = next(kind for kind, run in self.beside.items() if run.time <= behind)
        try:
            report = self.beside[kind].step(until)
        except NumericalError:
            self.lost.add(kind)
            del self.beside[kind]
            return Report(self.time, text=f"the companion for {kind} is lost")
        return replace(report, text=f"{report.text} (companion for {kind})".strip())

    def view(self) -> Any:
        """Return a view of the main run's state."""
        return self.main.view()

    def save(self) -> Snapshot:
        """Return everything needed to go on as if never interrupted."""
        saved = self.main.save()
        arrays, numbers = dict(saved.arrays), dict(saved.numbers)
        for kind, run in self.beside.items():
            own = run.save()
            arrays |= {f"{ASIDE}{kind}_{name}": array for name, array in own.arrays.items()}
            numbers |= {f"{ASIDE}{kind}_{name}": number for name, number in own.numbers.items()}
        return Snapshot(arrays, numbers | {f"{ASIDE}{kind}_{LOST}": 1 for kind in sorted(self.lost)})


def begun(engine: Engine, problem: Any, start: Start) -> Run:
    """Return a run from its beginning, with its companions."""
    companions = _wanted(engine, problem, start)
    main = engine.begin(problem, start)
    if companions is None:
        return main
    beside = {kind: _prepared(each, each.engine.begin(problem, start)) for kind, each in _real(companions).items()}
    return Accompanied(main, companions, beside)


def resumed(engine: Engine, problem: Any, start: Start, snapshot: Snapshot) -> Run:
    """Return the run that was saved, with its companions."""
    companions = _wanted(engine, problem, start)
    main = engine.resume(problem, start, part_of(snapshot))
    if companions is None:
        return main
    parts = {kind: part_of(snapshot, kind) for kind in _real(companions)}
    lost = {kind for kind, part in parts.items() if LOST in part.numbers}
    beside = {
        kind: each.engine.resume(problem, start, parts[kind])
        for kind, each in _real(companions).items()
        if kind not in lost
    }
    return Accompanied(main, companions, beside, lost)


def extended(engine: Engine, problem: Any, start: Start, record: Record) -> Run:
    """Return a run that goes on from a record, with the companions that the record holds.

    A record without them tells nothing of its errors, nor can what goes on from it.
    """
    snapshot = record.snapshot
    if snapshot is None or start.steady:
        return engine.extend(problem, start, record)
    companions = _wanted(engine, problem, start)
    main = engine.extend(problem, start, replace(record, snapshot=part_of(snapshot)))
    if companions is None:
        return main
    parts = {kind: part_of(snapshot, kind) for kind in _real(companions)}
    lost = {kind for kind, part in parts.items() if not part.arrays}
    beside = {
        kind: _prepared(each, each.engine.extend(problem, start, replace(record, snapshot=parts[kind])))
        for kind, each in _real(companions).items()
        if kind not in lost
    }
    return Accompanied(main, companions, beside, lost)


def rule_for(engine: Engine, run: Any, start: Start, judged: list[str], sizes: Callable[[], Sizes]) -> Rule:
    """Return the stopping rule of a run; that of an evolution with companions compares it with them.

    judged: the observables by which the outcome is judged. sizes: of all observables, see `Compared`.
    """
    if not isinstance(run, Accompanied):
        return engine.rule(run, start)
    return Compared(engine.rule(run.main, start), run, start.target, judged, sizes())


def part_of(snapshot: Snapshot, kind: str = "") -> Snapshot:
    """Return the main run's part of a snapshot, or that of the companion for a kind of error."""
    prefix = f"{ASIDE}{kind}_"
    if not kind:
        arrays = {name: array for name, array in snapshot.arrays.items() if not name.startswith(ASIDE)}
        return Snapshot(arrays, {name: n for name, n in snapshot.numbers.items() if not name.startswith(ASIDE)})
    arrays = {k.removeprefix(prefix): array for k, array in snapshot.arrays.items() if k.startswith(prefix)}
    return Snapshot(arrays, {k.removeprefix(prefix): n for k, n in snapshot.numbers.items() if k.startswith(prefix)})


def _wanted(engine: Engine, problem: Any, start: Start) -> Mapping[str, Companion | None] | None:
    """Return the companions of an evolution, {} if no errors are wanted; None if there are none."""
    companions = {} if start.steady else engine.companions(problem, start)
    if not companions:
        return None
    return companions if start.ask.errors else {}


def _real(companions: Mapping[str, Companion | None]) -> dict[str, Companion]:
    return {kind: each for kind, each in companions.items() if each is not None}


def _prepared(companion: Companion, run: Any) -> Run:
    companion.prepare(run)
    return run
