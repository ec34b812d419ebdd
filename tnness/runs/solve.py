"""The functions that a user calls: `steady_state`, `evolve`, and `extend` for an existing record.

With `out` they also write the record, keep the unfinished run in `OUT.part`, and continue from there when called again
with the same settings. The moment of a checkpoint changes no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tnness.engines.ask import EVOLUTION, STEADY, TOLERANCE, Ask, checked_times, names_of
from tnness.engines.beyond.question import question_of
from tnness.engines.protocol import Engine
from tnness.engines.registry import engine_class
from tnness.errors import InputError, Interrupted, RecordError
from tnness.model import registry
from tnness.model.parameters import build
from tnness.records.files import require_name
from tnness.records.record import Record, part_path
from tnness.runs.checkpoint import CHECKPOINT_EVERY, Output
from tnness.runs.driver import Driver
from tnness.runs.job import Job, differences, engine_for, label, loaded_engine, name_of, observables_of
from tnness.typed import field_types, typed

__all__ = ["Interrupted", "engine_for", "evolve", "extend", "observables_of", "steady_state"]


@typed
def steady_state(
    model: Any,
    *,
    engine: Engine | str | None = None,
    seed: int = 0,
    initial: Any = None,
    tolerance: float = TOLERANCE,
    atol: float | None = None,
    period: float | None = None,
    own_period: bool = False,
    max_time: float | None = None,
    watch: Sequence[str] = (),
    kick: bool = True,
    adjoint: int = 0,
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
    accept_old: bool = False,
) -> Record:
    """Return the certified steady state of a model.

    Parameters
    ----------
    model: an instance of a registered model (or any dataclass with `problem()` and `observables()`).
    engine: an engine, its name, or None for the model's default.
    seed: of the disorder (`model.draw`) and of the engine's random directions; default 0.
    initial: "identity", "thermal:BETA", "product:01*..." (basis states, * mixed; "product:0,12,3" above 9),
        "domain_wall:K", "ghz", "random:SEED:CHI", "ground:N" (with N particles), amplitudes, density matrices, a state
        of this package, of quimb or of TeNPy (`tnness.engines.initial.parse_initial`), or a record. A record of the
        same system is extended: its time goes on, and it serves as the coarse stage. Of another record only the state
        is used. Default: the model's own initial state, or the identity.
    tolerance: error that every element of the watched observables may have, all kinds together, relative to the
        observable's scale (its largest element); default 1e-2.
    atol: absolute error that always suffices, in the unit of each observable; default 1e-4 times the tolerance.
    period: of a chain that is driven periodically: its Floquet steady state, measured at multiples of this time.
        Default: the chain does not depend on time. own_period: take it from the model's own `period`; default False.
    watch: names of the observables that judge the run: they decide when it stops and its outcome, and their errors are
        estimated. The others are measured at the end, without an error (but for averages over time). Default: all that
        the model monitors.
    kick: disturb the settled state, and call it converged only if the chain forgets the disturbance; default True.
    adjoint: evolve every element of the watched observables backwards at the end, each on its own, at this multiple of
        the bond dimension (4 is good to some percent, 1 useless; a step costs as many times its third power as one of
        the run). The record holds the errors by truncation with their signs, NAME_adjoint_error. Default 0: no such
        thing. Only linear observables, of engine `tebd`.
    max_time: evolution time after which to give up; default 20,000 steps.
    out: file to write; an unfinished run is kept in `out` + ".part" and continued.
    overwrite: replace a finished `out` (default: refuse).
    checkpoint_every: seconds between checkpoints; default 60.
    progress: show a progress bar, or a line per stage where stderr is no terminal; default False.
    name: the model's name for the record; default its registered name.
    accept_old: go on from files of an earlier format, which do not say which physics they hold; default False.

    Raises
    ------
    InputError, ModelError, RecordError, NumericalError, Interrupted: see `tnness.errors`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from tnness.operators.basis import spin_half as s
    >>> from tnness.observables.observable import expectation
    >>> from tnness.problems.lindbladian import Lindbladian
    >>> @dataclass(frozen=True)
    ... class Pumped:
    ...     n: int = 3
    ...
    ...     def problem(self):
    ...         chain = Lindbladian([s] * self.n)
    ...         for i in range(self.n - 1):
    ...             chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    ...         chain.jump(s.Sp(0))
    ...         chain.jump(s.Sm(self.n - 1))
    ...         return chain
    ...
    ...     def observables(self):
    ...         return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}
    >>> record = steady_state(Pumped(), engine="exact")
    >>> bool(abs(record["z"].sum()) < 1e-12)
    True
    """
    about = {"seed": seed, "initial": initial, "tolerance": tolerance, "atol": atol, "max_time": max_time}
    ask = Ask(**about, period=period, own_period=own_period, watch=names_of(watch), kick=kick, adjoint=adjoint)
    job = Job(model, name or name_of(model), chosen_engine(model, engine), ask)
    return run(job, _output(out, overwrite, checkpoint_every, accept_old), progress)


@typed
def evolve(
    model: Any,
    times: Sequence[float],
    *,
    engine: Engine | str | None = None,
    seed: int = 0,
    initial: Any = None,
    tolerance: float = TOLERANCE,
    atol: float | None = None,
    errors: bool = True,
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
    accept_old: bool = False,
) -> Record:
    """Return the observables of a model at the given times, evolved from `initial` at time 0.

    Parameters
    ----------
    times: increasing, >= 0; if `initial` is an evolution of the same system, all of them beyond its last time.
    tolerance: largest error of a monitored observable in an evolution that is called complete, relative to the
        observable's largest magnitude; default 1e-2. atol: absolute error that always suffices.
    errors: estimate the errors at every time, from runs beside it at half the bond dimension and half the time step
        (engine `tebd`); default True.
    others: as for `steady_state`.
    """
    about = {"tolerance": tolerance, "atol": atol, "errors": errors}
    ask = Ask(seed=seed, initial=initial, times=checked_times(times), **about)
    job = Job(model, name or name_of(model), chosen_engine(model, engine), ask)
    return run(job, _output(out, overwrite, checkpoint_every, accept_old), progress)


def run(job: Job, output: Output, progress: bool = False) -> Record:
    """Run a job, write the record, and return it; what begins with the steady state finds that first."""
    job = with_steady_state(job, output, progress)
    record, times = job.initial, job.ask.times
    if times is not None and isinstance(record, Record) and job.extends(record) and times[0] <= record.time:
        raise InputError(f"the record ends at time {record.time:g}; the times asked for must lie beyond it")
    return Driver(job, output, progress).run()


def with_steady_state(job: Job, output: Output, progress: bool = False) -> Job:
    """Return a job whose answer begins with the steady state with it, if no initial state is given.

    It is found with the same engine, seed and tolerance; where there is a file to write, it is kept beside it as
    NAME.steady.nc, and taken from there.
    """
    if job.question is None or not job.question.begins_steady(job.engine) or job.ask.initial is not None:
        return job
    path = None if output.path is None else output.path.with_suffix(".steady.nc")
    if path is not None and path.is_file() and not output.overwrite:
        steady = Record.open(path)
    else:
        alone = replace(job, question=None, ask=Ask(seed=job.ask.seed, tolerance=job.ask.tolerance))
        steady = Driver(alone, replace(output, path=path), progress).run()
    return replace(job, ask=replace(job.ask, initial=steady))


def chosen_engine(model: Any, engine: Engine | str | None) -> Engine:
    """Return the given engine, the engine of a given name, or for None the model's default."""
    return engine_for(model, engine) if engine is None or isinstance(engine, str) else engine


@dataclass(frozen=True)
class Changes:
    """The changes with which a record is extended; none by default.

    engine: settings of the engine by name, e.g. {"chi": 128}. times: more times of an evolution.
    by: another engine that goes on from the same states, e.g. "accelerated" from "tebd".
    tolerance, atol: of a steady state or an evolution. max_time, kick, adjoint, watch: of a steady state; an empty
        `watch` judges it by all that the model monitors. errors: of an evolution, whether it goes on with its
        companions.
    """

    engine: Mapping[str, Any] = field(default_factory=dict)
    by: str | None = None
    times: Sequence[float] | None = None
    tolerance: float | None = None
    atol: float | None = None
    max_time: float | None = None
    kick: bool | None = None
    adjoint: int | None = None
    watch: Sequence[str] | None = None
    errors: bool | None = None

    def __bool__(self) -> bool:
        """True if there is any change."""
        return bool(self.engine) or self.by is not None or self.times is not None or bool(self.asked)

    @property
    def asked(self) -> dict[str, Any]:
        """The changes of the request but for the times, by name."""
        given = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {k: v for k, v in given.items() if v is not None and k not in ("engine", "by", "times")}

    @property
    def steady(self) -> dict[str, Any]:
        """Those of them that apply only to a steady state."""
        return {k: v for k, v in self.asked.items() if k not in ("tolerance", "atol", "errors")}


@typed
def extend(
    path: str | Path,
    changes: Changes | None = None,
    *,
    model: type | str | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    accept_old: bool = False,
) -> Record:
    """Push a record further: more bond dimension, more time, a finer step; or finish an unfinished run.

    Parameters
    ----------
    path: FILE.nc or FILE.nc.part. An unfinished run is continued if nothing changes, and extended from its present
        state otherwise. changes: of the engine, the times or the accuracy; default: none.
    model: the model's class or its name, `file.py:Class`. A record that names a file needs it: no file that a record
        names is loaded. Default: the registered model that the record names.
    out: the record to write; default: FILE.nc, which is replaced once the new one is complete.
    others: as for `steady_state`.

    Raises
    ------
    InputError, RecordError, NumericalError, Interrupted: see `tnness.errors`.
    """
    changes, path = changes or Changes(), Path(path)
    require_name(path)
    finished = Path(str(path).removesuffix(".part"))
    asked_part = path != finished or not finished.exists()
    record = Record.open(part_path(finished) if asked_part and part_path(finished).exists() else path)
    found = _model_of(record, model, path)
    job = _continued(record, found, changes) if record.unfinished else None
    if job is None:
        job = _extension(record, found, changes, path, out)
    replaces = out is None and (not record.unfinished or not finished.exists() or _replaces(job, finished))
    output = _output(out or finished, overwrite or replaces, checkpoint_every, accept_old)
    if not record.unfinished or job.initial is record:
        output.check_age(record, path)
        other = job.other(record)
        if other:
            raise RecordError(f"{path} cannot be extended: {'; '.join(other)}")
    return run(job, output, progress)


def _replaces(job: Job, finished: Path) -> bool:
    """True where an unfinished run extends the finished record of the same name."""
    return label(job.initial) == label(Record.open(finished))


Found = tuple[type, str]
"""A model's class and its name."""


def _model_of(record: Record, given: type | str | None, path: Path) -> Found:
    """Return a record's model: the one given, or a registered one; a file is loaded only if the user names it."""
    name = str(record.settings["model"])
    if isinstance(given, str):
        return registry.find(given), registry.full_name(given)
    if given is not None:
        same = name.rpartition(":")[2] == given.__qualname__
        return given, name if same else name_of(given)
    if registry.names_file(name):
        raise RecordError(
            f"{path} names its model by a file, which is not loaded unasked: --model {name} says that it may be (or "
            "where else it is); in Python extend(..., model=...)"
        )
    if ":" in name or name not in registry.models():
        raise RecordError(
            f"{path} is of a model {name!r} that is not registered: --model FILE.py:Class says where it is; in Python "
            "extend(..., model=...)"
        )
    return registry.find(name), name


def _continued(part: Record, model: Found, changes: Changes) -> Job | None:
    """Return the job of an unfinished run; None if the changes alter it."""
    settings = part.settings
    job = _same(part, model, settings["initial"], changes)
    if changes.times is not None:
        job = replace(job, ask=replace(job.ask, times=checked_times(changes.times)))
    return None if differences(settings | {"model": job.name}, job.settings) else job


def _extension(record: Record, model: Found, changes: Changes, path: Path, out: str | Path | None) -> Job:
    kind = record.settings["kind"]
    if record.snapshot is None:
        raise RecordError(f"{path} holds no state to go on from")
    if kind == STEADY and changes.times is None:
        return _same(record, model, record, changes)
    if changes.steady:
        raise InputError(f"{', '.join(changes.steady)} belong to a steady state, not to a time evolution")
    if kind == STEADY and out is None:
        raise InputError(f"{path} is a steady state: --out says where a time evolution from it goes")
    times = _further_times(record, changes, path) if kind == EVOLUTION else list(changes.times or ())
    same = _same(record, model, record, replace(changes, errors=None) if kind == STEADY else changes)
    names = ("tolerance", "atol", "errors")
    known = {name: getattr(same.ask, name) for name in names} if kind == EVOLUTION else {}
    ask = Ask(seed=same.ask.seed, initial=record, times=checked_times(times), **(known | changes.asked))
    return replace(same, ask=ask)


def _further_times(record: Record, changes: Changes, path: Path) -> list[float]:
    """Return the times beyond the end of an evolution: those given, or those an unfinished one has not reached."""
    if changes.times is None and not record.unfinished:
        raise InputError(f"{path} is a time evolution: --time says how far to extend it")
    if changes.times is None:
        return [t for t in record.settings["times"] if t > record.time]
    if len(changes.times) and changes.times[0] <= record.time:
        raise InputError(f"{path} ends at time {record.time:g}; the times asked for must lie beyond it")
    return [float(t) for t in changes.times]


def _same(record: Record, found: Found, initial: Any, changes: Changes) -> Job:
    """Return a record's job, with the changes of the engine and of a steady state's accuracy."""
    settings, (cls, name) = record.settings, found
    model = build(cls, settings["parameters"], name)
    stored = dict(settings["engine_settings"])
    if "schedule" in stored and initial is record:
        stored["schedule"] = None  # the record is the coarse stage
    asked = {name: settings[name] for name in field_types(Ask) if name in settings}  # older files hold fewer of them
    asked |= {"initial": initial, "times": settings["times"] if settings["kind"] == EVOLUTION else None}
    asked.setdefault("errors", settings["kind"] == STEADY)
    ask = Ask(**(asked | changes.asked))
    question = question_of(settings.get("question"))
    return Job(model, name, _same_engine(model, settings["engine"], stored, changes), ask, question)


def _same_engine(model: Any, name: str, stored: dict[str, Any], changes: Changes) -> Engine:
    """Return a record's engine with the changes, or the engine `changes.by` with the settings that both have."""
    by = name if changes.by is None else loaded_engine(changes.by)
    if by == name:
        return engine_for(model, name, **(stored | dict(changes.engine)))
    families = {engine_class(engine).like or engine for engine in (name, by)}
    if len(families) > 1:
        raise InputError(f"engine {by!r} cannot go on from a record of engine {name!r}")
    names = {entry.name for entry in fields(engine_class(by))}  # type: ignore[arg-type]
    taken = {key: value for key, value in stored.items() if key in names}
    return engine_for(model, by, **(taken | dict(changes.engine)))


def _output(out: str | Path | None, overwrite: bool, checkpoint_every: float, accept_old: bool) -> Output:
    return Output(None if out is None else Path(out), overwrite, checkpoint_every, accept_old)
