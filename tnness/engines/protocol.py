"""The interface between the driver and the engines.

An engine is a frozen dataclass of settings, registered by name. It begins a run of a problem. The run owns the state
and the clock, advances by steps, and shows its state as a view. It is saved as a `Snapshot` (arrays and numbers,
nothing else), from which the engine resumes it exactly. The engine also supplies the stopping rule, which decides when
the run is over and which accuracy its answer may claim.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Ask, Start
from tnness.engines.initial import parse_initial
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.operators.terms import Operator
from tnness.problems.generator import ChainGenerator
from tnness.problems.need import Need
from tnness.records.certificate import Prior
from tnness.records.history import History
from tnness.records.record import Record
from tnness.records.snapshot import Snapshot
from tnness.stopping.protocol import Rule
from tnness.typed import check_fields


@dataclass(frozen=True)
class Report:
    """The report of one call of `step`.

    time: the run's clock after the step. discarded: relative weight dropped in the step, summed over all splits.
    fallbacks: number of factorisations that fell back to another method. chi: largest bond dimension (0 for engines
    without bonds). finished: True if no step is left. sampled: whether the view is a sample of an average.
    text: text of a progress bar beside the time. fraction: share of the whole run that is done, NaN if unknown.
    """

    time: float
    discarded: float = 0.0
    fallbacks: int = 0
    chi: int = 0
    finished: bool = False
    sampled: bool = True
    text: str = ""
    fraction: float = math.nan


@dataclass(frozen=True)
class Companion:
    """A run beside a time evolution, from whose difference one kind of error is read.

    Parameters
    ----------
    engine: of the companion. factor: of the difference. prepare: what is done to a run that begins.
    """

    engine: Engine
    factor: float = 1.0
    prepare: Callable[[Any], object] = lambda run: None


class Run(Protocol):
    """A run of an engine."""

    @property
    def time(self) -> float:
        """The run's clock."""
        ...

    def step(self, until: float | None = None) -> Report:
        """Advance by one step: towards the steady state, or towards the time `until` but not beyond it."""
        ...

    def view(self) -> Any:
        """Return a view of the present state."""
        ...

    def save(self) -> Snapshot:
        """Return everything needed to go on as if never interrupted."""
        ...


Adjoint = Callable[[Any, Sequence[Operator]], NDArray[np.float64] | None]
"""A function of a finished run and of operators: the signed truncation error of each, or None where none is known."""


class Engine:
    """Base class of engines: a frozen dataclass of settings that begins and resumes runs.

    A subclass implements `begin` and `resume`, and may override the other methods; `register_engine` gives it a name.
    docs/engines.md shows an engine of sixty lines.

    like: the name of another engine: this one also serves the models that list that engine. None: it serves only the
    models that list this engine.
    also: names of engines whose models this one serves too, though what it gives is another kind of answer.
    instead: the name of the engine that is used by default for a problem that this one does not serve.
    rehearses: whether the driver first measures all observables on the initial state; False for engines whose views do
    the computation.
    """

    name: ClassVar[str]
    like: ClassVar[str | None] = None
    also: ClassVar[tuple[str, ...]] = ()
    instead: ClassVar[str | None] = None
    rehearses: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the types of the settings; a subclass with checks of its own calls this first."""
        check_fields(self, f"engine {getattr(self, 'name', type(self).__name__)!r}")

    @classmethod
    def serves(cls, problem: Any) -> bool:
        """Return whether the engine can solve a problem; where it cannot, the default is the engine `instead`."""
        return True

    @classmethod
    def leaves_to(cls, problem: Any) -> str | None:
        """Return the engine that is used by default for a problem that this one does not serve: `instead`."""
        return cls.instead

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return the memory that a run of a problem holds at once, at least; None (the default) if it is not known.

        It is compared with the machine's before the problem becomes matrices.

        Raises
        ------
        InputError: the engine has a limit of its own, and the problem is beyond it.
        """
        return None

    def check_need(self, problem: Any, ask: Ask) -> None:
        """Raise `InputError` if a run of a problem needs more memory than there is."""
        need = self.need(problem, ask)
        if need is not None:
            need.check()

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run that starts from `start.initial` at time 0.

        Raises
        ------
        InputError, ModelError: a problem, an initial state or a kind of run that the engine does not serve.
        """
        raise NotImplementedError(f"engine {self.name!r} has no begin()")

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        raise NotImplementedError(f"engine {self.name!r} has no resume()")

    def extend(self, problem: Any, start: Start, record: Record) -> Run:
        """Return a run that goes on from a finished record of the same system, perhaps with other settings.

        By default an evolution is resumed, and a steady state is solved again.
        """
        if start.steady or record.snapshot is None:
            return self.begin(problem, start)
        return self.resume(problem, start, record.snapshot)

    def rule(self, run: Any, start: Start) -> Rule:
        """Return the stopping rule of a run. The default rule never stops a run and claims no accuracy."""
        return Rule()

    def companions(self, problem: Any, start: Start) -> Mapping[str, Companion | None]:
        """Return the companions of a time evolution: kind of error (`trotter`, `truncation`) -> companion.

        None stands for a kind of error that the engine does not make. By default there are none: no error is estimated.
        """
        return {}

    def adjoint(self, problem: Any, start: Start) -> Adjoint:
        """Return what tells the signed truncation errors of operators in the state of a finished run.

        Raises
        ------
        InputError: the engine cannot tell them, or not of this problem.
        """
        raise InputError(f"adjoint: engine {self.name!r} evolves no observables backwards: leave it out")

    def prior(self, problem: Any, record: Record, judged: Sequence[str]) -> Prior | None:
        """Return the results of a record of the same system that serve as a coarse stage; None if there are none."""
        return None

    def used(self, problem: Any) -> dict[str, Any]:
        """Return the settings that a run of this problem uses, with defaults filled in; the record stores them."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    def used_for(self, problem: Any, ask: Ask) -> dict[str, Any]:
        """Return the settings that a run uses for a request; by default they depend on the problem alone."""
        return self.used(problem)

    def solve(
        self,
        problem: Any,
        *,
        initial: Any = None,
        times: Sequence[float] | None = None,
        seed: int = 0,
        report: Callable[[str, float], None] = lambda text, fraction: None,
    ) -> Solution:
        """Return the views of the steady state, or of the states at the given times, with no file and no record.

        Parameters
        ----------
        initial, times, seed: as for `tnness.steady_state` and `tnness.evolve`.
        report: called with the present activity and the fraction of it that is done.
        """
        ask = Ask(seed=seed, times=None if times is None else tuple(times))
        self.check_need(problem, ask)
        start = Start(parse_initial(initial), ask, report=report)
        run = self.begin(problem, start)
        return Solution(run, self.rule(run, start), ask.times)


@dataclass(frozen=True)
class Solution:
    """A run that advances while its views are read.

    run: the run. rule: its stopping rule. times: the times of an evolution; None for the steady state.
    """

    run: Any
    rule: Rule
    times: tuple[float, ...] | None

    @property
    def views(self) -> Iterator[tuple[float, Any]]:
        """Yield (time, view): all times of an evolution; of a steady state the end, or the samples of an average."""
        if self.times is not None:
            for time in self.times:
                while self.run.time < time:
                    self.run.step(time)
                yield time, self.run.view()
            return
        report = Report(0.0)
        while not report.finished:
            report = self.run.step()
            if report.finished or (self.rule.averages and report.sampled):
                yield self.run.time, self.run.view()

    @property
    def figures(self) -> Mapping[str, float]:
        """The certificate's figures, for the views read so far."""
        return self.rule.figures(History())

    @property
    def verdict(self) -> str:
        """The outcome, for the views read so far."""
        return self.rule.verdict(History())


def check_initial(generator: ChainGenerator, initial: ChainState) -> None:
    """Raise `InputError` if an initial state does not fit the problem's chain."""
    if initial.dims != generator.dims:
        raise InputError(f"the initial state has local dimensions {initial.dims}, the problem {generator.dims}")
    if initial.dtype.kind == "c":
        raise InputError("the initial state is complex: a pure state becomes a density matrix by `density_from_pure`")
