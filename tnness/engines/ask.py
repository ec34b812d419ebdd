"""The request to an engine: what to solve, where to start, and how accurate the answer is to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tnness.engines.initial import Initial
from tnness.errors import InputError
from tnness.records.certificate import Prior
from tnness.stopping.target import Target
from tnness.typed import check_fields, checked, shown

TOLERANCE = 1e-2
"""Default tolerance: the error that an element may have, relative to the scale of its observable."""
ATOL = 1e-4
"""Default absolute tolerance, an error that always suffices, over the relative one."""
STEADY, EVOLUTION = "steady_state", "evolution"
"""The two kinds of run."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The request: a steady state, or the states at given times, and how accurate it is to be.

    Parameters
    ----------
    seed: seed of the disorder and of the engine's random numbers.
    initial: the state that the run starts from; None is the initial state of the model, or the identity.
    times: times of an evolution, increasing and >= 0; None asks for the steady state.
    tolerance: error that is asked for, all kinds together, relative to the observable's scale (its largest element).
    atol: absolute error that suffices, in the observable's unit; None is 1e-4 times the tolerance.
    period: of a chain that is driven periodically; its Floquet steady state is asked for: the state at multiples of it.
    own_period: take the period that the model states as its own `period`; a sweep may then change it.
    max_time: evolution time after which a steady state is given up. refine: whether a steady state without an estimate
        of its Trotter error goes on at half the time step.
    errors: whether a time evolution is accompanied by runs at coarser settings, from which its errors are read.
    kick: whether a settled state is disturbed, and must be forgotten, before it is called converged.
    watch: names of the observables by which a steady state is judged; empty: all that the model monitors.
    adjoint: bond dimension, in units of the engine's own, at which these observables are evolved backwards in the end:
        it tells their truncation errors with their signs. 4 is good to some percent; 0 leaves it out.
    """

    seed: int = 0  # seed of the disorder
    initial: Any = None  # identity, thermal:BETA, product:01*..., domain_wall:K, ghz, ground:N, or a record
    times: tuple[float, ...] | None = None  # times of an evolution; without them, the steady state [time]
    period: float | None = None  # of a periodic drive: its steady state at multiples of this time [time]
    own_period: bool = False  # take the period that the model itself has, also where a sweep changes it
    tolerance: float = TOLERANCE  # total error asked for, relative to the largest element of each watched observable
    atol: float | None = None  # absolute error that always suffices, in the observable's unit; default 1e-4 of --tol
    max_time: float | None = None  # evolution time after which a steady state is given up [time]
    refine: bool = True
    kick: bool = True  # disturb the settled state, and watch whether the chain forgets it
    errors: bool = True  # estimate the errors of a time evolution, from companions at coarser settings
    adjoint: int = 0  # signed truncation errors by the adjoint evolution at this multiple of --chi (4 will do)
    watch: tuple[str, ...] = ()  # observable by which the steady state is judged (repeatable); default: all monitored

    def __post_init__(self) -> None:
        check_fields(self)
        if self.seed < 0:
            raise InputError(f"seed = {self.seed!r}: an integer >= 0 is needed")
        if not self.tolerance > 0:
            raise InputError(f"tolerance = {self.tolerance!r}: a number > 0 is needed")
        if self.atol is not None and not self.atol >= 0:
            raise InputError(f"atol = {self.atol!r}: a number >= 0 is needed")
        if self.max_time is not None and not self.max_time > 0:
            raise InputError(f"max_time = {self.max_time!r}: a time > 0 is needed")
        if self.period is not None and not self.period > 0:
            raise InputError(f"period = {self.period!r}: a time > 0 is needed")
        if self.own_period and self.period is not None:
            raise InputError("period and own_period: give a number, or take the model's own")
        if self.adjoint < 0:
            raise InputError(f"adjoint = {self.adjoint!r}: a multiple of chi >= 1 is needed, or 0 for none")
        if self.adjoint and not self.kick:
            raise InputError("adjoint: without a kick nobody knows for how long observables are to be evolved")
        object.__setattr__(self, "watch", names_of(self.watch))
        if self.times is None:
            if not self.errors:
                raise InputError("errors: only a time evolution goes without; those of a steady state cost no run")
            return
        object.__setattr__(self, "times", checked_times(self.times))
        if self.period is not None or self.own_period:
            raise InputError("period: it belongs to a steady state at multiples of it, not to a time evolution")
        if self.adjoint:
            raise InputError("adjoint: the adjoint error is that of a steady state, not of a time evolution")
        if self.watch:
            raise InputError("watch: a time evolution is not judged by its observables, a steady state is")

    @property
    def kind(self) -> str:
        """`steady_state` or `evolution`."""
        return STEADY if self.times is None else EVOLUTION


@dataclass(frozen=True)
class Start:
    """The start of a run: its initial state and its request.

    Parameters
    ----------
    initial: the initial state, as the user named it. ask: the request. prior: results of the record that the run
        extends. reads: the sites that the watched observables read; empty: all.
    along: names of the observables that have one value per site, or per bond.
    report: called with the present activity and the fraction of it that is done; it raises `Interrupted` if the run is
        to stop. Only steps that take long need to call it.
    """

    initial: Initial = field(default_factory=Initial)
    ask: Ask = field(default_factory=Ask)
    prior: Prior | None = None
    reads: tuple[int, ...] = ()
    report: Callable[[str, float], None] = lambda text, fraction: None
    along: frozenset[str] = frozenset()

    @property
    def steady(self) -> bool:
        """True if the steady state is asked for."""
        return self.ask.times is None

    @property
    def target(self) -> Target:
        """The error that is asked for."""
        atol = ATOL * self.ask.tolerance if self.ask.atol is None else self.ask.atol
        return Target(self.ask.tolerance, atol)

    @property
    def given(self) -> str:
        """How the user named the initial state; empty where none was given."""
        initial = self.ask.initial
        return initial if isinstance(initial, str) else "" if initial is None else "the given state"

    @property
    def seed(self) -> int:
        """The seed of the engine's random numbers."""
        return self.ask.seed


def names_of(watch: Sequence[str]) -> tuple[str, ...]:
    """Return names sorted and without repetition, so that equal sets of names give equal tuples.

    >>> names_of(["sz", "energy", "sz"])
    ('energy', 'sz')
    """
    return tuple(sorted(set(checked("watch", watch, tuple[str, ...]))))


def checked_times(times: Sequence[float]) -> tuple[float, ...]:
    """Return times as numbers; raise if they are negative or do not increase."""
    wanted = checked("times", times, tuple[float, ...])
    if not wanted or wanted[0] < 0 or sorted(set(wanted)) != list(wanted):
        raise InputError(f"times must be increasing numbers >= 0, got {shown(list(wanted))}")
    return wanted
