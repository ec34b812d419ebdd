r"""The slowest modes of a chain: G r = lambda r, l^+ G = lambda l^+, with rate -Re lambda and frequency Im lambda.

A small residual |G v - lambda v| / |v| alone makes a rate a result: of a matrix that is not normal the residual bounds
the distance of lambda from the spectrum only up to the condition number |l| |r| / |<l|r>|. So a record holds each rate
with its error, NaN where that is larger than the tolerance of the job, and beside it what was found, with its residual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Start
from tnness.engines.beyond.question import Answerer, Question, register_question
from tnness.engines.protocol import Report
from tnness.errors import InputError
from tnness.observables.observable import Observable, Stated
from tnness.observables.views import Estimate, View
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import Told
from tnness.stopping.protocol import Rule

Array = NDArray[Any]
Real = NDArray[np.float64]

MODES_ASKED = 10_000
"""Most modes that can be asked for."""
DENSITIES = ("N", "Sz", "Z")
"""Names of the operator whose profile a mode shows: the first that all sites have."""


@register_question
@dataclass(frozen=True, kw_only=True)
class Modes(Question):
    """The slowest modes.

    Parameters
    ----------
    count: how many of them; a pair of complex conjugate ones counts as two.
    """

    kind = "modes"
    refused = ("times", "period", "own_period", "initial", "kick", "errors", "adjoint", "watch", "atol")
    why_refused = "modes are those of the chain, not of a state"

    count: int = 4  # number of modes

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.count <= MODES_ASKED:
            raise InputError(f"modes: count = {self.count!r}: an integer, 1 to {MODES_ASKED:,}, is needed")

    def observables(self, problem: Any) -> dict[str, Observable]:
        """Return rates, frequencies, candidates, residuals and profiles."""

        def of(name: str, *dims: str, unit: str = "1/time", monitored: bool = False, text: str) -> Observable:
            measure = Stated(lambda view: getattr(view.modes, name), ("modes", name, self.count))
            return Observable(
                measure, ("mode", *dims), unit=unit, description=text, needs=("modes",), monitored=monitored
            )

        return {
            "rate": of("rate", monitored=True, text="rate -Re lambda, of modes that are results"),
            "frequency": of("frequency", text="frequency Im lambda, of modes that are results"),
            "candidate": of("candidate", text="-Re lambda as found, a result or not"),
            "residual": of("residual", text="|G v - lambda v| / |v| of the worse vector"),
            "condition": of("condition", unit="1", text="|l| |r| / |<l|r>|"),
            "left_profile": of("left", "site", unit="1", text="part of the left vector in the density of each site"),
            "right_profile": of("right", "site", unit="1", text="density of each site in the right vector"),
        }


@dataclass(frozen=True)
class ModeTable:
    """Modes that were found, the slowest first.

    Parameters
    ----------
    values: lambda (k,). residuals: of the worse vector; errors: of lambda; conditions: |l| |r| / |<l|r>|, NaN where
        only one of the vectors is known: (k,). lefts, rights: profiles, largest element 1: (k, n).
    accepted: whether the error is small enough for a result: (k,).
    """

    values: Array
    residuals: Real
    errors: Real
    conditions: Real
    lefts: Real
    rights: Real
    accepted: NDArray[np.bool_]

    @classmethod
    def empty(cls, count: int, n: int) -> ModeTable:
        """Return a table of modes that are not known."""
        unknown = [np.full(count, np.nan) for _ in range(4)]
        profiles = [np.full((count, n), np.nan) for _ in range(2)]
        first, second, third, fourth = unknown
        return cls(first + 0j, second, third, fourth, profiles[0], profiles[1], np.zeros(count, bool))

    @classmethod
    def of(
        cls,
        count: int,
        tolerance: float,
        values: Array,
        residuals: Real,
        errors: Real,
        conditions: Real,
        lefts: Real,
        rights: Real,
    ) -> ModeTable:
        """Return the slowest modes, `count` of them; what is not known is NaN."""
        table = cls.empty(count, lefts.shape[1])
        order = np.lexsort((np.imag(values), _rounded(-np.real(values))))[:count]
        for known, column in zip(
            (table.values, table.residuals, table.errors, table.conditions, table.lefts, table.rights),
            (values, residuals, errors, conditions, lefts, rights),
            strict=True,
        ):
            known[: len(order)] = column[order]
        table.accepted[: len(order)] = errors[order] <= tolerance * np.abs(np.real(values[order]))
        return table

    @property
    def rate(self) -> Estimate:
        """-Re lambda of the modes that are results, with their errors."""
        return Estimate(np.where(self.accepted, self.candidate, np.nan), np.where(self.accepted, self.errors, np.nan))

    @property
    def frequency(self) -> Estimate:
        """Im lambda of the modes that are results, with their errors."""
        values = np.where(self.accepted, np.imag(self.values), np.nan)
        return Estimate(values, np.where(self.accepted, self.errors, np.nan))

    @property
    def candidate(self) -> Real:
        """-Re lambda as found."""
        return -np.real(self.values) + 0.0

    @property
    def residual(self) -> Real:
        """The residual of the worse vector."""
        return self.residuals

    @property
    def condition(self) -> Real:
        """|l| |r| / |<l|r>|."""
        return self.conditions

    @property
    def left(self) -> Real:
        """The part of the left vector in the density of each site."""
        return self.lefts

    @property
    def right(self) -> Real:
        """The density of each site in the right vector."""
        return self.rights

    def save(self) -> dict[str, Array]:
        """Return the table as arrays."""
        return {f"modes_{name}": np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def load(cls, arrays: Mapping[str, Array]) -> ModeTable:
        """Return the table that was saved."""
        return cls(**{name: np.array(arrays[f"modes_{name}"]) for name in cls.__dataclass_fields__})


def _rounded(rates: Real) -> Real:
    """Return rates in which round-off does not tell a pair apart."""
    scale = float(np.abs(rates).max(initial=0.0)) or 1.0
    return np.round(rates / scale, 11)


def profile(vector: Array) -> Real:
    """Return the real part of a profile, with the phase and the scale that make its largest element 1.

    >>> profile(np.array([0.0, 2.0j, -1.0j])).tolist()
    [0.0, 1.0, -0.5]
    """
    largest = vector[np.abs(vector).argmax()] if len(vector) else 1.0
    return np.real(vector / largest) + 0.0 if abs(largest) > 0 else np.zeros(len(vector))


class ModesView(View):
    """The view of modes. modes: the table."""

    def __init__(self, table: ModeTable) -> None:
        super().__init__()
        self._table = table

    @property
    def modes(self) -> ModeTable:
        """The table of the modes."""
        return self._table


Solve = Callable[[Callable[[str, float], None]], ModeTable]


@dataclass
class ModesAtOnce:
    """A run that finds the modes in a single step."""

    solve: Solve
    start: Start
    table: ModeTable
    words: str = "exact"
    time: float = 0.0

    def step(self, until: float | None = None) -> Report:
        """Find the modes."""
        self.table, self.time = self.solve(self.start.report), np.inf
        return Report(self.time, finished=True)

    def view(self) -> ModesView:
        """Return the view of the modes found so far."""
        return ModesView(self.table)

    def save(self) -> Snapshot:
        """Return the table."""
        return Snapshot(self.table.save(), {"time": self.time})

    def verdict(self) -> str:
        """Return the outcome: exact, or how many modes are no results."""
        return verdict_of(self.table, self.words)


def verdict_of(table: ModeTable, words: str) -> str:
    """Return `words`, or in one line that modes have too large a residual, or that there are fewer of them."""
    known, results = int(np.isfinite(table.candidate).sum()), int(table.accepted.sum())
    if results < known:
        return f"{known - results} of {known} rates are no results: their residuals are too large"
    return words if known == len(table.values) else f"{words}; only {known} modes"


class ModesSolver(Answerer):
    """Base class of what finds modes at once: a subclass implements `solve_modes`."""

    words: ClassVar[str] = "exact"

    def solve_modes(self, problem: Any, start: Start, report: Callable[[str, float], None]) -> ModeTable:
        """Return the modes of a problem."""
        raise NotImplementedError

    def begin(self, problem: Any, start: Start) -> ModesAtOnce:
        """Return a run that has found nothing yet."""
        table = ModeTable.empty(self.question.count, problem.n)
        return ModesAtOnce(lambda report: self.solve_modes(problem, start, report), start, table, self.words)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> ModesAtOnce:
        """Return the run that was saved."""
        run = self.begin(problem, start)
        run.table, run.time = ModeTable.load(snapshot.arrays), float(snapshot.numbers["time"])
        return run

    def rule(self, run: Any, start: Start) -> Rule:
        """Return a rule that takes the outcome from the table."""
        return Told(run.verdict, lambda: {"linear_residual": float(np.nanmax(run.table.residuals, initial=0.0))})
