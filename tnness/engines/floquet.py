"""Dense evolution of a small chain that depends on time, and the fixed point of its one-period map."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.arnoldi import leading
from tnness.errors import NumericalError
from tnness.problems.driven import Drive, Stretch
from tnness.problems.generator import ChainGenerator, Real
from tnness.problems.parts import parts_of

DENSE_MAP = 256
"""Largest dimension at which the map of one period is a matrix, of which all eigenvalues are known."""
SPARSE_PARTS = 70_000
"""Largest dimension at which the parts of the generator are stored as sparse matrices."""
ACCURACY = 1e-12
"""Relative and absolute error of a step of the integration (Dormand and Prince, order 8)."""
UNFORGOTTEN = 1e-8
"""An eigenvalue of the one-period map closer to modulus 1 than this means that a part is never forgotten."""
MANY_FIXED = (
    "the Floquet steady state is not unique: another eigenvalue of the one-period map has modulus 1; something is "
    "conserved, or answers at a multiple of the period: --time gives an evolution from a start"
)


@dataclass(frozen=True)
class FixedPoint:
    """The state that a period leaves as it is, with trace 1, and the rate (1 / time) at which others approach it."""

    vector: Real
    rate: float


@dataclass(frozen=True, eq=False)
class DenseCourse:
    """What happens to a dense vector in the course of time. period: of a Floquet steady state, if one is asked for."""

    drive: Drive
    period: float | None = None

    def evolved(self, vectors: Real, start: float, end: float) -> Real:
        """Return a state (prod D,), or states as columns (prod D, columns), evolved from one time to another."""
        for stretch in self.drive.stretches(start, end):
            vectors = self._through(stretch, vectors)
        return vectors

    def fixed_point(self, trace: Real, seed: int, within: NDArray[np.bool_]) -> FixedPoint:
        """Return the fixed point of the map of one period.

        Parameters
        ----------
        trace: <trace|, (prod D,). seed: of the vectors with which a search begins. within: the components that a state
            may have, (prod D,).

        Raises
        ------
        NumericalError: there is another eigenvalue of modulus 1.
        """
        assert self.period is not None
        period = self.period
        if len(trace) <= DENSE_MAP:
            chosen = np.flatnonzero(within)
            image = self.evolved(np.eye(len(trace))[:, chosen], 0.0, period)[chosen]
            values, vectors = np.linalg.eig(image)
            order = np.argsort(-np.abs(values))
            vector = np.zeros(len(trace))
            largest = vectors[:, order[0]]
            vector[chosen] = (largest / largest[np.abs(largest).argmax()]).real
            others = np.abs(values[order[1:]])
            next_size = float(others.max(initial=0.0))
        else:
            pair = leading(lambda v: self.evolved(v, 0.0, period), trace, seed, "LM", 1e-12, 24, within)
            vector, next_size = pair.vector, abs(pair.next_value)
        if next_size > 1 - UNFORGOTTEN:
            raise NumericalError(MANY_FIXED)
        rate = -math.log(next_size) / period if next_size > 0 else math.inf
        return FixedPoint(vector / (trace @ vector), rate)

    def checks(self, vector: Real) -> dict[str, float]:
        """Return the residual of a Floquet steady state."""
        assert self.period is not None
        moved = self.evolved(vector, 0.0, self.period) - vector
        rate = float(np.linalg.norm(moved) / np.linalg.norm(vector)) / self.period
        return {"residual": rate, "local_balance": math.nan, "energy_balance": math.nan}

    def _through(self, stretch: Stretch, vectors: Real) -> Real:
        drive = self.drive
        for operation in stretch.operations:
            parts = parts_of(operation.sites, operation.matrix, drive.static.spaces)
            vectors = sum((part.apply(vectors, drive.static.dims) for part in parts), np.zeros_like(vectors))
        if drive.is_still:
            return vectors
        from scipy import integrate  # it takes longer to load than the rest of the engine

        values, shape = drive.values(stretch.start, stretch.end), vectors.shape

        def change(time: float, flat: Real) -> Real:
            state = flat.reshape(shape)
            factors = (1.0, *values(min(max(time, stretch.start), stretch.end)))
            images = (factor * apply(state) for factor, apply in zip(factors, self._actions, strict=True))
            return sum(images, np.zeros(shape)).ravel()

        size = float(np.abs(vectors).max())
        solution: Any = integrate.solve_ivp(
            change,
            (stretch.start, stretch.end),
            vectors.ravel(),
            method="DOP853",
            t_eval=[stretch.end],
            rtol=ACCURACY,
            atol=ACCURACY * size,
        )
        if not solution.success:
            raise NumericalError(f"the integration from t = {stretch.start:g} failed: {solution.message}")
        return solution.y[:, -1].reshape(shape)

    @cached_property
    def _actions(self) -> list[Callable[[Real], Real]]:
        return [_action(g) for g in (self.drive.static, *(part.generator for part in self.drive.parts))]


def _action(generator: ChainGenerator) -> Callable[[Real], Real]:
    if generator.dimension > SPARSE_PARTS:
        return generator.apply
    matrix = generator.matrix()
    return lambda state: matrix @ state
