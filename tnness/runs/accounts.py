"""What the driver keeps of a run as it goes on, and makes a record of: one account for each kind of answer.

A *relaxation* measures what is monitored until the stopping rule says that the run is over; an *evolution* measures
everything at the given times; an *average* collects samples. Each takes the run one step further at a call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tnness.engines.ask import Ask
from tnness.engines.protocol import Run
from tnness.errors import ModelError
from tnness.observables.observable import Observable
from tnness.observables.views import Estimate
from tnness.records.averages import TimeAverage
from tnness.records.certificate import Certificate
from tnness.records.history import History
from tnness.records.record import evolution_dataset, steady_dataset, unfinished_dataset
from tnness.records.values import Values
from tnness.runs.origin import Origin
from tnness.runs.progress import Progress
from tnness.stopping.ladder import MAX_STEPS
from tnness.stopping.protocol import Rule

Estimates = dict[str, Estimate]
Measured = Callable[[Mapping[str, Observable], Any], Estimates]
"""Measures observables of a view."""


@dataclass
class Work:
    """A run at work: all that changes, and all that a checkpoint holds.

    history: of what was measured. averages: of what is sampled. origin: what was taken over. wall: seconds spent.
    over: whether there is nothing left to step to; only the record is missing.
    """

    run: Run
    rule: Rule
    history: History
    origin: Origin
    averages: dict[str, TimeAverage] = field(default_factory=dict)
    wall: float = 0.0
    over: bool = False


class Account(Protocol):
    """What is kept of a run."""

    def advance(self, progress: Progress) -> bool:
        """Take the run one step further; return False at the end."""
        ...

    def dataset(self) -> xr.Dataset:
        """Return the finished answer."""
        ...

    def unfinished(self) -> xr.Dataset:
        """Return what is known so far."""
        ...


def account_of(work: Work, ask: Ask, observables: Mapping[str, Observable], measured: Measured, engine: str) -> Account:
    """Return the account of a run, by what is asked for and what its rule says of its answer."""
    if ask.times is not None:
        return Evolution(work, ask, observables, measured, engine)
    kind = Average if work.rule.averages else Relaxation
    return kind(work, ask, observables, measured, engine)


@dataclass
class Relaxation:
    """A steady state: measured until it is reached."""

    work: Work
    ask: Ask
    observables: Mapping[str, Observable]
    measured: Measured
    engine: str
    _answer: Estimates | None = None

    @property
    def _monitored(self) -> dict[str, Observable]:
        return {name: observable for name, observable in self.observables.items() if observable.monitored}

    def _values(self, view: Any) -> Values:
        return values_of(self.measured(self._monitored, view))

    def advance(self, progress: Progress) -> bool:
        """Take one step, measure, and go on as the rule says."""
        run, rule, history = self.work.run, self.work.rule, self.work.history
        report = run.step()
        if report.finished:
            self._answer = self.measured(self.observables, run.view())
            monitored = {name: self._answer[name] for name in self._monitored if name in self._answer}
            history.add(run.time, rule.stage, values_of(monitored))
            return False
        history.add(run.time, rule.stage, self._values(run.view()))
        rule.seen(history, self._values)
        progress.show(rule.stage_name(), rule.status(history) or report.text, report.fraction)
        ended = rule.over(history) or rule.stalled(history)
        if not ended and not self._is_out_of_time:
            return True
        progress.stage_over(rule.stage_name(), run.time, rule.ended(history))
        return rule.next_stage(history)

    @property
    def _is_out_of_time(self) -> bool:
        rule, spent = self.work.rule, self.work.run.time - self.work.origin.time
        longest = rule.longest if self.ask.max_time is None else self.ask.max_time
        if np.isfinite(longest):
            return spent >= rule.share() * longest
        return len(self.work.history.times) >= MAX_STEPS

    def dataset(self) -> xr.Dataset:
        """Return the steady state with its errors and its certificate."""
        answer = self._answer or self.measured(self.observables, self.work.run.view())
        _check_some(answer, self.engine)
        certificate = self.work.rule.certificate(self.work.history)
        with fitting():
            return steady_dataset(values_of(answer), self.observables, certificate, errors_of(answer))

    def unfinished(self) -> xr.Dataset:
        """Return the last measurement."""
        return unfinished_dataset(self.work.history, self.observables, evolution=False)


@dataclass
class Evolution:
    """A time evolution: everything is measured at the given times."""

    work: Work
    ask: Ask
    observables: Mapping[str, Observable]
    measured: Measured
    engine: str

    @property
    def done(self) -> int:
        """How many of the times are past."""
        return len(self.work.history.times) - self.work.origin.times

    def advance(self, progress: Progress) -> bool:
        """Take one step towards the next time, and measure when it is reached."""
        run, rule, times = self.work.run, self.work.rule, self.ask.times or ()
        until, report = times[self.done], None
        if run.time < until:
            report = run.step(until=until)
            progress.show("", rule.status(self.work.history) or report.text, self.done / len(times))
        if run.time >= until:
            estimates = self.measured(self.observables, run.view())
            self.work.history.add(run.time, rule.stage, values_of(estimates), errors_of(estimates))
            progress.measured(rule.status(self.work.history) or f"t = {run.time:.4g}")
        return self.done < len(times)

    def dataset(self) -> xr.Dataset:
        """Return the observables against time, with their certificate."""
        history = self.work.history
        _check_some(history.values, self.engine)
        certificate = self.work.rule.certificate(history)
        errors = {name: np.stack(series) for name, series in history.errors.items()}
        with fitting():
            return evolution_dataset(history, self.observables, certificate, errors)

    def unfinished(self) -> xr.Dataset:
        """Return the times that are past."""
        return unfinished_dataset(self.work.history, self.observables, evolution=True)


@dataclass
class Average:
    """A steady state whose answer is the average over samples in time, with errors by blocking."""

    work: Work
    ask: Ask
    observables: Mapping[str, Observable]
    measured: Measured
    engine: str

    def advance(self, progress: Progress) -> bool:
        """Take one step, and the sample to which it came."""
        run, rule = self.work.run, self.work.rule
        report = run.step()
        if report.sampled:
            for name, estimate in self.measured(self.observables, run.view()).items():
                self.work.averages.setdefault(name, TimeAverage()).add(estimate.value)
        progress.show(rule.stage_name(), report.text, report.fraction)
        return not report.finished

    def dataset(self) -> xr.Dataset:
        """Return the averages; the verdict is that on the observables that are monitored."""
        averages = self.work.averages
        _check_some(averages, self.engine)
        answer = {name: average.estimate() for name, average in averages.items()}
        judged = {name: average for name, average in averages.items() if self.observables[name].monitored}
        figures = self.work.rule.figures(self.work.history)
        figures |= {"samples": float(max(average.count for average in averages.values()))}
        certificate = Certificate.of(self.work.rule.judge(judged), figures, {})
        with fitting():
            return steady_dataset(values_of(answer), self.observables, certificate, errors_of(answer))

    def unfinished(self) -> xr.Dataset:
        """Return nothing: averages are not known before their end."""
        return unfinished_dataset(History(), self.observables, evolution=False)


def values_of(estimates: Mapping[str, Estimate]) -> Values:
    """Return the values of what was measured."""
    return {name: np.asarray(estimate.value, dtype=float) for name, estimate in estimates.items()}


def errors_of(estimates: Mapping[str, Estimate]) -> dict[str, NDArray[np.float64]]:
    """Return the errors of what was measured, where a view knows any."""
    errors = {name: np.asarray(estimate.error, dtype=float) for name, estimate in estimates.items()}
    return {name: error for name, error in errors.items() if np.isfinite(error).any()}


@contextlib.contextmanager
def fitting() -> Iterator[None]:
    """Say plainly that observables have sizes or coordinates that contradict each other."""
    try:
        yield
    except ValueError as error:
        raise ModelError(f"its observables do not fit one record: {error}") from error


def _check_some(answer: Mapping[str, Any], engine: str) -> None:
    if not answer:
        raise ModelError(f"engine {engine!r} gives none of its observables")
