"""Accounts: an account collects the measurements of a run for its record. There is one for each kind of answer.

A *relaxation* measures the monitored observables until the stopping rule ends the run; an *evolution* measures all
observables at the given times; an *average* collects samples. Each call of `advance` takes the run one step further.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Ask
from tnness.engines.protocol import Report, Run
from tnness.errors import ModelError, StateLost
from tnness.observables.observable import Observable
from tnness.observables.views import Estimate
from tnness.records.averages import TimeAverage
from tnness.records.certificate import Certificate
from tnness.records.history import History
from tnness.records.lazily import lazily
from tnness.records.record import evolution_dataset, steady_dataset, unfinished_dataset
from tnness.records.values import Values
from tnness.runs.origin import Origin
from tnness.runs.progress import Progress
from tnness.stopping.ladder import MAX_STEPS
from tnness.stopping.protocol import Rule

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


Estimates = dict[str, Estimate]
Measured = Callable[[Mapping[str, Observable], Any], Estimates]
"""A function that measures observables of a view."""


@dataclass
class Work:
    """A run in progress: everything that changes during it, and that a checkpoint holds.

    history: the measurements. averages: of the samples. origin: the data taken over from an extended record.
    wall: seconds spent. over: whether no step is left to take, and only the record is missing. owed: whether the last
    step was taken but not measured, as an observable failed.
    """

    run: Run
    rule: Rule
    history: History
    origin: Origin
    averages: dict[str, TimeAverage] = field(default_factory=dict)
    wall: float = 0.0
    over: bool = False
    owed: bool = False


class Account(Protocol):
    """The methods of an account."""

    def advance(self, progress: Progress) -> bool:
        """Take the run one step further; return False at the end."""
        ...

    def certificate(self) -> Certificate:
        """Return the certificate of the finished answer."""
        ...

    def dataset(self, certificate: Certificate) -> xr.Dataset:
        """Return the finished answer, with its certificate."""
        ...

    def unfinished(self) -> xr.Dataset:
        """Return the results so far."""
        ...


def account_of(work: Work, ask: Ask, observables: Mapping[str, Observable], measured: Measured, engine: str) -> Account:
    """Return the account for a run: an evolution if times are asked for, else as the stopping rule says."""
    if ask.times is not None:
        return Evolution(work, ask, observables, measured, engine)
    kind = Average if work.rule.averages else Relaxation
    return kind(work, ask, observables, measured, engine)


@dataclass
class Relaxation:
    """The account of a steady state: it measures the monitored observables until the state is reached."""

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
        return measured_values(self.measured(self._monitored, view))

    def advance(self, progress: Progress) -> bool:
        """Take one step and measure; the stopping rule decides whether the run goes on."""
        run, rule, history = self.work.run, self.work.rule, self.work.history
        if self.work.owed:
            return self._seen(progress)
        try:
            report = run.step()
        except StateLost as error:
            stage, at = rule.stage_name(), run.time
            if not rule.lost(history):
                raise
            progress.stage_over(stage, at, f"left: {error}")
            return True
        if report.finished:
            self._answer = self.measured(self.observables, run.view())
            monitored = {name: self._answer[name] for name in self._monitored if name in self._answer}
            history.add(run.time, rule.stage, measured_values(monitored))
            return False
        if not report.sampled:
            progress.show(rule.stage_name(), report.text, report.fraction)
            return True
        self.work.owed = True
        return self._seen(progress, report)

    def _seen(self, progress: Progress, report: Report | None = None) -> bool:
        """Measure the present state; the stopping rule decides whether the run goes on."""
        run, rule, history = self.work.run, self.work.rule, self.work.history
        history.add(run.time, rule.stage, self._values(run.view()))
        self.work.owed = False
        rule.seen(history, self._values)
        text, fraction = (report.text, report.fraction) if report is not None else ("", math.nan)
        progress.show(rule.stage_name(), rule.status(history) or text, fraction)
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

    def certificate(self) -> Certificate:
        """Return the rule's certificate; the answer is measured first, since an engine may learn its figures by it."""
        self._measured()
        return self.work.rule.certificate(self.work.history)

    def _measured(self) -> Estimates:
        """Return all observables of the answer, measured once."""
        if self._answer is None:
            self._answer = self.measured(self.observables, self.work.run.view())
        return self._answer

    def dataset(self, certificate: Certificate) -> xr.Dataset:
        """Return the steady state with its errors and its certificate."""
        answer = self._measured()
        _check_some(answer, self.engine)
        with fitting():
            return steady_dataset(measured_values(answer), self.observables, certificate, measured_errors(answer))

    def unfinished(self) -> xr.Dataset:
        """Return the last measurement."""
        return unfinished_dataset(self.work.history, self.observables, evolution=False)


@dataclass
class Evolution:
    """The account of a time evolution: it measures all observables at the given times."""

    work: Work
    ask: Ask
    observables: Mapping[str, Observable]
    measured: Measured
    engine: str

    def _values(self, view: Any) -> Values:
        return measured_values(self.measured(self.observables, view))

    @property
    def done(self) -> int:
        """The number of given times that have been measured."""
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
            self.work.history.add(run.time, rule.stage, measured_values(estimates), measured_errors(estimates))
            rule.seen(self.work.history, self._values)
            progress.measured(rule.status(self.work.history) or f"t = {run.time:.4g}")
        return self.done < len(times)

    def certificate(self) -> Certificate:
        """Return the rule's certificate."""
        return self.work.rule.certificate(self.work.history)

    def dataset(self, certificate: Certificate) -> xr.Dataset:
        """Return the observables against time, with their errors and their certificate."""
        history = self.work.history
        _check_some(history.values, self.engine)
        errors = {name: np.stack(series) for name, series in history.errors.items()}
        with fitting():
            return evolution_dataset(history, self.observables, certificate, errors)

    def unfinished(self) -> xr.Dataset:
        """Return the observables at the times that have been measured."""
        return unfinished_dataset(self.work.history, self.observables, evolution=True)


@dataclass
class Average:
    """The account of a steady state that is an average over samples in time, with errors by blocking."""

    work: Work
    ask: Ask
    observables: Mapping[str, Observable]
    measured: Measured
    engine: str

    def advance(self, progress: Progress) -> bool:
        """Take one step; if it reached a sample, measure it."""
        run, rule = self.work.run, self.work.rule
        report = run.step()
        if report.sampled:
            for name, estimate in self.measured(self.observables, run.view()).items():
                self.work.averages.setdefault(name, TimeAverage()).add(estimate.value)
        progress.show(rule.stage_name(), report.text, report.fraction)
        return not report.finished

    def certificate(self) -> Certificate:
        """Return the certificate; its verdict judges the monitored observables."""
        averages = self.work.averages
        _check_some(averages, self.engine)
        judged = {name: average for name, average in averages.items() if self.observables[name].monitored}
        figures = self.work.rule.figures(self.work.history)
        figures |= {"samples": float(max(average.count for average in averages.values()))}
        return Certificate.of(self.work.rule.judge(judged), figures, {})

    def dataset(self, certificate: Certificate) -> xr.Dataset:
        """Return the averages with their errors and their certificate."""
        answer = {name: average.estimate() for name, average in self.work.averages.items()}
        with fitting():
            return steady_dataset(measured_values(answer), self.observables, certificate, measured_errors(answer))

    def unfinished(self) -> xr.Dataset:
        """Return an empty dataset: the averages are not known before the end of the run."""
        return unfinished_dataset(History(), self.observables, evolution=False)


def measured_values(estimates: Mapping[str, Estimate]) -> Values:
    """Return the measured values."""
    return {name: np.asarray(estimate.value, dtype=float) for name, estimate in estimates.items()}


def measured_errors(estimates: Mapping[str, Estimate]) -> dict[str, NDArray[np.float64]]:
    """Return the errors of the measured values, where the view gives any."""
    errors = {name: np.asarray(estimate.error, dtype=float) for name, estimate in estimates.items()}
    return {name: error for name, error in errors.items() if np.isfinite(error).any()}


@contextlib.contextmanager
def fitting() -> Iterator[None]:
    """Raise a `ModelError` where observables have sizes or coordinates that contradict each other."""
    try:
        yield
    except ValueError as error:
        raise ModelError(f"its observables do not fit one record: {error}") from error


def _check_some(answer: Mapping[str, Any], engine: str) -> None:
    if not answer:
        raise ModelError(f"engine {engine!r} gives none of its observables")
