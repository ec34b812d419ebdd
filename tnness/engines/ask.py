"""What is asked of a run, whatever engine answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tnness.engines.initial import Initial
from tnness.errors import InputError
from tnness.records.certificate import Prior

TOLERANCE = 1e-3
"""Default relative change of the observables that may be left at the end of a stage."""
STEADY, EVOLUTION = "steady_state", "evolution"
"""The two kinds of run."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What is asked for: a steady state, or the states at given times, and how it is judged.

    Parameters
    ----------
    seed: of the disorder, and of the engine's own randomness.
    initial: what the run starts from; None is the model's own initial state, or the identity.
    times: of a time evolution, increasing and >= 0; None is the steady state.
    tolerance: relative change of the observables that may remain. max_time: evolution time after which a steady state
        is given up. refine: whether a steady state whose Trotter error is open is run on at half the time step.
    watch: names of the observables by which a steady state is judged; none for all that the model monitors.
    """

    seed: int = 0  # seed of the disorder
    initial: Any = None  # identity, thermal:BETA, product:01*..., ground:N, or a record
    times: tuple[float, ...] | None = None  # time evolution, not the steady state
    tolerance: float = TOLERANCE  # relative change of the observables that may remain
    max_time: float | None = None  # evolution time after which a steady state is given up
    refine: bool = True
    watch: tuple[str, ...] = ()  # an observable by which the steady state is judged

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, (int, np.integer)) or self.seed < 0:
            raise InputError(f"seed = {self.seed!r}: an integer >= 0 is needed")
        if not (_is_number(self.tolerance) and math.isfinite(self.tolerance) and self.tolerance > 0):
            raise InputError(f"tolerance = {self.tolerance!r}: a number > 0 is needed")
        if self.max_time is not None and not (_is_number(self.max_time) and self.max_time > 0):
            raise InputError(f"max_time = {self.max_time!r}: a time > 0 is needed")
        object.__setattr__(self, "seed", int(self.seed))
        object.__setattr__(self, "watch", names_of(self.watch))
        if self.times is None:
            return
        object.__setattr__(self, "times", checked_times(self.times))
        if self.watch:
            raise InputError("watch: a time evolution is not judged by its observables, a steady state is")

    @property
    def kind(self) -> str:
        """`steady_state` or `evolution`."""
        return STEADY if self.times is None else EVOLUTION


@dataclass(frozen=True)
class Start:
    """Where a run starts, and what it is to do.

    Parameters
    ----------
    initial: the initial state, as it was asked for. ask: what is asked for. prior: what is known from the record that
        the run extends. report: is told what is being done and which fraction of it is done; it raises `Interrupted`
        where the run is to stop. Only steps that take long need to report.
    """

    initial: Initial = field(default_factory=Initial)
    ask: Ask = field(default_factory=Ask)
    prior: Prior | None = None
    report: Callable[[str, float], None] = lambda text, fraction: None

    @property
    def steady(self) -> bool:
        """True where the steady state is asked for."""
        return self.ask.times is None

    @property
    def seed(self) -> int:
        """Of the engine's own randomness."""
        return self.ask.seed


def names_of(watch: Sequence[str]) -> tuple[str, ...]:
    """Return names each once and in order, so that what is equal is written equally.

    >>> names_of(["sz", "energy", "sz"])
    ('energy', 'sz')
    """
    if isinstance(watch, str) or not all(isinstance(name, str) for name in watch):
        raise InputError(f"watch = {watch!r}: names of observables are needed, as a list")
    return tuple(sorted(set(watch)))


def checked_times(times: Sequence[float]) -> tuple[float, ...]:
    """Return times as numbers; refuse those that do not increase from 0 on."""
    try:
        wanted = tuple(float(t) for t in times)
    except (TypeError, ValueError):
        raise InputError(f"times = {times!r:.60}: a list of numbers is needed") from None
    if not wanted or not all(math.isfinite(t) and t >= 0 for t in wanted) or sorted(set(wanted)) != list(wanted):
        shown = f"{list(wanted[:6])}{'...' if len(wanted) > 6 else ''}"
        raise InputError(f"times must be increasing numbers >= 0, got {shown}")
    return wanted


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
