"""The driver of direct engines: solve, measure every view as it comes, certify, write.

There is no state to go on from, so an interrupted solution begins again.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from tnness import model as modelling
from tnness.certificate import Certificate
from tnness.checkpoint import Output
from tnness.driver import provenance, threads
from tnness.engines.protocol import DirectEngine, Solution
from tnness.errors import InputError, Interrupted, ModelError
from tnness.job import EVOLUTION, MODELS_OWN, Job, measured, observables_of, own_code
from tnness.observables import Estimate
from tnness.progress import Fraction, Stop
from tnness.record import Record, evolution_dataset, steady_dataset
from tnness.relaxation import History


class Direct:
    """Runs a job of a direct engine.

    Parameters
    ----------
    job: what to run. output: where the record goes. shown: whether progress is written to stderr.
    """

    def __init__(self, job: Job, output: Output, shown: bool = False) -> None:
        if not isinstance(job.engine, DirectEngine):
            raise InputError(f"engine {job.engine.name!r} advances a state: it is no direct engine")
        self.job, self.output, self.shown, self.engine = job, output, shown, job.engine
        with own_code(job.name):
            self.problem = modelling.problem_of(job.model, job.name)
        self.observables = observables_of(job.model, job.name)

    def run(self) -> Record:
        """Solve, write the record, and return it."""
        began = time.monotonic()
        with threadpool_limits(threads()), Stop() as stop, Fraction(self.job.name, self.shown) as progress:

            def report(text: str, fraction: float) -> None:
                if stop.requested:
                    raise Interrupted("interrupted: this engine keeps no unfinished work")
                progress.show(text, fraction)

            solution = self.engine.solve(
                self.problem,
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
        history, found = History(), list[dict[str, Estimate]]()
        for at, view in solution.views:
            found.append(measured(self.observables, view, self.job.name))
            history.add(at, 0, {name: np.asarray(estimate.value) for name, estimate in found[-1].items()})
        if not found or not found[-1]:
            raise ModelError(f"model {self.job.name!r}: engine {self.engine.name!r} gives none of its observables")
        errors = {name: [np.asarray(each[name].error) for each in found] for name in found[-1]}
        certificate = Certificate(
            outcome=solution.verdict, discarded_weight=math.nan, trace_drift=math.nan, further=dict(solution.figures)
        )
        try:
            if self.job.kind == EVOLUTION:
                stacked = {name: np.stack(series) for name, series in errors.items()}
                return evolution_dataset(history, self.observables, certificate, stacked)
            last = {name: series[-1] for name, series in history.values.items()}
            return steady_dataset(last, self.observables, certificate, {k: series[-1] for k, series in errors.items()})
        except ValueError as error:
            raise ModelError(f"model {self.job.name!r}: its observables do not fit one record: {error}") from error
