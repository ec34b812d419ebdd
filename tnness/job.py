"""A job: everything that determines the numbers of a run, and where the run begins.

Two jobs with equal settings give equal numbers, so that an unfinished run is continued only by its own job.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import traceback
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tnness import model as modelling
from tnness.certificate import Prior
from tnness.engines.exact import Exact
from tnness.engines.gaussian import Gaussian
from tnness.engines.protocol import DirectEngine, Engine
from tnness.engines.pure.ground import ground_state
from tnness.engines.spectral import Spectral
from tnness.engines.tebd import TEBD
from tnness.engines.thermal import thermal_state
from tnness.engines.trajectories import Trajectories
from tnness.engines.transfer import Transfer
from tnness.errors import InputError, ModelError, TnnessError, Unavailable, suggestion
from tnness.network.adapters import density_from_pure
from tnness.network.chain_state import ChainState
from tnness.network.initial import basis_states, identity_state, product_state
from tnness.observables import Estimate, Observable
from tnness.problems.circuit import Circuit
from tnness.problems.generator import ChainGenerator
from tnness.record import BURSTS, PREFIX, RESERVED, Record
from tnness.watch import names_of, watched

ENGINES: dict[str, type] = {
    "tebd": TEBD,
    "exact": Exact,
    "transfer": Transfer,
    "gaussian": Gaussian,
    "trajectories": Trajectories,
    "spectral": Spectral,
}
TOLERANCE = 1e-3
"""Default relative change of the observables that may be left at the end of a stage."""
STEADY, EVOLUTION = "steady_state", "evolution"
MODELS_OWN = "model"
"""The initial state that the model gives for itself (`initial_state(engine)`)."""


def engine_for(model: Any, name: str | None = None, **settings: Any) -> Engine | DirectEngine:
    """Return an engine by name (default: the model's first), with the settings that are not None.

    Raises
    ------
    InputError: an engine that does not exist or does not serve the model, or a setting it does not have.
    """
    offered = offered_engines(model)
    chosen = name or offered[0]
    if chosen not in ENGINES:
        raise InputError(f"there is no engine {chosen!r}{suggestion(chosen, ENGINES)}")
    if chosen not in offered:
        served = ", ".join(offered)
        raise InputError(f"engine {chosen!r} does not serve model {name_of(model)!r}; it is served by {served}")
    known = sorted(entry.name for entry in dataclasses.fields(ENGINES[chosen]))
    given = {key: value for key, value in settings.items() if value is not None}
    for key in given:
        if key not in known:
            raise InputError(f"engine {chosen!r} has no setting {key!r} (it has {', '.join(known)})")
    return ENGINES[chosen](**given)


def offered_engines(model: Any) -> tuple[str, ...]:
    """Return the engines that serve a model (an instance or its class), the default first."""
    cls = model if isinstance(model, type) else type(model)
    return tuple(getattr(cls, "engines", ("tebd", "exact")))


@dataclass(frozen=True)
class Job:
    """Everything that determines the numbers of a run.

    initial: what the run starts from, None for the default: the model's own, or the identity; a label (as in
        `settings`) where only an unfinished run still holds it.
    refine: whether a steady state whose Trotter error is open is run on at half the time step.
    watch: names of the observables by which a steady state is judged; none for all that the model monitors.
    """

    model: Any  # disorder drawn
    name: str
    engine: Engine | DirectEngine
    seed: int
    initial: ChainState | Record | str | dict[str, str] | None
    kind: str
    tolerance: float = TOLERANCE
    max_time: float | None = None
    times: list[float] = field(default_factory=list)
    refine: bool = True
    watch: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, (int, np.integer)) or self.seed < 0:
            raise InputError(f"seed = {self.seed!r}: an integer >= 0 is needed")
        if not isinstance(self.model, modelling.Model):
            raise InputError(f"{self.model!r} is not a model: it needs problem() and observables()")
        if not (math.isfinite(self.tolerance) and self.tolerance > 0):
            raise InputError(f"tolerance = {self.tolerance!r}: a number > 0 is needed")
        if self.max_time is not None and not self.max_time > 0:
            raise InputError(f"max_time = {self.max_time!r}: a time > 0 is needed")
        if self.kind == EVOLUTION:
            _check_times(self.times)
        if self.initial is None:
            own = hasattr(self.model, "initial_state")
            object.__setattr__(self, "initial", MODELS_OWN if own else "identity")
        object.__setattr__(self, "seed", int(self.seed))
        with own_code(self.name):
            object.__setattr__(self, "model", modelling.draw(self.model, self.seed))
        object.__setattr__(self, "watch", names_of(self.watch))
        if self.watch:
            self._check_watch()

    def _check_watch(self) -> None:
        if self.kind == EVOLUTION:
            raise InputError("watch: a time evolution is not judged by its observables, a steady state is")
        _ = self.observables
        with own_code(self.name):
            sampled = isinstance(modelling.problem_of(self.model, self.name), Circuit)
        if isinstance(self.engine, DirectEngine) and not sampled:
            raise InputError(f"watch: engine {self.engine.name!r} solves in one go, and judges nothing by observables")

    @property
    def observables(self) -> dict[str, Observable]:
        """The model's observables; those are monitored by which the run is judged."""
        return watched(observables_of(self.model, self.name), self.watch)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as JSON-ready values: two runs with equal settings give equal numbers."""
        return {
            "model": self.name,
            "parameters": modelling.values_of(self.model),
            "seed": self.seed,
            "engine": self.engine.name,
            "engine_settings": plain_settings(self.engine),
            "initial": label(self.initial),
            "kind": self.kind,
            "tolerance": self.tolerance,
            "max_time": self.max_time,
            "times": self.times,
            "refine": self.refine,
            "watch": list(self.watch),
        }

    def extends(self, record: Any) -> bool:
        """True where a record holds the same system in the same kind of run: its numbers are taken over."""
        if not isinstance(record, Record):
            return False
        own, other = self.settings, record.settings
        return all(own[key] == other[key] for key in ("model", "parameters", "kind"))


@dataclass(frozen=True)
class Origin:
    """What a run takes over from the record that it extends.

    time: on its clock. times: of an evolution, how many it holds already. prior: of a steady state, what is known.
    """

    time: float = 0.0
    times: int = 0
    prior: Prior | None = None

    def dump(self) -> str:
        """Return it as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def load(cls, text: str) -> Origin:
        """Return what was dumped."""
        values = json.loads(text)
        prior = values.pop("prior")
        return cls(**values, prior=None if prior is None else Prior(**prior))


def prior_of(record: Record, generator: ChainGenerator, judged: Collection[str]) -> Prior | None:
    """Return what is known of some observables from a finished steady state of `tebd`.

    None of any other record, and of one that was not judged by all of them: it may not have relaxed in the others.
    """
    settings = record.settings
    if record.unfinished or settings["kind"] != STEADY or settings["engine"] != TEBD.name:
        return None
    found = record.certificate.estimates
    if not set(judged) <= found.get("relaxation", {}).keys():
        return None
    estimates = {kind: {name: error for name, error in of.items() if name in judged} for kind, of in found.items()}
    engine = TEBD(**as_tuples(settings["engine_settings"]))
    refined = int(record.snapshot.numbers["refined"]) if record.snapshot is not None else 0
    dt = engine.time_step(generator) / 2**refined
    return Prior(engine.chi, dt, record.certificate.relaxation_rate, estimates)


def initial_state(initial: Any, generator: ChainGenerator) -> ChainState:
    """Return the state that `initial` names: identity, thermal:BETA, product:01*..., ground:N, a state or a record."""
    if isinstance(initial, ChainState):
        return initial
    if isinstance(initial, Record):
        return initial.state
    if initial == "identity":
        return identity_state(generator.spaces)
    kind, _, value = str(initial).partition(":")
    if kind == "product":
        return product_state(generator.spaces, basis_states(value, generator.spaces))
    if kind == "thermal":
        with contextlib.suppress(ValueError):
            if generator.origin is not None and math.isfinite(float(value)):
                return thermal_state(generator.origin, float(value))
        raise InputError(f"initial = {initial!r}: thermal:BETA takes a number, and a model with a Hamiltonian")
    if kind == "ground":
        if generator.origin is None or not (value.isascii() and value.isdigit()):
            raise InputError(f"initial = {initial!r}: ground:N takes a number of particles, and a model of them")
        return density_from_pure(ground_state(generator.origin, int(value)), generator.spaces)
    raise InputError(f"initial = {initial!r}: identity, thermal:BETA, product:01*... or ground:N is needed")


def observables_of(model: Any, name: str = "") -> dict[str, Observable]:
    """Return the model's observables, checked to be a dictionary of `Observable`s with names fit for a record."""
    name = name or name_of(model)
    with own_code(name):
        found = model.observables()
    if not isinstance(found, dict) or not all(isinstance(o, Observable) for o in found.values()):
        raise ModelError(f"model {name!r}: observables() must return a dictionary of Observables")
    for key in found:
        if not isinstance(key, str) or not key or "/" in key or key in (*RESERVED, *BURSTS) or key.startswith(PREFIX):
            raise ModelError(
                f"model {name!r}: no observable can be called {key!r} (a record uses or cannot hold the name)"
            )
    return found


def measured(observables: Mapping[str, Observable], view: Any, name: str) -> dict[str, Estimate]:
    """Return what a view gives of the observables: all but those that its engine cannot give."""
    found = {}
    with own_code(name):
        for key, observable in observables.items():
            with contextlib.suppress(Unavailable):
                found[key] = observable.estimate(view)
    return found


@contextlib.contextmanager
def own_code(name: str) -> Iterator[None]:
    """Say plainly when it is the model's own code that failed, and where."""
    try:
        yield
    except TnnessError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error} ({frame.filename}, line {frame.lineno})"
        raise ModelError(f"model {name!r}: its own code raised {told}") from error


def name_of(model: Any) -> str:
    """Return the name under which a model is registered, or that of its class."""
    cls = model if isinstance(model, type) else type(model)
    return str(getattr(cls, "registered_name", cls.__name__))


def label(initial: Any) -> str | dict[str, str]:
    """Return a short, exact name of an initial state: equal states give equal names."""
    if isinstance(initial, Record) and initial.snapshot is not None:
        return {"record": _digest(initial.snapshot.arrays, initial.snapshot.numbers)}
    if isinstance(initial, ChainState):
        return {"state": _digest({f"{i:04d}": tensor for i, tensor in enumerate(initial.tensors)}, {})}
    return initial if isinstance(initial, dict) else str(initial)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return in words where the settings of two runs or sweeps differ.

    A setting that a run or its engine did not have yet when a file was written counts as its default.
    """
    return _differing(_completed(old), _completed(new))


def _completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    settings = {"watch": [], **settings}
    engine, given = ENGINES.get(str(settings.get("engine"))), settings.get("engine_settings")
    if engine is None or not isinstance(given, dict):
        return settings
    return {**settings, "engine_settings": plain_settings(engine()) | given}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differing(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key} = {_short(a)} there, {_short(b)} here")
    return found


def plain_settings(engine: Engine | DirectEngine) -> dict[str, Any]:
    """Return an engine's settings as they come back from JSON."""
    return json.loads(json.dumps(dataclasses.asdict(engine)))  # type: ignore[call-overload]


def as_tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings from JSON with tuples for lists, as engines keep them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}


def _check_times(times: list[float]) -> None:
    if not times or not all(math.isfinite(t) and t >= 0 for t in times) or sorted(set(times)) != times:
        raise InputError(f"times must be increasing numbers >= 0, got {times[:6]}{'...' if len(times) > 6 else ''}")


def _digest(arrays: Mapping[str, Any], numbers: Mapping[str, float]) -> str:
    digest = hashlib.sha256(json.dumps(dict(numbers), sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()[:16]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 30 else f"{text[:27]}..."
