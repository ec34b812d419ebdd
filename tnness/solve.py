"""The driver: one loop for every engine, with stopping, progress, checkpoints and the certificate.

`steady_state` and `evolve` return a `Record`. With `out` they also write it, keep the unfinished run in `OUT.part`, and
continue from there when called again with the same settings; when a checkpoint falls never changes a number.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tnness import model as modelling
from tnness.basis import LocalSpace
from tnness.certificate import Prior, certify_evolution, certify_steady, trotter_is_open
from tnness.engines.exact import Exact
from tnness.engines.protocol import Engine, Run, Snapshot
from tnness.engines.tebd import TEBD, TEBDRun
from tnness.engines.thermal import thermal_state
from tnness.errors import InputError, NumericalError, RecordError, TnnessError, suggestion
from tnness.network.chain_state import ChainState
from tnness.network.initial import identity_state, product_state
from tnness.observables import Observable
from tnness.problems.generator import ChainGenerator
from tnness.record import FORMAT, Record, evolution_dataset, part_path, require_folder, steady_dataset, versions
from tnness.relaxation import History

ENGINES: dict[str, type] = {"tebd": TEBD, "exact": Exact}
TOLERANCE = 1e-3
CHECKPOINT_EVERY = 60.0
MAX_STEPS = 20_000
"""Default cap of a steady-state run, in time steps."""
PRIOR_STAGE = -1


class Interrupted(TnnessError):
    """The run was stopped by a signal; what was computed is saved."""


def engine_for(model: Any, name: str | None = None, **settings: Any) -> Engine:
    """Return an engine by name (default: the model's first), with the settings that are not None.

    Raises
    ------
    InputError: an engine that does not exist or does not serve the model, or a setting it does not have.
    """
    offered = tuple(getattr(type(model), "engines", ("tebd", "exact")))
    chosen = name or offered[0]
    if chosen not in ENGINES:
        raise InputError(f"there is no engine {chosen!r}{suggestion(chosen, ENGINES)}")
    if chosen not in offered:
        raise InputError(f"engine {chosen!r} does not serve model {_name_of(model)!r}; it is served by {', '.join(offered)}")
    cls = ENGINES[chosen]
    known = {entry.name for entry in dataclasses.fields(cls)}
    given = {key: value for key, value in settings.items() if value is not None}
    for key in given:
        if key not in known:
            raise InputError(f"engine {chosen!r} has no setting {key!r} (it has {', '.join(sorted(known))})")
    return cls(**given)


def steady_state(
    model: Any,
    *,
    engine: Engine | str | None = None,
    seed: int = 0,
    initial: ChainState | Record | str = "identity",
    tolerance: float = TOLERANCE,
    max_time: float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
) -> Record:
    """Return the certified steady state of a model.

    Parameters
    ----------
    model: an instance of a registered model (or any dataclass with `problem()` and `observables()`).
    engine: an engine, its name, or None for the model's default.
    seed: of the disorder (`model.draw`) and of the engine's random directions; default 0.
    initial: "identity" (default), "thermal:BETA", "product:0101..." (basis states), a state, or a record to extend.
    tolerance: relative change of every monitored observable that may still be to come; default 1e-3.
    max_time: evolution time after which to give up; default 20,000 steps.
    out: file to write; an unfinished run is kept in `out` + ".part" and continued.
    overwrite: replace a finished `out` (default: refuse).
    checkpoint_every: seconds between checkpoints; default 60.
    progress: show a progress bar; default False.
    name: the model's name for the record; default its registered name.

    Raises
    ------
    InputError, ModelError, RecordError, NumericalError, Interrupted: see `tnness.errors`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from tnness.basis import spin_half as s
    >>> from tnness.observables import expectation
    >>> from tnness.problems.lindbladian import Lindbladian
    >>> @dataclass(frozen=True)
    ... class Pumped:
    ...     n: int = 3
    ...     def problem(self):
    ...         chain = Lindbladian([s] * self.n)
    ...         for i in range(self.n - 1):
    ...             chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    ...         chain.jump(s.Sp(0))
    ...         chain.jump(s.Sm(self.n - 1))
    ...         return chain
    ...     def observables(self):
    ...         return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}
    >>> record = steady_state(Pumped(), engine="exact")
    >>> bool(abs(record["z"].sum()) < 1e-12)
    True
    """
    if not (math.isfinite(tolerance) and tolerance > 0):
        raise InputError(f"tolerance = {tolerance!r}: a number > 0 is needed")
    if max_time is not None and not max_time > 0:
        raise InputError(f"max_time = {max_time!r}: a time > 0 is needed")
    job = Job.make(model, engine, seed, initial, name, kind="steady_state", tolerance=tolerance, max_time=max_time)
    return Driver(job, out, overwrite, checkpoint_every, progress).run()


def evolve(
    model: Any,
    times: Sequence[float],
    *,
    engine: Engine | str | None = None,
    seed: int = 0,
    initial: ChainState | Record | str = "identity",
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
) -> Record:
    """Return the observables of a model at the given times, evolved from `initial` at time 0.

    Parameters
    ----------
    times: increasing, >= 0; when a record is extended, beyond its last time.
    others: as for `steady_state`.
    """
    wanted = [float(t) for t in times]
    if not wanted or not all(math.isfinite(t) and t >= 0 for t in wanted) or sorted(set(wanted)) != wanted:
        raise InputError(f"times must be increasing numbers >= 0, got {wanted[:6]}{'...' if len(wanted) > 6 else ''}")
    if isinstance(initial, Record) and initial.settings["kind"] == "evolution" and wanted[0] <= initial.settings["times"][-1]:
        raise InputError(f"the record ends at time {initial.settings['times'][-1]:g}; the times asked for must lie beyond it")
    job = Job.make(model, engine, seed, initial, name, kind="evolution", times=wanted)
    return Driver(job, out, overwrite, checkpoint_every, progress).run()


@dataclass(frozen=True)
class Job:
    """Everything that determines the numbers of a run."""

    model: Any  # disorder drawn
    name: str
    engine: Engine
    seed: int
    initial: ChainState | Record | str
    kind: str
    tolerance: float = TOLERANCE
    max_time: float | None = None
    times: list[float] = field(default_factory=list)

    @classmethod
    def make(cls, model: Any, engine: Engine | str | None, seed: int, initial: Any, name: str | None, **rest: Any) -> Job:
        """Draw the disorder and choose the engine."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise InputError(f"seed = {seed!r}: an integer >= 0 is needed")
        if not isinstance(model, modelling.Model):
            raise InputError(f"{model!r} is not a model: it needs problem() and observables()")
        chosen = engine_for(model, engine) if engine is None or isinstance(engine, str) else engine
        return cls(modelling.draw(model, int(seed)), name or _name_of(model), chosen, int(seed), initial, **rest)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as JSON-ready values: two runs with equal settings give equal numbers."""
        initial = self.initial if isinstance(self.initial, str) else _fingerprint(self.initial)
        return {
            "model": self.name,
            "parameters": modelling.values_of(self.model),
            "seed": self.seed,
            "engine": self.engine.name,
            "engine_settings": json.loads(json.dumps(dataclasses.asdict(self.engine))),  # type: ignore[call-overload]
            "initial": initial,
            "kind": self.kind,
            "tolerance": self.tolerance,
            "max_time": self.max_time,
            "times": self.times,
        }


class Driver:
    """Runs a job: the loop, and everything around it that is not physics."""

    def __init__(self, job: Job, out: str | Path | None, overwrite: bool, checkpoint_every: float, progress: bool) -> None:
        if not checkpoint_every >= 0:
            raise InputError(f"checkpoint_every = {checkpoint_every!r}: seconds >= 0 are needed")
        self.job = job
        self.out = Path(out) if out is not None else None
        self.checkpoint_every = checkpoint_every
        self.progress = progress
        self.wall = 0.0
        if self.out is not None:
            require_folder(self.out)
            if self.out.exists() and not overwrite:
                raise RecordError(f"{self.out} exists already; give --overwrite to replace it, or another --out")
        self.generator = modelling.generator_of(job.model, job.name)
        self.observables = observables_of(job.model, job.name)

    def run(self) -> Record:
        """Run to the end, write the record, and return it."""
        with threadpool_limits(int(os.environ.get("OMP_NUM_THREADS", "1") or 1)):
            record = self._run()
        if self.out is not None:
            record.save(self.out)
            part_path(self.out).unlink(missing_ok=True)
        return record

    def _run(self) -> Record:
        run, history = self._resume() or self._start()
        prior = self._prior()
        last_saved = time.monotonic()
        started = time.monotonic() - self.wall
        advance = self._advance_steady if self.job.kind == "steady_state" else self._advance_evolution
        with _Stop() as stop, self._bar() as bar:
            while True:
                try:
                    more = advance(run, history, bar)
                except NumericalError as error:
                    raise NumericalError(f"{error}{self._keep(run, history)}") from error
                self.wall = time.monotonic() - started
                if not more:
                    break
                if stop.requested:
                    raise Interrupted(f"interrupted at time {run.time:g}{self._keep(run, history)}")
                if self.out is not None and time.monotonic() - last_saved >= self.checkpoint_every:
                    self._checkpoint(run, history)
                    last_saved = time.monotonic()
        if self.job.kind == "steady_state":
            certificate = certify_steady(run, self.generator, history, self.job.tolerance, prior)
            dataset = steady_dataset(self._measure(run), self.observables, certificate)
        else:
            certificate = certify_evolution(run)
            dataset = evolution_dataset(history, self.observables, certificate)
        return self._record(run, history, dataset)

    def _advance_steady(self, run: Run, history: History, bar: tqdm) -> bool:
        """Advance one block; return False at the end."""
        report = run.step()
        history.add(run.time, run.stage, self._measure(run, monitored=True))
        if report.finished:
            return False
        tail = history.tail(run.stage)
        relaxed = tail is not None and tail.relative <= self.job.tolerance
        _show_progress(bar, run, report.chi, tail.relative if tail else math.inf, self.job.tolerance)
        last = run.stage >= len(run.stage_names) - 1
        if not relaxed and run.time < self._time_limit(run, last):
            return True
        if last and relaxed and trotter_is_open(run, history, self.job.tolerance, self._prior()) and run.refine():
            last = False
        if not last:
            run.next_stage()
        return not last

    def _time_limit(self, run: Run, last: bool) -> float:
        """Coarse stages may take half of the time still left before them."""
        limit = self.job.max_time
        if limit is None:
            assert isinstance(run, TEBDRun)
            limit = MAX_STEPS * run.stages[-1].dt
        return self._start_time + limit * (1.0 if last else 1 - 0.5 ** (run.stage + 1))

    def _advance_evolution(self, run: Run, history: History, bar: tqdm) -> bool:
        """Advance towards the next time, measuring when it is reached; return False at the end."""
        done = len(history.times)
        times = self._all_times
        if run.time < times[done]:
            report = run.step(until=times[done])
            _show_progress(bar, run, report.chi, None, None)
        if run.time >= times[done]:
            history.add(run.time, run.stage, self._measure(run))
            bar.update(1)
        return len(history.times) < len(times)

    def _measure(self, run: Run, monitored: bool = False) -> dict[str, Any]:
        view = run.view()
        chosen = {k: o for k, o in self.observables.items() if o.monitored or not monitored}
        return {name: observable(view) for name, observable in chosen.items()}

    def _start(self) -> tuple[Run, History]:
        engine, initial, history = self.job.engine, self.job.initial, History()
        state = initial_state(initial, self.generator)
        self._all_times, self._start_time = self.job.times, 0.0
        if not isinstance(initial, Record):
            return engine.init(self.generator, state, self.job.seed), history
        if isinstance(engine, TEBD) and engine.schedule is None:
            engine = replace(engine, schedule=())  # the record is the coarse stage
        run = engine.init(self.generator, state, self.job.seed)
        run.time = self._start_time = _end_time(initial)
        if self.job.kind == "evolution" and initial.settings["kind"] == "evolution":
            history = initial.history
            self._all_times = [*history.times, *self.job.times]
        elif self.job.kind == "steady_state":
            values = {k: initial.dataset[k].values for k, o in self.observables.items() if o.monitored and k in initial.dataset}
            history.add(run.time, PRIOR_STAGE, values)
        return run, history

    def _resume(self) -> tuple[Run, History] | None:
        """Return the unfinished run of this file, if there is one; refuse one with other settings."""
        if self.out is None or not part_path(self.out).exists():
            return None
        part = Record.open(part_path(self.out))
        differences = _differences(part.settings, self.job.settings)
        if differences:
            raise RecordError(
                f"{part_path(self.out)} is an unfinished run with other settings ({'; '.join(differences)}): "
                "finish it, remove it, or give another --out"
            )
        assert part.snapshot is not None
        engine = self.job.engine
        if isinstance(self.job.initial, Record) and isinstance(engine, TEBD) and engine.schedule is None:
            engine = replace(engine, schedule=())
        run = engine.restore(self.generator, part.snapshot)
        self.wall = float(part.dataset.attrs["wall_seconds"])
        self._start_time = _end_time(self.job.initial) if isinstance(self.job.initial, Record) else 0.0
        self._all_times = self.job.times
        if isinstance(self.job.initial, Record) and self.job.initial.settings["kind"] == self.job.kind == "evolution":
            self._all_times = [*self.job.initial.history.times, *self.job.times]
        return run, part.history

    def _prior(self) -> Prior | None:
        record = self.job.initial
        if not isinstance(record, Record) or record.settings["kind"] != "steady_state" or record.settings["engine"] != "tebd":
            return None
        if _differences(record.settings["parameters"], self.job.settings["parameters"]):
            return None
        settings = TEBD(**_tuples(record.settings["engine_settings"]))
        values = {str(k): v.values for k, v in record.dataset.data_vars.items()}
        return Prior(settings.chi, settings.time_step(self.generator), values, record.certificate.estimates)

    def _checkpoint(self, run: Run, history: History) -> Path:
        assert self.out is not None
        import xarray as xr

        self._record(run, history, xr.Dataset(attrs={"outcome": "unfinished"})).save(part_path(self.out))
        return part_path(self.out)

    def _keep(self, run: Run, history: History) -> str:
        """Save what there is and say where, as the end of a message."""
        if self.out is None:
            return ""
        path = self._checkpoint(run, history)
        return f"; the last good state is in {path}: run the same command again to continue"

    def _record(self, run: Run, history: History, dataset: Any) -> Record:
        dataset.attrs |= {
            "format": FORMAT,
            "model": self.job.name,
            "engine": self.job.engine.name,
            "seed": self.job.seed,
            "settings": json.dumps(self.job.settings),
            "parameters": json.dumps(modelling.values_of(self.job.model)),
            "versions": json.dumps(versions()),
            "local_dimensions": json.dumps(self.generator.dims),
            "evolution_time": run.time,
            "wall_seconds": self.wall,
        }
        return Record(dataset, run.save(), history)

    def _bar(self) -> tqdm:
        total = len(self.job.times) or None
        form = None if total else "{desc} [{elapsed}{postfix}]"
        return tqdm(total=total, disable=not self.progress, desc=self.job.name, bar_format=form, leave=False)


def observables_of(model: Any, name: str = "") -> dict[str, Observable]:
    """Return the model's observables, checked to be a dictionary of `Observable`s."""
    found = model.observables()
    if not isinstance(found, dict) or not all(isinstance(o, Observable) for o in found.values()):
        raise InputError(f"model {name!r}: observables() must return a dictionary of Observables")
    return found


def initial_state(initial: Any, generator: ChainGenerator) -> ChainState:
    """Return the state that `initial` names; see `steady_state`."""
    if isinstance(initial, ChainState):
        return initial
    if isinstance(initial, Record):
        return initial.state
    if initial == "identity":
        return identity_state(generator.spaces)
    kind, _, value = str(initial).partition(":")
    if kind == "product":
        return product_state(generator.spaces, _basis_states(value, generator.spaces))
    if kind == "thermal":
        with contextlib.suppress(ValueError):
            if generator.origin is not None:
                return thermal_state(generator.origin, float(value))
        raise InputError(f"initial = {initial!r}: thermal:BETA takes a number, and a model with a Hamiltonian")
    raise InputError(f"initial = {initial!r}: identity, thermal:BETA or product:0101... is needed")


def _basis_states(digits: str, spaces: Sequence[LocalSpace]) -> list[Any]:
    if len(digits) != len(spaces) or not all(d.isdigit() and int(d) < s.levels for d, s in zip(digits, spaces, strict=True)):
        raise InputError(f"product:{digits} needs one digit per site ({len(spaces)}), each below the site's number of levels")
    return [np.diag(np.eye(s.levels)[int(d)]) for d, s in zip(digits, spaces, strict=True)]


def _show_progress(bar: tqdm, run: Run, chi: int, remaining: float | None, tolerance: float | None) -> None:
    if bar.disable:
        return
    if remaining is None:
        bar.set_postfix_str(f"t={run.time:.4g} chi={chi} discarded={run.discarded:.1e}")
        return
    label = run.stage_names[run.stage]
    shown = "-" if math.isinf(remaining) else f"{remaining:.1e}"
    bar.set_description_str(f"stage {run.stage + 1}/{len(run.stage_names)} ({label})", refresh=False)
    bar.set_postfix_str(f"t={run.time:.4g} bond={chi} to come={shown} (wanted {tolerance:.0e})")


def _name_of(model: Any) -> str:
    return str(getattr(type(model), "registered_name", type(model).__name__))


def _end_time(record: Record) -> float:
    time = float(record.dataset.attrs["evolution_time"])
    return time if math.isfinite(time) else 0.0


def _fingerprint(state: ChainState | Record) -> dict[str, Any]:
    """A short, exact name of a given initial state: equal states give equal names."""
    chain = state.state if isinstance(state, Record) else state
    import hashlib

    digest = hashlib.sha256()
    for tensor in chain.tensors:
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return {"state": digest.hexdigest()[:16]}


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{key}.")
        elif a != b:
            found.append(f"{prefix}{key} = {_short(a)} there, {_short(b)} here")
    return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 30 else f"{text[:27]}..."


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}


class _Stop:
    """Turns the first SIGINT or SIGTERM into a request to stop between steps; a second SIGINT stops at once."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> _Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *details: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: Any) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
