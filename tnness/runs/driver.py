"""The driver: one loop for every engine, with stopping, progress, checkpoints and the certificate.

A checkpoint holds everything that a run needs to continue. The moment of a checkpoint changes no number.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tnness.display.messages import ready
from tnness.engines.ask import EVOLUTION, Start
from tnness.engines.companions import begun, extended, resumed, rule_for
from tnness.engines.initial import Initial, parse_initial
from tnness.errors import (
    InputError,
    Interrupted,
    ModelError,
    NumericalError,
    RecordError,
    TnnessError,
    Unavailable,
    WriteError,
)
from tnness.model.protocol import values_of
from tnness.model.registry import names_file
from tnness.observables.linear import linear_operators, sizes
from tnness.observables.observable import Observable, available, measured, tried
from tnness.observables.views import Estimate
from tnness.operators.terms import Operator
from tnness.problems.need import Need
from tnness.records.history import PRIOR_STAGE, History
from tnness.records.lazily import lazily
from tnness.records.record import FORMAT, Record, unfinished_dataset, versions, with_adjoint_errors, with_course
from tnness.records.values import Estimates, Values
from tnness.runs.accounts import Account, Work, account_of, fitting, measured_values
from tnness.runs.checkpoint import Output
from tnness.runs.job import MODELS_OWN, Job, label, own_code
from tnness.runs.origin import Origin
from tnness.runs.physics import Physics
from tnness.runs.progress import Progress, Stop
from tnness.runs.watch import check_given, left_out_line
from tnness.streams import stream
from tnness.typed import field_types

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


ELSEWHERE = "random:1:2"
"""The state in which observables are measured that are NaN in the initial one."""
CONTINUE = "run the same command again to continue"
"""The advice where an unfinished run is kept."""


class Driver:
    """Runs a job: the loop, and everything around it that is not physics.

    Parameters
    ----------
    job: what to run. output: where the record goes. shown: whether progress is written to stderr.
    """

    def __init__(self, job: Job, output: Output, shown: bool = False) -> None:
        self.job, self.output, self.shown, self.engine = job, output, shown, job.solver
        self.problem = job.problem
        self.engine.check_need(self.problem, job.ask)
        self.observables = job.observables
        self._check_pairs()
        self.physics = job.physics
        self._stop, self._progress = Stop(at_once=True), Progress(job.name, shown, len(job.ask.times or ()))

    def _check_pairs(self) -> None:
        """Refuse observables that read the correlations of all pairs of sites where these do not fit into memory."""
        pairs, n = [k for k, o in self.observables.items() if "correlations" in o.needs], getattr(self.problem, "n", 0)
        if pairs:
            Need(16.0 * n**2, f"{', '.join(pairs)} of {n} sites", "lower n, or leave them out of the model").check()

    def run(self) -> Record:
        """Run to the end, write the record, and return it."""
        with self.output.claimed(), threadpool_limits(threads()), self._stop, in_words(), self._progress as progress:
            with self._from_file():
                work = self._resume() or self._start()
            self._stop.at_once = False
            account = account_of(work, self.job.ask, self.observables, self._measure, self.engine.name)
            progress.skip(len(work.history.times) - work.origin.times)
            record = self._worked(work, account)
            self._publish(record, work, account)
        return record

    @contextlib.contextmanager
    def _from_file(self) -> Iterator[None]:
        """Turn an error of an engine that is given a file's state into one that says so: the file may be foreign."""
        try:
            yield
        except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
            part = self.output.part
            given = isinstance(self.job.initial, Record) or (part is not None and part.exists())
            if isinstance(error, TnnessError) or not given:
                raise
            raise RecordError(f"the state in the file does not fit engine {self.engine.name!r}: {error}") from error

    def check(self) -> None:
        """Begin the run without any step: an input that the run would refuse is refused now."""
        with threadpool_limits(threads()), in_words():
            self._start()

    def _worked(self, work: Work, account: Account) -> Record:
        """Run the loop. If a signal or an error ends it early, the results so far are saved."""
        started = time.monotonic() - work.wall
        ready()
        try:
            while not work.over and account.advance(self._progress):
                work.wall = time.monotonic() - started
                if self._stop.requested:
                    raise Interrupted(f"interrupted at time {work.run.time:g}", self._stop.number)
                if self.output.due:
                    self._checkpoint(work, account)
            work.wall, work.over = time.monotonic() - started, True
            certificate = account.certificate()
            dataset = account.dataset(certificate)
            lost = [name for name in self.observables if name in dataset and _is_nothing(dataset[name].values)]
            if lost and certificate.converged:
                certificate = replace(certificate, outcome=f"no number: {', '.join(lost)} is NaN everywhere")
                dataset = account.dataset(certificate)
            dataset = with_adjoint_errors(dataset, self._adjoint_errors(work))
            return self._record(work, dataset, certificate.estimates)
        except Interrupted as error:
            raise Interrupted(f"{error}{self._kept(work, account)}", error.number) from error
        except (NumericalError, ModelError, np.linalg.LinAlgError, MemoryError) as error:
            if not isinstance(error, TnnessError):
                error = NumericalError(words_of(error))
            text = str(error) if not isinstance(error, ModelError) else self._named(error)
            raise type(error)(f"{text}{self._kept(work, account, failed=True)}") from error

    def _checkpoint(self, work: Work, account: Account) -> None:
        """Write a checkpoint; a disk that is full now may have room again at the end of the run."""
        try:
            self.output.checkpoint(self._record(work, account.unfinished(), work.origin.estimates))
        except WriteError as error:
            self.output.postpone()
            self._progress.note(f"no checkpoint at time {work.run.time:g}: {error}; the run goes on")

    def _named(self, error: ModelError) -> str:
        """Return the text of an error; put the name of the model at fault in front."""
        return str(error) if self.job.name in str(error) else f"model {self.job.name!r}: {error}"

    def _measure(self, observables: Mapping[str, Observable], view: Any) -> dict[str, Estimate]:
        with own_code(self.job.name):
            return measured(observables, view)

    def _report(self, text: str, fraction: float) -> None:
        """Show the progress of a long step; interrupt the step if a signal asks the run to stop."""
        if self._stop.requested:
            raise Interrupted("interrupted", self._stop.number)
        self._progress.show("", text, fraction)

    # ------------------------------------------------------------------ the beginning

    def _start(self) -> Work:
        record, ask = self.job.initial, self.job.ask
        if isinstance(record, Record) and self.job.extends(record):
            self.output.check_age(record, self.output.path)
            origin = self._origin(record)
            begin = Start(Initial(), ask, origin.prior, self._reads, self._report, self._along)
            run = extended(self.engine, self.problem, begin, record)
            origin = replace(origin, time=run.time if np.isfinite(run.time) else 0.0)  # perhaps it begins anew
            history = self._taken_over(record, origin)
        else:
            origin, history = Origin(), History()
            begin = Start(self._initial(), ask, None, self._reads, self._report, self._along)
            run = begun(self.engine, self.problem, begin)
        work = Work(run, rule_for(self.engine, run, begin, self._monitored, self._sizes), history, origin)
        self._check(work)
        return work

    def _initial(self) -> Initial:
        given = self.job.initial
        if isinstance(given, str) and given == MODELS_OWN:
            start, engine = self.job.model.initial_state, self.engine.like or self.engine.name
            try:
                inspect.signature(start).bind(engine)
            except TypeError as error:
                raise ModelError(f"model {self.job.name!r}: initial_state(engine) takes the engine's name") from error
            with own_code(self.job.name):
                given = start(engine)
        return parse_initial(given)

    def _origin(self, record: Record) -> Origin:
        clock = record.time if np.isfinite(record.time) else 0.0
        self._doubt(record)
        if self.job.ask.kind == EVOLUTION:
            return Origin(clock, times=len(record.history.times), accepted_old=record.is_old)
        prior = self.engine.prior(self.problem, record, self._monitored)
        return Origin(clock, prior=prior, accepted_old=record.is_old)

    def _doubt(self, record: Record) -> None:
        """Say if another version wrote the record, or if functions of its observables have changed since."""
        written = json.loads(record.dataset.attrs.get("versions", "{}")).get("tnness")
        if written not in (None, versions().get("tnness")):
            self._progress.doubt(f"the record was written by tnness {written}, this is {versions().get('tnness')}")
        doubted = self.physics.doubts(Physics.load(record.dataset.attrs))
        if doubted:
            self._progress.doubt(f"the code of {', '.join(doubted)} has changed since the record was written")

    def _taken_over(self, record: Record, origin: Origin) -> History:
        """Return the history with which an extension begins: that of the evolution, or the steady state's values."""
        if self.job.ask.kind == EVOLUTION:
            return record.history.copy()
        history = History()
        if origin.prior is not None:
            values: Values = {name: record.dataset[name].values for name in self._monitored}
            history.add(origin.time, PRIOR_STAGE, values)
        return history

    @property
    def _reads(self) -> tuple[int, ...]:
        """The sites that the watched observables read; none stands for all: where one does not say what it reads."""
        watched = [self.observables[name] for name in self.job.ask.watch]
        if not all(observable.sites for observable in watched):
            return ()
        return tuple(sorted({site for observable in watched for site in observable.sites}))

    @property
    def _along(self) -> frozenset[str]:
        """The observables that have one value per site, or per bond."""
        return frozenset(name for name, found in self.observables.items() if found.dims in (("site",), ("bond",)))

    @property
    def _monitored(self) -> list[str]:
        return [name for name, observable in self.observables.items() if observable.monitored]

    @cached_property
    def _judged_operators(self) -> dict[str, list[Operator]]:
        """The operators of which the monitored observables are expectations, by name, element by element."""
        found, spaces = {}, getattr(self.problem, "spaces", ())
        for name in self._monitored:
            try:
                with own_code(self.job.name):
                    rng = stream(self.job.ask.seed, f"linear observable {name}")
                    found[name] = linear_operators(self.observables[name], spaces, rng)
            except Unavailable as error:
                raise InputError(
                    f"adjoint: observable {name!r} cannot be evolved backwards: {error}; --watch chooses others"
                ) from error
        return found

    def _sizes(self) -> dict[str, NDArray[np.float64]]:
        """Return the change of each element of the linear observables if all marginals change by 1."""
        found, spaces = {}, getattr(self.problem, "spaces", ())
        for name, observable in self.observables.items():
            with own_code(self.job.name):
                size = sizes(observable, spaces, stream(self.job.ask.seed, f"size {name}"))
            if size is not None:
                found[name] = size
        return found

    def _adjoint_errors(self, work: Work) -> Values:
        """Return the signed truncation errors of the monitored observables, if they are asked for and known."""
        if not self.job.ask.adjoint:
            return {}
        operators = self._judged_operators
        tell = self.engine.adjoint(self.problem, Start(Initial(), self.job.ask, report=self._report))
        errors = tell(work.run, [operator for several in operators.values() for operator in several])
        if errors is None:
            self._progress.note("no adjoint error: the chain was not seen to forget a kick")
            return {}
        ends = np.cumsum([len(several) for several in operators.values()])
        return dict(zip(operators, np.split(errors, ends[:-1]), strict=True))

    def _check(self, work: Work) -> None:
        """Refuse `watch` where the rule judges no observables; try all observables once, before hours are spent."""
        ask = self.job.ask
        if ask.watch and not work.rule.judges:
            raise InputError(f"watch: engine {self.engine.name!r} judges nothing by its observables")
        view, rehearsed = work.run.view(), None
        with own_code(self.job.name):
            if self.engine.rehearses:
                rehearsed, left_out = tried(self.observables, view)
            else:
                _, left_out = available(self.observables, view)
        check_given(ask.watch, self.observables.keys() - left_out, self.engine.name, left_out)
        if left_out:
            self._progress.note(left_out_line(left_out, self.engine.name))
        if ask.adjoint:
            self.engine.adjoint(self.problem, Start(Initial(), ask))
            _ = self._judged_operators
        if rehearsed is None:
            return
        lost = [name for name, estimate in rehearsed.items() if _is_nothing(np.asarray(estimate.value, float))]
        if lost:
            self._check_numbers(lost)
        history = History()
        history.add(0.0, 0, measured_values(rehearsed))
        try:
            with fitting():
                unfinished_dataset(history, self.observables, ask.kind == EVOLUTION)
        except ModelError as error:
            raise ModelError(self._named(error)) from error

    def _check_numbers(self, lost: list[str]) -> None:
        """Refuse observables that are NaN in the initial state and in a random one; 0/0 in the first alone is noted.

        At the end of the run, NaN is no answer in any case. An engine that takes no random state tells nothing.
        """
        try:
            view = self.engine.begin(self.problem, Start(parse_initial(ELSEWHERE), self.job.ask)).view()
        except TnnessError:
            rehearsed = {}
        else:
            with own_code(self.job.name):
                rehearsed, _ = tried({name: self.observables[name] for name in lost}, view)
        never = [name for name, estimate in rehearsed.items() if _is_nothing(np.asarray(estimate.value, float))]
        if never:
            raise ModelError(
                f"model {self.job.name!r}: {', '.join(never)} is NaN everywhere, in the initial state and in a random "
                "one: an observable needs a number"
            )
        self._progress.note(f"{', '.join(lost)}: NaN in the initial state")

    def _resume(self) -> Work | None:
        """Return the unfinished run of this file, if there is one; refuse one with other settings."""
        part = self.output.unfinished()
        if part is None or label(part) == label(self.job.initial):
            return None  # there is no unfinished run, or this run extends it
        self.output.check_age(part, self.output.part)
        changed = self.job.changed(part)
        if changed or part.snapshot is None:
            finish = command_of(self.output.part, str(part.settings["model"]))
            raise RecordError(
                f"{self.output.part} is an unfinished run with other settings ({'; '.join(changed)}): "
                f"finish it ({finish}), remove it, or give another --out"
            )
        self._doubt(part)
        origin = Origin.load(part.dataset.attrs["origin"], part.estimates)
        if part.is_old:
            origin = replace(origin, accepted_old=True)
        start = Start(Initial(), self.job.ask, origin.prior, self._reads, self._report, self._along)
        run = resumed(self.engine, self.problem, start, part.snapshot)
        wall, over = float(part.dataset.attrs["wall_seconds"]), bool(part.dataset.attrs.get("over", False))
        return Work(
            run,
            rule_for(self.engine, run, start, self._monitored, self._sizes),
            part.history,
            origin,
            part.averages,
            wall,
            over,
            bool(part.dataset.attrs.get("owed", False)),
        )

    # ------------------------------------------------------------------ the end

    def _publish(self, record: Record, work: Work, account: Account) -> None:
        """Write the record; if there is no room for it, keep what was computed as an unfinished run, or elsewhere."""
        try:
            self.output.publish(record)
        except RecordError as error:
            if not self.output.taken and self._saved(work, account):
                raise type(error)(f"{error}; saved in {self.output.part}: {CONTINUE}") from error
            where = self.output.write_elsewhere(record)
            told = f"; the record of this run is in {where}" if where else self._earlier
            raise type(error)(f"{error}{told}") from error

    def _kept(self, work: Work, account: Account, failed: bool = False) -> str:
        """Save the results so far; return the end of an error message, which says where they are and how to go on."""
        if self.output.path is None:
            return ""
        if not self._saved(work, account):
            return f"; {self.output.part} could not be written{self._earlier}"
        if failed:
            again = command_of(self.output.path, self.job.name)
            flags = [f"--{name} ..." for name in ("dt", "chi") if name in field_types(type(self.engine))]
            advice = f"go on from it with other settings: {again} {' or '.join(flags)}".rstrip()
            return f"; the last good state is in {self.output.part}: {advice}"
        return f"; saved in {self.output.part}: {CONTINUE}"

    def _saved(self, work: Work, account: Account) -> bool:
        """Write a checkpoint, and return whether there was room for it."""
        unfinished = account.unfinished().assign_attrs(over=int(work.over), owed=int(work.owed))
        try:
            self.output.checkpoint(self._record(work, unfinished, work.origin.estimates))
        except RecordError:
            return False
        return True

    @property
    def _earlier(self) -> str:
        """The words for a checkpoint that stands although a later one could not be written."""
        exists = self.output.part is not None and self.output.part.exists()
        return f"; an earlier checkpoint is in {self.output.part}: {CONTINUE}" if exists else ""

    def _record(self, work: Work, dataset: xr.Dataset, estimates: Estimates) -> Record:
        """Return the record of the present state. estimates: its errors, or those of the record that it extends."""
        dataset = with_course(dataset, work.rule.course())
        dataset.attrs |= provenance(self.job, work.run.time, work.wall) | self._about
        used = self.engine.used_for(self.problem, self.job.ask) | getattr(work.run, "used", {})
        dataset.attrs |= {"origin": work.origin.dump(), "engine_used": json.dumps(used)}
        return Record(dataset, work.run.save(), work.history, work.averages, estimates)

    @cached_property
    def _about(self) -> dict[str, str]:
        """The settings as they are used by default, and the size of the chain."""
        spaces = getattr(self.problem, "spaces", ())
        dims = json.dumps([space.dim for space in spaces])
        used = json.dumps(self.engine.used_for(self.problem, self.job.ask))
        return {"engine_used": used, "local_dimensions": dims} | self.physics.dump()


def provenance(job: Job, time: float, wall: float) -> dict[str, Any]:
    """Return the attributes that say how a record's numbers arose: the job, the run's clock, the seconds spent."""
    return {
        "format": FORMAT,
        "model": job.name,
        "engine": job.engine.name,
        "seed": job.ask.seed,
        "settings": json.dumps(job.settings),
        "parameters": json.dumps(values_of(job.model)),
        "versions": json.dumps(versions()),
        "evolution_time": time,
        "wall_seconds": wall,
    }


def _is_nothing(values: Any) -> bool:
    return values.size > 0 and bool(np.isnan(values).all())


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Turn errors of linear algebra, of memory and of endless recursion into errors of the package."""
    try:
        yield
    except (np.linalg.LinAlgError, MemoryError, RecursionError) as error:
        raise NumericalError(words_of(error)) from error


def words_of(error: BaseException) -> str:
    """Return what such an error means."""
    if isinstance(error, MemoryError):
        return f"this machine has not enough memory for the run: fewer sites or a smaller --chi need less ({error})"
    if isinstance(error, RecursionError):
        return f"a computation calls itself without end: {error}"
    return f"a matrix could not be factorised: {error}"


def command_of(path: Path | None, model: str) -> str:
    """Return the command that goes on from a record; it names the model's file, which no record may load."""
    return f"tnness run {path}" + (f" --model {model}" if names_file(model) else "")


def threads() -> int:
    """Return the number of BLAS threads: `OMP_NUM_THREADS`, or one, with which sums keep their order."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() else 1
