"""A job: everything that determines the numbers of a run, and where the run begins.

Two jobs with equal settings give equal numbers. A job continues an unfinished run only if the settings are equal.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sysconfig
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tnness.engines import shipped as shipped  # registers the engines of the package
from tnness.engines.ask import EVOLUTION, STEADY, Ask
from tnness.engines.beyond.question import Question
from tnness.engines.protocol import Engine
from tnness.engines.registry import ENGINES, build_engine, engine_class, is_engine, plain_settings
from tnness.errors import InputError, ModelError, RecordError, TnnessError, suggestion
from tnness.interop.states import foreign_kind, raw_tensors
from tnness.model.protocol import UNKNOWN, Model, draw, problem_of, values_of
from tnness.model.registry import module_from_file, names_file
from tnness.network.chain_state import ChainState
from tnness.observables.observable import Observable
from tnness.problems.need import checked_when_begun
from tnness.records.record import BURSTS, PREFIX, RESERVED, Record
from tnness.runs.physics import Physics
from tnness.runs.watch import watched
from tnness.typed import shown

MODELS_OWN = "model"
"""The label of the model's own initial state (`initial_state(engine)`)."""


def engine_for(model: Any, name: str | None = None, **settings: Any) -> Engine:
    """Return an engine by name, with the settings that are not None.

    By default it is the model's first, or the one that this leaves the problem to.

    Raises
    ------
    InputError: an engine that does not exist or does not serve the model, or a setting it does not have.
    """
    offered = offered_engines(model)
    given = {key: value for key, value in settings.items() if value is not None}
    chosen = loaded_engine(name) if name else _default_engine(model, loaded_engine(offered[0]), given)
    cls = engine_class(chosen)
    if not {chosen, cls.like, *cls.also} & set(offered):
        served = ", ".join(offered)
        raise InputError(f"engine {chosen!r} does not serve model {name_of(model)!r}; it is served by {served}")
    return build_engine(chosen, given)


def _default_engine(model: Any, first: str, settings: Mapping[str, Any]) -> str:
    """Return the name of an engine, or of another where that one cannot solve the problem of the model."""
    cls = engine_class(first)
    if cls.instead is None or isinstance(model, type):
        return first
    try:
        engine = build_engine(first, settings)
        with checked_when_begun(lambda problem: engine.check_need(problem, Ask())):
            problem = model.problem()
    except Exception:  # it is built once more by the run, which reports what is wrong with it
        return first
    if callable(getattr(problem, "summary", None)):
        _STATED[:] = [(model, problem)]
    other = None if cls.serves(problem) else cls.leaves_to(problem)
    return first if other is None else other


_STATED: list[tuple[Any, Any]] = []
"""The model whose engine was chosen last, and its problem, until the job takes it: large chains take long to state."""


def _stated(model: Any) -> Any:
    """Return the problem that was stated when the engine of this very model was chosen; None if it was not."""
    kept = [problem for known, problem in _STATED if known is model]
    _STATED.clear()
    return kept[0] if kept else None


def loaded_engine(name: str) -> str:
    """Return the name of an engine; load its file first if it is given as `file.py:NAME`.

    Raises
    ------
    InputError: there is no such file, or it registers no engine of this name.
    """
    if not names_file(name):
        if name not in ENGINES:
            raise InputError(
                f"there is no engine {name!r}{suggestion(name, ENGINES)}; an engine in another file than the model's "
                "is given as file.py:NAME"
            )
        return name
    path, _, own = name.rpartition(":")
    module = module_from_file(path)
    registered = getattr(getattr(module, own, None), "name", own)  # the name of the class will do too
    if registered not in ENGINES:
        raise InputError(f"{path} registers no engine {own!r}{suggestion(own, ENGINES)}")
    return registered


def offered_engines(model: Any) -> tuple[str, ...]:
    """Return the engines that a model names (an instance or its class), the default first."""
    cls = model if isinstance(model, type) else type(model)
    return tuple(getattr(cls, "engines", ("tebd", "exact")))


@dataclass(frozen=True)
class Job:
    """Everything that determines the numbers of a run.

    Parameters
    ----------
    model: the model; the job draws its disorder. name: under which the registry finds the model. engine: with its
        settings. ask: the request. Where only an unfinished run still holds the initial state, `ask.initial` is a label
        of it (as in `settings`). question: what is asked of the model in place of its states.
    """

    model: Any
    name: str
    engine: Engine
    ask: Ask = field(default_factory=Ask)
    question: Question | None = None

    def __post_init__(self) -> None:
        if isinstance(self.model, type) or not isinstance(self.model, Model):
            raise InputError(f"{shown(self.model)} is not a model: it needs problem() and observables()")
        if not is_engine(self.engine):
            raise InputError(f"engine = {shown(self.engine)}: an engine with its settings, or a name, is needed")
        with own_code(self.name):
            object.__setattr__(self, "model", draw(self.model, self.ask.seed))
        if self.ask.own_period:
            period = getattr(self.model, "period", None)
            if isinstance(period, bool) or not isinstance(period, (int, float)):
                raise InputError(f"own_period: {name_of(self.model)} has no number `period`: give it as period")
            object.__setattr__(self, "ask", replace(self.ask, period=float(period), own_period=False))
        values_of(self.model)  # refuses a parameter that no record can hold, before anything is computed
        if self.question is not None:
            extended = isinstance(self.ask.initial, Record)
            self.question.check_ask(replace(self.ask, initial=None) if extended else self.ask)
        _ = self.solver  # refuses a question that the engine does not answer
        if self.question is not None and self.question.of_steady_state and isinstance(self.ask.initial, Record):
            self._check_steady(self.question, self.ask.initial)
        if self.ask.watch:
            _ = self.observables  # refuses to watch what the model does not monitor

    def _check_steady(self, question: Question, record: Record) -> None:
        """Refuse a record that is no certified steady state of this problem."""
        recorded = Physics.load(record.dataset.attrs).problem
        if recorded not in (UNKNOWN, self.physics.problem):
            raise RecordError(
                f"{question.kind}: the record of the steady state (--initial, or NAME.steady.nc) is of other physics: "
                "give one of this problem, or remove it"
            )
        if record.settings["kind"] != STEADY or not record.outcome.startswith(("converged", "exact")):
            raise RecordError(
                f"{question.kind} needs a certified steady state, and the record that is given is none "
                f"({record.outcome}): continue it first"
            )

    @property
    def initial(self) -> Any:
        """The initial state: the one asked for, or else the model's own, or else the identity."""
        if self.ask.initial is not None:
            return self.ask.initial
        return MODELS_OWN if hasattr(self.model, "initial_state") else "identity"

    @property
    def observables(self) -> dict[str, Observable]:
        """The model's observables, or the question's; those that judge the run are marked as monitored."""
        if self.question is not None:
            return watched(self.question.observables(self.problem), self.ask.watch)
        return watched(observables_of(self.model, self.name), self.ask.watch)

    @cached_property
    def solver(self) -> Engine:
        """The engine, or what answers the question with its settings."""
        return self.engine if self.question is None else self.question.solver(self.engine)

    @cached_property
    def problem(self) -> Any:
        """The model's problem."""
        kept = _stated(self.model)
        if kept is not None:
            return kept
        with own_code(self.name), checked_when_begun(lambda problem: self.solver.check_need(problem, self.ask)):
            return problem_of(self.model, self.name)

    @cached_property
    def physics(self) -> Physics:
        """The digests of the problem and of the observables."""
        with own_code(self.name):
            return Physics.of(self.problem, self.observables)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as JSON-ready values: two runs with equal settings give equal numbers."""
        ask = self.ask
        asked = {} if self.question is None else {"question": self.question.dump()}
        return {
            "model": self.name,
            "parameters": values_of(self.model),
            "seed": ask.seed,
            "engine": self.engine.name,
            "engine_settings": plain_settings(self.engine),
            "initial": label(self.initial),
            "kind": ask.kind,
            "tolerance": ask.tolerance,
            "atol": ask.atol,
            "max_time": ask.max_time,
            "times": list(ask.times or ()),
            "refine": ask.refine,
            "kick": ask.kick,
            "errors": ask.errors,
            "adjoint": ask.adjoint,
            "watch": list(ask.watch),
            "period": ask.period,
            **asked,
        }

    def extends(self, record: Any) -> bool:
        """True where a record holds the same system in the same kind of run, so that its numbers are taken over."""
        if not isinstance(record, Record):
            return False
        settings, recorded = self.settings, record.settings
        if settings["model"] != recorded["model"] and not self._has_moved(record):
            return False
        same = all(settings.get(key) == recorded.get(key) for key in ("parameters", "kind", "question", "period"))
        return same and not self.other(record)

    def other(self, record: Record) -> list[str]:
        """Return, in words, how a record's physics differs from the job's; empty if it is the same or unknown."""
        return self.physics.other_than(Physics.load(record.dataset.attrs))

    def changed(self, record: Record) -> list[str]:
        """Return, in words, how a record's settings and physics differ from the job's, wherever the model's file is."""
        settings = record.settings
        if self._has_moved(record):
            settings = settings | {"model": self.name}
        return differences(settings, self.settings) + self.other(record)

    def _has_moved(self, record: Record) -> bool:
        """True where a record names the same class in another file, and states the same problem."""
        recorded = Physics.load(record.dataset.attrs).problem
        files = [name.rpartition(":") for name in (self.name, str(record.settings["model"]))]
        moved = all(path.endswith(".py") for path, _, _ in files) and files[0][2] == files[1][2]
        return moved and recorded != UNKNOWN and recorded == self.physics.problem


def observables_of(model: Any, name: str = "") -> dict[str, Observable]:
    """Return the model's observables, checked to be a dictionary of `Observable`s with names fit for a record."""
    name = name or name_of(model)
    with own_code(name):
        observables = model.observables()
    if not isinstance(observables, dict) or not all(isinstance(o, Observable) for o in observables.values()):
        raise ModelError(f"model {name!r}: observables() must return a dictionary of Observables")
    for key in observables:
        if not isinstance(key, str) or not key or "/" in key or key in (*RESERVED, *BURSTS) or key.startswith(PREFIX):
            raise ModelError(
                f"model {name!r}: no observable can be called {key!r} (a record uses or cannot hold the name)"
            )
    return observables


@contextlib.contextmanager
def own_code(name: str) -> Iterator[None]:
    """Turn an error in the model's own code into a `ModelError` that says where it was raised.

    An error whose traceback has no line of the user's is one of the package, and stays what it is.
    """
    try:
        yield
    except TnnessError:
        raise
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_library(frame.filename)]
        if not frames:
            raise
        meant = (words for kind, words in OWN_CODE_MEANINGS.items() if isinstance(error, kind))  # NumPy derives its own
        reason = next(meant, f"its own code raised {type(error).__name__}: {error}")
        raise ModelError(f"model {name!r}: {reason} ({frames[-1].filename}, line {frames[-1].lineno})") from error


OWN_CODE_MEANINGS = {
    MemoryError: "its own code asked for more memory than this machine has",
    RecursionError: "its own code calls itself without end",
}
"""Words for errors whose own text says little."""
PACKAGE = str(Path(__file__).parents[1])
STANDARD = sysconfig.get_path("stdlib")
BELOW = tuple(
    os.path.join(sysconfig.get_path("purelib"), name)
    for name in ("numpy", "scipy", "xarray", "h5py", "opt_einsum", "quimb", "tenpy", "autoray", "threadpoolctl.py")
)
"""Where code lies that is not the user's: the package, the standard library, what the package is built on."""


def _is_library(file: str) -> bool:
    standard = (file.startswith(STANDARD) and "site-packages" not in file) or file.endswith(".pyx")
    return standard or file.startswith((PACKAGE, *BELOW)) or file in ("<string>", "<frozen importlib._bootstrap>")


def name_of(model: Any) -> str:
    """Return the name under which a model is registered, or else the name of its class."""
    cls = model if isinstance(model, type) else type(model)
    return str(getattr(cls, "registered_name", cls.__name__))


def label(initial: Any) -> str | dict[str, str]:
    """Return a short, exact name of an initial state: equal states give equal names."""
    if isinstance(initial, Record) and initial.snapshot is not None:
        return {"record": _digest(initial.snapshot.arrays, initial.snapshot.numbers)}
    if isinstance(initial, ChainState):
        return {"state": _digest({f"{i:04d}": tensor for i, tensor in enumerate(initial.tensors)}, {})}
    if isinstance(initial, np.ndarray):
        return {"array": _digest({str(initial.shape): initial}, {})}
    if foreign_kind(initial) is not None:
        return {"state": _digest_of_list(raw_tensors(initial))}
    if isinstance(initial, (list, tuple)):
        with contextlib.suppress(TypeError, ValueError):  # what is no list of numbers is refused when the run begins
            return {"list": _digest_of_list([np.asarray(entry, complex) for entry in initial])}
    return initial if isinstance(initial, dict) else str(initial)


def _digest_of_list(arrays: Sequence[Any]) -> str:
    return _digest({f"{i:04d} {array.shape} {array.dtype}": array for i, array in enumerate(arrays)}, {})


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return, in words, where the settings of two runs or sweeps differ.

    If a setting did not exist yet when a file was written, the file counts as having its default.
    """
    return _differing(_completed(old), _completed(new))


def _completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    errors = settings.get("kind") != EVOLUTION
    known = {"watch": [], "kick": True, "adjoint": 0, "period": None, "errors": errors, "question": None}
    settings = {**known, **settings}
    engine, given = ENGINES.get(str(settings.get("engine"))), settings.get("engine_settings")
    if engine is None or not isinstance(given, dict):
        return settings
    return {**settings, "engine_settings": plain_settings(engine()) | given}  # type: ignore[operator]


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            lines += _differing(a, b, f"{prefix}{key}.")
        elif a != b:
            lines.append(f"{prefix}{key} = {_short(a)} there, {_short(b)} here")
    return lines


def _digest(arrays: Mapping[str, Any], numbers: Mapping[str, float]) -> str:
    digest = hashlib.sha256(json.dumps(dict(numbers), sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()[:16]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 30 else f"{text[:27]}..."
