"""What the driver asks of every engine, and what an engine tells the driver.

An engine is a frozen dataclass of settings, registered by name. It begins a run of a problem; the run owns the state
and the clock, advances by steps, shows its state as a view, and is saved as a `Snapshot` (arrays and numbers, nothing
else) from which the engine resumes it exactly. When the run is over, and what may be claimed of its answer, is said by
the stopping rule that the engine supplies.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from tnness.engines.ask import Ask, Start
from tnness.engines.initial import parse_initial
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.problems.generator import ChainGenerator
from tnness.records.certificate import Prior
from tnness.records.history import History
from tnness.records.record import Record
from tnness.records.snapshot import Snapshot
from tnness.stopping.protocol import Rule
from tnness.typed import check_fields


@dataclass(frozen=True)
class Report:
    """What one call of `step` did.

    time: the run's clock after it. discarded: relative weight dropped in it, summed over all splits. fallbacks: how
    often a factorisation had to fall back. chi: largest bond dimension (0 for engines without bonds). finished: True
    where there is nothing left to step to. sampled: whether the view belongs to the samples of an average.
    text: what a progress bar says beside the time. fraction: how much of the whole run is done, NaN where that is not
    known.
    """

    time: float
    discarded: float = 0.0
    fallbacks: int = 0
    chi: int = 0
    finished: bool = False
    sampled: bool = True
    text: str = ""
    fraction: float = math.nan


class Run(Protocol):
    """A run of an engine."""

    @property
    def time(self) -> float:
        """The run's clock."""
        ...

    def step(self, until: float | None = None) -> Report:
        """Advance by a little: towards the steady state, or towards the time `until` and not beyond it."""
        ...

    def view(self) -> Any:
        """Return a view of the present state."""
        ...

    def save(self) -> Snapshot:
        """Return everything needed to go on as if never interrupted."""
        ...


class Engine:
    """Base class of engines: a frozen dataclass of settings that begins and resumes runs.

    A subclass has `begin` and `resume`, and overrides what it knows better of the rest; `register_engine` names it.
    docs/engines.md has an engine of sixty lines.

    like: the name of an engine whose models it serves as well; None: it serves the models that name it.
    rehearses: whether all observables are tried on the initial state; False where a view does all the work.
    """

    name: ClassVar[str]
    like: ClassVar[str | None] = None
    rehearses: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the types of the settings; a subclass with checks of its own calls this first."""
        check_fields(self, f"engine {getattr(self, 'name', type(self).__name__)!r}")

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

        As it stands: an evolution is resumed, a steady state is solved again.
        """
        if start.steady or record.snapshot is None:
            return self.begin(problem, start)
        return self.resume(problem, start, record.snapshot)

    def rule(self, run: Any, start: Start) -> Rule:
        """Return when a run is over and what it may claim; without a rule of its own, nothing."""
        return Rule()

    def prior(self, problem: Any, record: Record, judged: Sequence[str]) -> Prior | None:
        """Return what a record of the same system is worth as a coarse stage; None where nothing."""
        return None

    def used(self, problem: Any) -> dict[str, Any]:
        """Return the settings that a run of this problem goes by, defaults worked out: the record keeps them."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

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
        initial, times, seed: as for `tnness.steady_state` and `tnness.evolve`. report: told what is being done.
        """
        ask = Ask(seed=seed, times=None if times is None else tuple(times))
        start = Start(parse_initial(initial), ask, report=report)
        run = self.begin(problem, start)
        return Solution(run, self.rule(run, start), ask.times)


@dataclass(frozen=True)
class Solution:
    """A run that is stepped by whoever reads its views.

    run: the run. rule: its stopping rule. times: of an evolution; None for the steady state.
    """

    run: Any
    rule: Rule
    times: tuple[float, ...] | None

    @property
    def views(self) -> Iterator[tuple[float, Any]]:
        """Yield (time, view), one after another: of a steady state one at its end, or all samples of an average."""
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
        """The certificate's figures, of what was read so far."""
        return self.rule.figures(History())

    @property
    def verdict(self) -> str:
        """The outcome, of what was read so far."""
        return self.rule.verdict(History())


def check_initial(generator: ChainGenerator, initial: ChainState) -> None:
    """Refuse an initial state that does not live on the problem's chain."""
    if initial.dims != generator.dims:
        raise InputError(f"the initial state has local dimensions {initial.dims}, the problem {generator.dims}")
    if initial.dtype.kind == "c":
        raise InputError("the initial state is complex: a pure state becomes a density matrix by `density_from_pure`")
