"""`Drive`: a generator that depends on time, and operations at given times.

dP/dt = (G_0 + sum_k f_k(t) G_k) P,   P -> M_j P at the times t_j,

with constant generators G_0, G_k, real functions f_k (envelopes of Hamiltonian terms, rates of jumps), and the maps M_j
of gates and channels. A state at the time of an operation is the one before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tnness.errors import InputError, ModelError
from tnness.problems.blocks import blocked, on_blocks
from tnness.problems.envelope import SAME_TIME, Function, breaks_of, is_periodic, largest, piece_of, quickness, value_at
from tnness.problems.generator import ChainGenerator, Real

if TYPE_CHECKING:
    from tnness.problems.lindbladian import Lindbladian

WEIGHTS = (math.sqrt(2), math.sqrt(3), math.sqrt(5), math.sqrt(7))
"""Weights, without a relation among them, with which the parts of a drive are added up: see `Drive.whole`."""


@dataclass(frozen=True, eq=False)
class DrivenPart:
    """A function of time and the constant generator that it multiplies. name: for messages."""

    function: Function
    generator: ChainGenerator
    name: str
    is_rate: bool


@dataclass(frozen=True, eq=False)
class Operation:
    """A map of the state at a given time, perhaps again and again.

    sites: where it acts, ascending. matrix: (prod D, prod D), first site major. time: of the first one.
    every: time between two; None: it happens once. name: for messages.
    """

    sites: tuple[int, ...]
    matrix: Real
    time: float
    every: float | None
    name: str

    def times(self, start: float, end: float) -> list[float]:
        """Return its times from `start` to before `end`, both widened by the smallest difference of two times."""
        start, end = start - same_time(start), end - same_time(end)
        if self.every is None:
            return [self.time] if start <= self.time < end else []
        first = max(0, math.floor((start - self.time) / self.every) - 1)
        last = math.ceil((end - self.time) / self.every) + 1
        return [t for k in range(first, last) if start <= (t := self.time + k * self.every) < end]


@dataclass(frozen=True, eq=False)
class Stretch:
    """A stretch of time without jumps. operations: those at its start."""

    start: float
    end: float
    operations: tuple[Operation, ...]


@dataclass(frozen=True, eq=False)
class Drive:
    """A generator that depends on time, and operations at given times.

    static: the part that is constant. parts: functions of time with what they multiply. operations: in the order in
    which those of one time act. origin: the chain at time 0, to which ground and thermal states belong.
    """

    static: ChainGenerator
    parts: tuple[DrivenPart, ...] = ()
    operations: tuple[Operation, ...] = ()
    origin: Lindbladian | None = None

    @property
    def n(self) -> int:
        """Number of sites."""
        return self.static.n

    @cached_property
    def whole(self) -> ChainGenerator:
        """A constant generator that conserves what all parts and all operations conserve, and nothing else.

        G_0 + sum_k w_k G_k + sum_j w_j (M_j - 1) with weights that have no relation among them.
        """
        sites = [matrix.copy() for matrix in self.static.site_terms]
        bonds = [matrix.copy() for matrix in self.static.bond_terms]
        distant = {sites_: matrix.copy() for sites_, matrix in self.static.distant.items()}
        weights = (weight * (1 + k // len(WEIGHTS) / 7) for k, weight in enumerate(WEIGHTS * self._count))

        def add(where: tuple[int, ...], matrix: Real) -> None:
            if len(where) == 1:
                sites[where[0]] += matrix
            elif where[-1] == where[0] + 1:
                bonds[where[0]] += matrix
            else:
                distant[where] = distant.get(where, 0.0) + matrix

        for part in self.parts:
            weight = next(weights)
            for where, matrix in _terms(part.generator):
                add(where, weight * matrix)
        for operation in self.operations:
            add(operation.sites, next(weights) * (operation.matrix - np.eye(len(operation.matrix))))
        about = self.static.spaces, sites, bonds, self.static.functionals
        return ChainGenerator(*about, origin=self.origin, distant=distant)

    @property
    def _count(self) -> int:
        return 1 + (len(self.parts) + len(self.operations)) // len(WEIGHTS)

    @cached_property
    def is_still(self) -> bool:
        """True where nothing changes between operations."""
        return all(not matrix.any() for g in self._generators for _, matrix in _terms(g))

    @property
    def _generators(self) -> list[ChainGenerator]:
        return [self.static, *(part.generator for part in self.parts)]

    def strength(self, span: float) -> float:
        """Return a bound on the norm of a term's matrix, from values of the functions within a span of time."""
        factors = [1.0, *(largest(part.function, span) for part in self.parts)]
        sizes: dict[tuple[int, ...], float] = {}
        for factor, generator in zip(factors, self._generators, strict=True):
            for sites, matrix in generator.local_terms:
                size = float(np.linalg.norm(matrix, 2)) if matrix.any() else 0.0
                sizes[sites] = sizes.get(sites, 0.0) + factor * size
        return max(sizes.values(), default=0.0)

    def quickness(self, span: float) -> float:
        """Return the largest rate (1 / time) at which a function changes within a span of time, its jumps left out."""
        return max((quickness(part.function, span) for part in self.parts), default=0.0)

    def values(self, start: float, end: float) -> Callable[[float], Real]:
        """Return the function that gives f_k(t) on a stretch without jumps, ends included."""
        pieces = [piece_of(part.function, start, end) for part in self.parts]
        checks = [(part.name, part.is_rate) for part in self.parts]
        return lambda time: np.array([value_at(f, time, *c) for f, c in zip(pieces, checks, strict=True)])

    def next_stretch(self, start: float, end: float) -> Stretch:
        """Return the stretch from `start` to the next jump or operation, or to `end`; times that are one are `end`.

        Raises
        ------
        InputError: `start` and `end` themselves are one: it could not be told which operations are between them.
        """
        if 0 < end - start <= same_time(end):
            raise InputError(f"t = {start!r} and t = {end!r} are too close for a chain that depends on time")
        least = start + same_time(start)
        stops = [t for part in self.parts for t in breaks_of(part.function, least, end)]
        stops += [t for operation in self.operations for t in operation.times(least + same_time(start), end)]
        stop = min((t for t in stops if t < end - same_time(end)), default=end)
        now = [
            (t, k)
            for k, operation in enumerate(self.operations)
            for t in operation.times(start, least + same_time(start))
        ]
        return Stretch(start, stop, tuple(self.operations[k] for _, k in sorted(now)) if stop > start else ())

    def stretches(self, start: float, end: float) -> Iterator[Stretch]:
        """Yield the stretches from one time to another."""
        while start < end:
            stretch = self.next_stretch(start, end)
            yield stretch
            start = stretch.end

    def check_period(self, period: float) -> None:
        """Raise `InputError` where something does not repeat after a period."""
        for part in self.parts:
            if not is_periodic(part.function, period):
                raise InputError(f"period = {period:g}: {part.name} does not repeat after it")
        for operation in self.operations:
            times = [t for k in range(2) for t in operation.times(k * period, (k + 1) * period)]
            first, later = ([t - k * period for t in times if math.floor(t / period + 1e-9) == k] for k in range(2))
            if len(first) != len(later) or not np.allclose(first, later, atol=1e-7 * period):
                raise InputError(
                    f"period = {period:g}: {operation.name} does not repeat after it; chain.at(..., every=...) does"
                )

    def blocked(self, taker: str) -> Drive:
        """Return the drive on a chain of blocks of two sites: see `tnness.problems.blocks`."""
        for part in self.parts:
            for where, matrix in _terms(part.generator):
                _check_reach(where, matrix, part.name, taker)
        operations = []
        for operation in self.operations:
            _check_reach(operation.sites, operation.matrix, operation.name, taker)
            blocks, matrix = on_blocks(self.static, operation.sites, operation.matrix)
            operations.append(replace(operation, sites=blocks, matrix=matrix))
        parts = [replace(part, generator=blocked(part.generator, taker)) for part in self.parts]
        return Drive(blocked(self.static, taker), tuple(parts), tuple(operations), self.origin)


def same_time(time: float) -> float:
    """Return the difference below which a time counts as the same."""
    return SAME_TIME * max(1.0, abs(time))


def _terms(generator: ChainGenerator) -> Iterator[tuple[tuple[int, ...], Real]]:
    """Yield the terms of a generator that are not 0, as (sites, matrix)."""
    near = [((i,), matrix) for i, matrix in enumerate(generator.site_terms)]
    near += [((i, i + 1), matrix) for i, matrix in enumerate(generator.bond_terms)]
    yield from ((where, matrix) for where, matrix in [*near, *generator.distant.items()] if matrix.any())


def _check_reach(where: Sequence[int], matrix: Real, name: str, taker: str) -> None:
    if where[-1] // 2 > where[0] // 2 + 1 and matrix.any():
        raise ModelError(
            f"{taker} takes terms and operations that reach over three sites at most; {name} acts on sites "
            f"{', '.join(map(str, where))}: use engine 'exact', or another order of the sites"
        )
