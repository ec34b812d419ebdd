"""The driver of direct engines and of circuits: solve, measure every view as it comes, certify, write.

There is no state to go on from, so an interrupted solution begins again.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from tnness import model as modelling
from tnness.averages import TimeAverage, verdict
from tnness.certificate import Certificate
from tnness.checkpoint import Output
from tnness.driver import provenance, threads
from tnness.engines.circuits import solve as circuits
from tnness.engines.protocol import DirectEngine, Engine, Solution
from tnness.errors import InputError, Interrupted, ModelError
from tnness.job import EVOLUTION, MODELS_OWN, Job, measured, own_code
from tnness.observables import Estimate
from tnness.problems.circuit import Circuit
from tnness.progress import Fraction, Stop
from tnness.record import Record, evolution_dataset, steady_dataset
from tnness.relaxation import History
from tnness.watch import check_given

COMPLETE = "complete"
"""The outcome of an engine that has done what it was asked for."""


class Direct:
    """Runs a job of a direct engine.

    Parameters
    ----------
    job: what to run. output: where the record goes. shown: whether progress is written to stderr.
    """

    def __init__(self, job: Job, output: Output, shown: bool = False) -> None:
        self.job, self.output, self.shown, self.engine = job, output, shown, job.engine
        with own_code(job.name):
            self.problem = modelling.problem_of(job.model, job.name)
        self.solve = solver(job.engine, self.problem)
        self.observables = job.observables

    def run(self) -> Record:
        """Solve, write the record, and return it."""
        began = time.monotonic()
        with threadpool_limits(threads()), Stop() as stop, Fraction(self.job.name, self.shown) as progress:

            def report(text: str, fraction: float) -> None:
                if stop.requested:
                    raise Interrupted("interrupted: this engine keeps no unfinished work")
                progress.show(text, fraction)

            solution = self.solve(
                initial=self._initial(),
                times=self.job.times if self.job.kind == EVOLUTION else None,
                seed=self.job.seed,
                report=report,
            )
            dataset = self._measured(solution)
        dataset.attrs |= provenance(self.job, self._time, time.monotonic() - began)
        record = Record(dataset)
        self.output.publish(record)
        return record

    def _initial(self) -> Any:
        """Return what the engine starts from: what was asked for, else the model's own, else None."""
        if self.job.initial == MODELS_OWN:
            with own_code(self.job.name):
                return self.job.model.initial_state(self.engine.name)
        return self.job.initial if self.job.initial != "identity" else None

    @property
    def _time(self) -> float:
        return self.job.times[-1] if self.job.kind == EVOLUTION else math.inf

    def _measured(self, solution: Solution) -> xr.Dataset:
        if solution.averaged:
            return self._averaged(solution)
        history, found = History(), list[dict[str, Estimate]]()
        for at, view in solution.views:
            found.append(measured(self.observables, view, self.job.name))
            history.add(at, 0, {name: np.asarray(estimate.value) for name, estimate in found[-1].items()})
        self._check_some(found[-1] if found else {})
        errors = {name: [np.asarray(each[name].error) for each in found] for name in found[-1]}
        certificate = _certificate(solution, solution.verdict)
        with self._fitting():
            if self.job.kind == EVOLUTION:
                stacked = {name: np.stack(series) for name, series in errors.items()}
                return evolution_dataset(history, self.observables, certificate, stacked)
            last = {name: series[-1] for name, series in history.values.items()}
            return steady_dataset(last, self.observables, certificate, {k: series[-1] for k, series in errors.items()})

    def _averaged(self, solution: Solution) -> xr.Dataset:
        """Average the samples of a steady state; the verdict is that on the observables that are monitored."""
        series: dict[str, TimeAverage] = {}
        for _, view in solution.views:
            sample = measured(self.observables, view, self.job.name)
            check_given(self.job.watch, sample, self.engine.name)
            for name, estimate in sample.items():
                series.setdefault(name, TimeAverage()).add(estimate.value)
        self._check_some(series)
        found = {name: average.estimate() for name, average in series.items()}
        judged = {name: average for name, average in series.items() if self.observables[name].monitored}
        outcome = solution.verdict if solution.verdict != COMPLETE else verdict(judged)
        with self._fitting():
            return steady_dataset(
                {name: np.asarray(estimate.value) for name, estimate in found.items()},
                self.observables,
                _certificate(solution, outcome, samples=float(max(average.count for average in series.values()))),
                {name: np.asarray(estimate.error) for name, estimate in found.items()},
            )

    def _check_some(self, found: Mapping[str, Any]) -> None:
        if not found:
            raise ModelError(f"model {self.job.name!r}: engine {self.engine.name!r} gives none of its observables")

    @contextlib.contextmanager
    def _fitting(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise ModelError(f"model {self.job.name!r}: its observables do not fit one record: {error}") from error


def solver(engine: Engine | DirectEngine, problem: Any) -> Callable[..., Solution]:
    """Return what solves a problem in one go: the engine itself, or of a circuit a trajectory in the engine's form."""
    if isinstance(problem, Circuit):
        return functools.partial(circuits.solve, problem, engine)
    if not isinstance(engine, DirectEngine):
        raise InputError(f"engine {engine.name!r} advances a state: it is no direct engine")
    return functools.partial(engine.solve, problem)


def _certificate(solution: Solution, outcome: str, **further: float) -> Certificate:
    figures = dict(solution.figures) | further
    return Certificate(outcome=outcome, discarded_weight=math.nan, trace_drift=math.nan, further=figures)
