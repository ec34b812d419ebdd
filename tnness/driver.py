"""The driver: one loop for every engine, with stopping, progress, checkpoints and the certificate.

Everything that a run needs to go on stands in its checkpoint; when a checkpoint falls never changes a number.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tnness import model as modelling
from tnness.certificate import PRIOR_STAGE, certify_evolution, certify_steady, is_relaxed, is_stalled, trotter_is_open
from tnness.checkpoint import Output
from tnness.engines.protocol import DirectEngine, Engine, Run, SelfPaced, is_self_paced
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, Interrupted, ModelError, NumericalError, RecordError
from tnness.job import (
    EVOLUTION,
    MODELS_OWN,
    Job,
    Origin,
    differences,
    initial_state,
    label,
    measured,
    own_code,
    prior_of,
)
from tnness.progress import Progress, Stop
from tnness.record import FORMAT, Record, evolution_dataset, steady_dataset, unfinished_dataset, versions, with_bursts
from tnness.relaxation import FLOOR, History, Values, change, scale, size
from tnness.watch import check_given

MAX_STEPS = 20_000
"""Default cap of a steady-state run, in time steps."""


@dataclass
class Work:
    """All that changes while a run goes on, and all that a checkpoint holds. wall: seconds spent so far."""

    run: Run
    history: History
    origin: Origin
    wall: float = 0.0


class Driver:
    """Runs a job: the loop, and everything around it that is not physics.

    Parameters
    ----------
    job: what to run. output: where the record goes. shown: whether progress is written to stderr.
    """

    def __init__(self, job: Job, output: Output, shown: bool = False) -> None:
        if isinstance(job.engine, DirectEngine):
            raise InputError(f"engine {job.engine.name!r} solves in one go: it has no state to advance")
        if job.kind == EVOLUTION and isinstance(job.engine, TEBD) and job.engine.accelerate:
            raise InputError("--accelerate jumps to a steady state: it gives no time evolution")
        self.job, self.output, self.shown, self.engine = job, output, shown, job.engine
        with own_code(job.name):
            self.generator = modelling.generator_of(job.model, job.name)
        self.observables = job.observables

    def run(self) -> Record:
        """Run to the end, write the record, and return it."""
        with threadpool_limits(threads()), Stop() as stop:
            work = self._resume() or self._start()
            started = time.monotonic() - work.wall
            with self._progress(work) as progress:
                try:
                    while self._advance(work, progress):
                        work.wall = time.monotonic() - started
                        if stop.requested:
                            raise Interrupted(f"interrupted at time {work.run.time:g}{self._kept(work)}")
                        if self.output.due:
                            self.output.checkpoint(self._record(work))
                    work.wall = time.monotonic() - started
                    record = self._finished(work)
                except (NumericalError, ModelError) as error:
                    raise type(error)(f"{error}{self._kept(work, failed=True)}") from error
            self.output.publish(record)
        return record

    # ------------------------------------------------------------------ the loop

    def _advance(self, work: Work, progress: Progress) -> bool:
        """Advance by one block; return False at the end."""
        if self.job.kind == EVOLUTION:
            return self._evolve(work, progress)
        return self._relax(work, progress)

    def _relax(self, work: Work, progress: Progress) -> bool:
        run, history, prior, tolerance = work.run, work.history, work.origin.prior, self.job.tolerance
        report = run.step()
        history.add(run.time, run.stage, self._measure(run.view(), monitored=True))
        if report.finished:
            return False
        if is_self_paced(run) and run.proposal is not None:
            self._decide(run, history)
        tail = history.tail(run.stage)
        progress.relaxing(run, report.chi, tail, tolerance)
        last = run.stage == len(run.stage_names) - 1
        relaxed = is_relaxed(run, history, tolerance, prior)
        over = relaxed or is_stalled(run, history, tolerance)
        if not over and run.time < self._time_limit(work, last):
            return True
        progress.stage_over(run, tail)
        if last and not (relaxed and self._more(work)):
            return False
        run.next_stage()
        return True

    def _decide(self, run: SelfPaced, history: History) -> None:
        """Measure what the jump that is proposed would change, and leave it to the run to make it."""
        now, then = history.last_of(run.stage) or {}, self._measure(run.proposal, monitored=True)
        jumps = {name: run.uncertainty * size(change(now[name], then[name])) for name in then}
        drifts = {name: size(slope) / run.slowest for name, slope in history.slopes(run.stage, run.late).items()}
        jump, drift = (
            max((found[k] / max(scale(now[k]), scale(then[k]), FLOOR) for k in then), default=0.0)
            for found in (jumps, drifts)
        )
        run.decide({name: max(jumps[name], drifts[name]) for name in then}, jump, drift, self.job.tolerance)
        if run.settled and not run.last:
            history.add(run.time, run.stage, then)  # what the stage came to, after its last jump

    def _more(self, work: Work) -> bool:
        """Append a stage that measures an error, where one is open or a bracket is wanted."""
        return self._refine(work) or (is_self_paced(work.run) and work.run.start_again())

    def _refine(self, work: Work) -> bool:
        open_ = self.job.refine and trotter_is_open(work.run, work.history, self.job.tolerance, work.origin.prior)
        return open_ and work.run.refine()

    def _time_limit(self, work: Work, last: bool) -> float:
        """Coarse stages share the first half of the time; the last one may take all that is left."""
        share = 1.0 if last else 0.5 * (work.run.stage + 1) / len(work.run.stage_names)
        return work.origin.time + share * self._longest

    @cached_property
    def _longest(self) -> float:
        if self.job.max_time is not None:
            return self.job.max_time
        return MAX_STEPS * self.engine.time_step(self.generator) if isinstance(self.engine, TEBD) else 0.0

    def _evolve(self, work: Work, progress: Progress) -> bool:
        """Advance towards the next time, and measure when it is reached."""
        run, history = work.run, work.history
        done = len(history.times) - work.origin.times
        until = self.job.times[done]
        if run.time < until:
            report = run.step(until=until)
            progress.evolving(run, report.chi)
        if run.time >= until:
            history.add(run.time, run.stage, self._measure(run.view()))
            progress.measured(run)
            done += 1
        return done < len(self.job.times)

    def _measure(self, view: Any, monitored: bool = False) -> dict[str, NDArray[np.float64]]:
        chosen = {k: o for k, o in self.observables.items() if o.monitored or not monitored}
        found = measured(chosen, view, self.job.name)
        return {name: np.asarray(estimate.value) for name, estimate in found.items()}

    # ------------------------------------------------------------------ the beginning

    def _start(self) -> Work:
        record = self.job.initial
        extends = self.job.extends(record)
        origin, history = Origin(), History()
        if extends and isinstance(record, Record):
            origin = self._origin(record)
            if self.job.kind == EVOLUTION:
                history = record.history.copy()
            elif origin.prior is not None:
                history.add(origin.time, PRIOR_STAGE, self._monitored(record))
        with own_code(self.job.name):
            start = record if self.job.initial != MODELS_OWN else self.job.model.initial_state(self.job.engine.name)
        run = self._starting(origin).init(self.generator, initial_state(start, self.generator), self.job.seed)
        run.time = origin.time
        self._rehearse(run)
        return Work(run, history, origin)

    def _origin(self, record: Record) -> Origin:
        time = record.time if np.isfinite(record.time) else 0.0
        if self.job.kind == EVOLUTION:
            return Origin(time, times=len(record.history.times))
        judged = [name for name, observable in self.observables.items() if observable.monitored]
        return Origin(time, prior=prior_of(record, self.generator, judged) if isinstance(self.engine, TEBD) else None)

    def _monitored(self, record: Record) -> Values:
        names = [name for name, observable in self.observables.items() if observable.monitored]
        return {name: record.dataset[name].values for name in names}

    def _starting(self, origin: Origin) -> Engine:
        """The record that is extended is the coarse stage."""
        engine = self.engine
        if isinstance(engine, TEBD) and engine.schedule is None and origin.prior is not None:
            return replace(engine, schedule=())
        return engine

    def _rehearse(self, run: Run) -> None:
        """Measure everything once and fit it into a record, so that a mistake is not found after hours."""
        history = History()
        history.add(0.0, 0, self._measure(run.view()))
        check_given(self.job.watch, history.values, self.engine.name)
        try:
            unfinished_dataset(history, self.observables, self.job.kind == EVOLUTION)
        except ValueError as error:
            raise ModelError(f"model {self.job.name!r}: its observables do not fit one record: {error}") from error

    def _resume(self) -> Work | None:
        """Return the unfinished run of this file, if there is one; refuse one with other settings."""
        part = self.output.unfinished()
        if part is None or label(part) == label(self.job.initial):
            return None  # nothing there, or what is there is what this run extends
        found = differences(part.settings, self.job.settings)
        if found or part.snapshot is None:
            raise RecordError(
                f"{self.output.part} is an unfinished run with other settings ({'; '.join(found)}): "
                f"finish it (tnness run {self.output.part}), remove it, or give another --out"
            )
        origin = Origin.load(part.dataset.attrs["origin"])
        run = self._starting(origin).restore(self.generator, part.snapshot)
        return Work(run, part.history, origin, float(part.dataset.attrs["wall_seconds"]))

    # ------------------------------------------------------------------ the end

    def _finished(self, work: Work) -> Record:
        run, history = work.run, work.history
        if self.job.kind == EVOLUTION:
            return self._record(work, evolution_dataset(history, self.observables, certify_evolution(run)))
        about = self.job.tolerance, work.origin.prior, self.job.refine
        certificate = certify_steady(run, self.generator, history, *about)
        return self._record(work, steady_dataset(self._measure(run.view()), self.observables, certificate))

    def _kept(self, work: Work, failed: bool = False) -> str:
        """Save what there is, and say as the end of a message where it is and how to go on."""
        if self.output.path is None:
            return ""
        self.output.checkpoint(self._record(work))
        if failed:
            told = f"go on from it with other settings: tnness run {self.output.path} --dt ... or --chi ..."
            return f"; the last good state is in {self.output.part}: {told}"
        return f"; saved in {self.output.part}: run the same command again to continue"

    def _record(self, work: Work, dataset: xr.Dataset | None = None) -> Record:
        """Return the record of the present state, unfinished without a dataset."""
        if dataset is None:
            dataset = unfinished_dataset(work.history, self.observables, self.job.kind == EVOLUTION)
        if is_self_paced(work.run):
            dataset = with_bursts(dataset, work.run.trace)
        dataset.attrs |= provenance(self.job, work.run.time, work.wall)
        dataset.attrs |= {"local_dimensions": json.dumps(self.generator.dims), "origin": work.origin.dump()}
        return Record(dataset, work.run.save(), work.history)

    def _progress(self, work: Work) -> Progress:
        total = len(self.job.times)
        done = len(work.history.times) - work.origin.times if total else 0
        return Progress(self.job.name, self.shown, total, done)


def provenance(job: Job, time: float, wall: float) -> dict[str, Any]:
    """Return what a record says of where its numbers come from: the job, the run's clock and the seconds spent."""
    return {
        "format": FORMAT,
        "model": job.name,
        "engine": job.engine.name,
        "seed": job.seed,
        "settings": json.dumps(job.settings),
        "parameters": json.dumps(modelling.values_of(job.model)),
        "versions": json.dumps(versions()),
        "evolution_time": time,
        "wall_seconds": wall,
    }


def threads() -> int:
    """BLAS threads: one unless asked otherwise, so that sums keep their order."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() else 1
