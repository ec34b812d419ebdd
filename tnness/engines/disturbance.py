"""How a settled state is disturbed: differences of two products of one-site states, with the same conserved sums.

Without conserved sums a difference is prod_i (m_i + d_i) - prod_i m_i, m_i the settled marginals, d_i traceless and
of size 1. A chain with conserved sums never forgets their values. There the two products share the distribution of
every conserved sum: prod_i (m_i + p_i + f_i) - prod_i (m + p)_s(i), where f_i leaves every power of q_i unchanged,
and s exchanges sites with equal q_i.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import ChainState
from tnness.network.difference import product_difference
from tnness.network.truncation import Truncation
from tnness.operators.basis import LocalSpace, Vector
from tnness.problems.generator import ChainGenerator
from tnness.streams import stream

Real = NDArray[np.float64]

RANDOM_SHARE = 0.3
"""Length of the random part of a direction, beside the part that all sites share."""


@dataclass(frozen=True, eq=False)
class Disturbance:
    """The recipe of the kicks of one settled state.

    Parameters
    ----------
    generator: of the chain. settled: the coefficients (D, D') of every two neighbours, trace 1. seed: of the random
        directions.
    sums: conserved sums of one-site operators, which no kick may change. neutral: for each site the projection (D, D)
        on the elements that may be disturbed; none stands for all.
    period, course: of a chain that is driven: its period, and a function (order, period, dt) that yields the layers of
        gates of a period; None where nothing depends on time.
    balanced: densities that only the ends of the chain change, (D,) each, which are disturbed in turns up and down: so
        little of a kick is carried by them that it decays as all else does. None stands for no such densities.
    evolve: of a chain that no gates evolve: a function (state, dt, truncation, number of the step) that returns the
        state a step later; where driven, a period later.
    """

    generator: ChainGenerator
    settled: list[Real]
    seed: int
    sums: Sequence[tuple[Vector, ...]] = ()
    neutral: Sequence[Real] = ()
    period: float | None = None
    course: Callable[[int, float, float], Iterator[list[Real | None]]] | None = None
    evolve: Callable[[ChainState, float, Truncation, int], ChainState] | None = None
    balanced: Sequence[Real] = ()

    def difference(self, number: int) -> ChainState:
        """Return the difference of a kick. number: even for a uniform one, odd for a staggered one."""
        means, directions = self._means, self._directions(number)
        if self.generator.metric is not None and _size(means, directions, -1) < _size(means, directions, 1):
            directions = [-d for d in directions]  # a product of large weights would drown what is read in round-off
        if not self.sums:
            return product_difference([m + d for m, d in zip(means, directions, strict=True)], means)
        free = [self._free(i, d) for i, d in enumerate(directions)]
        bound = [m + d - f for m, d, f in zip(means, directions, free, strict=True)]
        exchanged = [bound[j] for j in self._exchange(number)]
        return product_difference([p + f for p, f in zip(bound, free, strict=True)], exchanged)

    @property
    def _means(self) -> list[Real]:
        trace = self.generator.functionals["trace"]
        return [pair @ trace[i + 1] for i, pair in enumerate(self.settled)] + [trace[-2] @ self.settled[-1]]

    def _directions(self, number: int) -> list[Real]:
        """Return the traceless d_i of size 1: a part that all sites share, with a sign, and a random part.

        Slow densities are diagonal in most chains, so that half of the square of a shared direction is; a later pair of
        kicks has directions orthogonal to those of the pair before.
        """
        spaces, rng = self.generator.spaces, stream(self.seed, "kick", number)
        frames = stream(self.seed, "kick frames", number % 2)
        shared = {space: _balanced(space, number // 2, frames) for space in dict.fromkeys(spaces)}
        signs = self._signs(number)
        directions = []
        for i, space in enumerate(spaces):
            allowed = self.neutral[i] if self.neutral else np.eye(space.dim)
            allowed = np.where(space.grading[:, None], 0.0, allowed)  # no state has a single odd element
            own = _traceless(rng.standard_normal(space.dim), space, allowed)
            common = _traceless(shared[space], space, allowed)
            direction = _traceless(common + RANDOM_SHARE * own, space, allowed)
            if self.balanced:
                direction = _turned(direction, self.balanced[i], (-1) ** (i // (1 + number % 2)), signs[i])
            directions.append(direction * signs[i] / math.sqrt(space.levels))
        return directions

    def _signs(self, number: int) -> list[int]:
        """Return the sign of each direction: alternating in a staggered kick; opposite on sites that are exchanged."""
        if not self.sums:
            return [(-1) ** (i * number) for i in range(self.generator.n)]
        return [1 if j >= i else -1 for i, j in enumerate(self._exchange(number))]

    def _exchange(self, number: int) -> list[int]:
        """Return for each site that with which it is exchanged: its neighbour, or one at half the distance."""
        partner, alike = list(range(self.generator.n)), dict[tuple[object, ...], list[int]]()
        for i, space in enumerate(self.generator.spaces):
            values = tuple(np.round(np.concatenate([q[i] for q in self.sums]), 8) + 0.0)
            alike.setdefault((space, *values), []).append(i)
        for sites in alike.values():
            half = len(sites) // 2
            pairs = zip(sites[::2], sites[1::2], strict=False) if number % 2 else zip(sites, sites[half:], strict=False)
            for i, j in list(pairs)[:half]:
                partner[i], partner[j] = j, i
        return partner

    def _free(self, site: int, direction: Real) -> Real:
        """Return the part of a direction that changes no power of the conserved operators of its site."""
        space = self.generator.spaces[site]
        rows = _fixed(space, [q[site] for q in self.sums])
        rest = direction - rows.T @ (rows @ direction)
        return np.where(np.abs(rest) > 1e-14, rest, 0.0)


def _fixed(space: LocalSpace, covectors: Sequence[Real]) -> Real:
    """Return an orthonormal basis of the covectors of 1 and of all products of some operators of one site: (k, D)."""
    rows = _spanned([space.trace, *covectors])
    if not (space.quantum or np.array_equal(space.trace, np.ones(space.levels))):
        return rows  # its elements are no operators of one copy, which could be multiplied
    factors = np.tensordot(np.array(covectors), space.elements, 1)
    while True:
        matrices = np.tensordot(rows, space.elements, 1)
        products = [space.covector(matrix @ factor) for matrix in matrices for factor in factors]
        more = _spanned([*rows, *(p.real for p in products), *(p.imag for p in products)])
        if len(more) == len(rows):
            return rows
        rows = more


def _turned(direction: Real, density: Real, sign: int, compensates: int) -> Real:
    """Return a direction of length 1 whose part along a density has a given sign, and half of the square.

    compensates: the sign with which the direction will be multiplied.
    """
    along = density / np.linalg.norm(density)
    rest = direction - along * (along @ direction)
    size = float(np.linalg.norm(rest))
    if size < 1e-9:
        return sign * compensates * along
    return (rest / size + sign * compensates * along) / math.sqrt(2)


def _spanned(vectors: Sequence[Real]) -> Real:
    """Return an orthonormal basis of some vectors, as rows."""
    _, sizes, rows = np.linalg.svd(np.array(vectors), full_matrices=False)
    return rows[sizes > 1e-10 * sizes.max()]


def _size(means: Sequence[Real], directions: Sequence[Real], sign: int) -> float:
    """Return the logarithm of the norm of prod_i (m_i + sign d_i)."""
    return sum(math.log(float(np.linalg.norm(m + sign * d))) for m, d in zip(means, directions, strict=True))


def _balanced(space: LocalSpace, pair: int, rng: np.random.Generator) -> Real:
    """Return a traceless direction, one half of its square diagonal: column `pair` of a random frame of each part."""
    diagonal = np.array([np.count_nonzero(m - np.diag(np.diag(m))) == 0 for m in space.elements])
    parts = [_column(space, part, pair, rng) for part in (diagonal, ~diagonal)]
    whole = np.sum([part / max(1e-12, float(np.linalg.norm(part))) for part in parts], axis=0)
    return whole / max(1e-12, float(np.linalg.norm(whole)))


def _column(space: LocalSpace, part: NDArray[np.bool_], number: int, rng: np.random.Generator) -> Real:
    """Return one direction of a random orthonormal frame of the traceless vectors on some elements; 0 without any."""
    trace = np.where(part, space.trace, 0.0)
    size = float(trace @ trace)
    inside = np.diag(part.astype(float)) - (np.outer(trace, trace) / size if size > 1e-24 else 0.0)
    frame = _spanned_by_projection(inside) @ _rotation(round(float(np.trace(inside))), rng)
    return frame[:, number % frame.shape[1]] if frame.shape[1] else np.zeros(space.dim)


def _spanned_by_projection(projection: Real) -> Real:
    """Return an orthonormal basis of the range of a projection, as columns."""
    values, vectors = np.linalg.eigh(projection)
    return vectors[:, values > 0.5]


def _rotation(size: int, rng: np.random.Generator) -> Real:
    """Return a random orthogonal matrix."""
    return np.linalg.qr(rng.standard_normal((size, size)))[0] if size else np.zeros((0, 0))


def _traceless(vector: Real, space: LocalSpace, allowed: Real) -> Real:
    """Return the part of a vector on the allowed elements that has no trace, with length 1; 0 where there is none."""
    trace, rest = space.trace, allowed @ vector
    rest = rest - trace * (trace @ rest) / (trace @ trace)
    size = float(np.linalg.norm(rest))
    return rest / size if size > 1e-12 else np.zeros_like(rest)
