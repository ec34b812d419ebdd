"""A question to a model other than for its states: what is asked, and the engines that answer it.

A question brings its own observables. An `Answerer` stands in for the engine of a job: its run is of the one kind
(`step`, `view`, `save`), so that a question is stopped, checkpointed, resumed, digested and written like a state.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from tnness.engines.ask import Ask
from tnness.engines.protocol import Engine
from tnness.errors import InputError
from tnness.observables.observable import Observable
from tnness.problems.need import Need
from tnness.typed import build_dataclass, check_fields

Class = TypeVar("Class", bound=type["Answerer"])
Asked = TypeVar("Asked", bound=type["Question"])


@dataclass(frozen=True, kw_only=True)
class Question:
    """Base class of questions: a frozen dataclass of what is asked. kind: its name in records and on the command line.

    needs_times: whether it is asked at the times of an evolution. of_steady_state: whether a record that it starts from
    must be a certified steady state of the same physics.
    """

    kind: ClassVar[str]
    needs_times: ClassVar[bool] = False
    refused: ClassVar[tuple[str, ...]] = ()
    """Fields of a request that it has no use for."""
    why_refused: ClassVar[str] = ""
    of_steady_state: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self, self.kind)

    def observables(self, problem: Any) -> dict[str, Observable]:
        """Return what the record holds, as observables of the answer's view."""
        raise NotImplementedError(f"question {self.kind!r} has no observables()")

    def dump(self) -> dict[str, Any]:
        """Return the question as JSON-ready values."""
        return json.loads(json.dumps({"kind": self.kind, **dataclasses.asdict(self)}))

    def check_ask(self, ask: Ask) -> None:
        """Refuse a request without the times that the question needs, or with what it has no use for."""
        for name in self.refused:
            if getattr(ask, name) != getattr(Ask, name):
                raise InputError(f"{name}: {self.why_refused}")
        if self.needs_times and ask.times is None:
            raise InputError(f"{self.kind} needs --time: the times t at which it is asked")

    def begins_steady(self, engine: Engine) -> bool:
        """Return whether what answers this question with an engine begins with the steady state."""
        return self._answerer(engine).begins_steady

    def solver(self, engine: Engine) -> Engine:
        """Return what answers this question with the settings of an engine.

        Raises
        ------
        InputError: the engine does not answer it.
        """
        return self._answerer(engine)(engine=engine, question=self)

    def _answerer(self, engine: Engine) -> type[Answerer]:
        for name in (engine.name, engine.like):
            if (self.kind, name) in ANSWERERS:
                return ANSWERERS[self.kind, str(name)]
        able = ", ".join(sorted(name for kind, name in ANSWERERS if kind == self.kind))
        raise InputError(f"engine {engine.name!r} gives no {self.kind}; {able} do: choose one with --engine")


QUESTIONS: dict[str, type[Question]] = {}
ANSWERERS: dict[tuple[str, str], type[Answerer]] = {}


def register_question(cls: Asked) -> Asked:
    """Make a kind of question known by its name."""
    QUESTIONS[cls.kind] = cls
    return cls


def question_of(settings: Mapping[str, Any] | None) -> Question | None:
    """Return the question that was dumped; None for None."""
    if settings is None:
        return None
    given = dict(settings)
    kind = str(given.pop("kind", ""))
    if kind not in QUESTIONS:
        raise InputError(f"there is no question {kind!r}; there are {', '.join(sorted(QUESTIONS))}")
    return build_dataclass(QUESTIONS[kind], given, f"question {kind!r}", "setting")


@dataclass(frozen=True, kw_only=True)
class Answerer(Engine):
    """Base class of what answers a question with the settings of an engine.

    A subclass implements `begin` and `resume`, as an engine does.
    """

    engine: Engine
    question: Any

    rehearses: ClassVar[bool] = False
    begins_steady: ClassVar[bool] = False
    """Whether its run begins with the steady state of the same engine."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.engine.name)

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the engine needs for a state."""
        return self.engine.need(problem, ask)

    def used(self, problem: Any) -> dict[str, Any]:
        """Return the settings of the engine as they are used."""
        return self.engine.used(problem)


def answers(kind: str, engine: str) -> Callable[[Class], Class]:
    """Register what answers a kind of question with the settings of an engine."""

    def keep(cls: Class) -> Class:
        ANSWERERS[kind, engine] = cls
        return cls

    return keep
