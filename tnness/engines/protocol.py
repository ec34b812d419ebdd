"""What the driver asks of every engine, and what an engine tells the driver.

An engine is a frozen dataclass of settings. Most advance a state: `init` turns a problem and an initial state into a
run, which owns the state and the clock, is saved as a `Snapshot` (arrays and numbers, nothing else) and restored from
one exactly. A *direct* engine needs no clock to go on from: `solve` gives the views of its answer, one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard, runtime_checkable

from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.observables import ProductView
from tnness.problems.generator import ChainGenerator


@dataclass(frozen=True)
class Report:
    """What one call of `step` did.

    time: the run's clock after it. discarded: relative weight dropped in it, summed over all splits. fallbacks: how
    often a factorisation had to fall back. chi: largest bond dimension (0 for engines without bonds). finished: True
    where a direct solver has its answer.
    """

    time: float
    discarded: float = 0.0
    fallbacks: int = 0
    chi: int = 0
    finished: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The whole state of a run, fit for a file: named arrays and named numbers."""

    arrays: dict[str, NDArray[Any]]
    numbers: dict[str, float | int] = field(default_factory=dict)


class Run(Protocol):
    """A run of an engine."""

    time: float
    discarded: float
    fallbacks: int
    trace_drift: float
    stage: int

    @property
    def stage_names(self) -> tuple[str, ...]:
        """One label per stage of a steady state's schedule, e.g. `chi=32 dt=0.4`."""
        ...

    def next_stage(self) -> None:
        """Enter the next stage of the schedule."""
        ...

    def refine(self) -> bool:
        """Append a stage that measures the error of the time step directly; False where there is none to append."""
        ...

    def step(self, until: float | None = None) -> Report:
        """Advance by a little: towards the steady state, or towards the time `until` and not beyond it."""
        ...

    def view(self) -> ProductView:
        """Return a view of the present state."""
        ...

    def chain_state(self) -> ChainState:
        """Return the present state as a matrix-product state."""
        ...

    def save(self) -> Snapshot:
        """Return everything needed to go on as if never interrupted."""
        ...


class SelfPaced(Run, Protocol):
    """A run that itself tells when a stage is over, because it does not wait for it: it proposes states to go on from.

    trace: one row per proposal, as `tnness.record.BURSTS` names them. predicted: what is still to come of every
    observable, absolute, as last decided; infinite for those that are missing.
    """

    trace: list[tuple[float, ...]]
    predicted: dict[str, float]

    @property
    def proposal(self) -> ProductView | None:
        """A view of the state to go on from, once there is one."""
        ...

    @property
    def uncertainty(self) -> float:
        """Factor by which the end may be further off than the proposal is."""
        ...

    @property
    def late(self) -> float:
        """The time from which on observables drift as slowly as they are going to."""
        ...

    @property
    def slowest(self) -> float:
        """The rate at which a drift ends (1 / time)."""
        ...

    def decide(self, predicted: dict[str, float], jump: float, drift: float, tolerance: float) -> None:
        """Take the proposal or not, knowing what it would change."""
        ...

    @property
    def settled(self) -> bool:
        """True where the present stage is over."""
        ...

    @property
    def last(self) -> bool:
        """True in the last stage."""
        ...

    @property
    def exhausted(self) -> bool:
        """True where the present stage had its share without settling."""
        ...

    def start_again(self) -> bool:
        """Append a stage that settles from elsewhere; False where none is wanted."""
        ...

    @property
    def repeated(self) -> Sequence[tuple[int, int]]:
        """Pairs of stages that should have come to the same end."""
        ...


def is_self_paced(run: Run) -> TypeGuard[SelfPaced]:
    """Return whether a run is one that proposes."""
    return hasattr(type(run), "decide")


class Engine(Protocol):
    """A frozen dataclass of settings that can start and restore runs."""

    @property
    def name(self) -> str:
        """The name the engine is chosen by."""
        ...

    def init(self, generator: ChainGenerator, initial: ChainState, seed: int = 0) -> Run:
        """Return a run that starts from `initial` at time 0."""
        ...

    def restore(self, generator: ChainGenerator, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        ...


@dataclass(frozen=True)
class Solution:
    """What a direct engine gives.

    Parameters
    ----------
    views: (time, view) pairs, made one after another and not kept; of a steady state one, at time infinity.
    figures: the certificate's figures by name; complete once the views are exhausted.
    outcome: the verdict, asked for once the views are exhausted: "exact", "converged", "complete" (of a time evolution)
        or an advice that says what dominates and what to change.
    averaged: whether the views of a steady state are samples in time, so that the record holds their averages with
        errors by blocking; a "complete" outcome then becomes the verdict on these.
    """

    views: Iterable[tuple[float, Any]]
    figures: Mapping[str, float] = field(default_factory=dict)
    outcome: str | Callable[[], str] = "exact"
    averaged: bool = False

    @property
    def verdict(self) -> str:
        """The outcome as a text."""
        return self.outcome if isinstance(self.outcome, str) else self.outcome()


@runtime_checkable
class DirectEngine(Protocol):
    """A frozen dataclass of settings that solves a problem in one go."""

    @property
    def name(self) -> str:
        """The name the engine is chosen by."""
        ...

    def solve(
        self,
        problem: Any,
        *,
        initial: Any = None,
        times: Sequence[float] | None = None,
        seed: int = 0,
        report: Callable[[str, float], None] = lambda text, fraction: None,
    ) -> Solution:
        """Return the steady state, or the states at the given times.

        Parameters
        ----------
        problem: what the model states. initial: what was asked for, else the model's own, else None.
        times: increasing, >= 0; None for the steady state. seed: for the engine's own randomness.
        report: told what is being done and which fraction of it is done; it raises to interrupt the work.
        """
        ...


def check_initial(generator: ChainGenerator, initial: ChainState) -> None:
    """Refuse an initial state that does not live on the problem's chain."""
    if initial.dims != generator.dims:
        raise InputError(f"the initial state has local dimensions {initial.dims}, the problem {generator.dims}")
    if initial.dtype.kind == "c":
        raise InputError("the initial state is complex: a pure state becomes a density matrix by `density_from_pure`")
