"""The non-equilibrium part of the correlation matrix between two leads, integrated over the window of the bias.

    G^d_xy = 1/2 int dE sum_n [ phi_L^*(x) phi_L(y) - phi_R^*(x) phi_R(y) ],     |E| < bias / 2, zero temperature.

The whole matrix is formed only on request. Every rule gives it as a product of few columns (scattering states at the
nodes, resonances and their partners). The block between the halves, the densities and the currents are computed from
these columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.engines.wire.quadrature import Panel
from tnness.engines.wire.scattering import ScatteringStates, scattering_states
from tnness.problems.transfer import TransferChain

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Coherence:
    """The parts of G^d that are kept.

    halves: (sites left, sites right), the block between the first and the last slices // 2 slices.
    density: (slice, m). current: (bond,). matrix: (slice m, slice m), G^d itself if requested.
    """

    halves: Complex
    density: Real
    current: Real
    matrix: Complex | None = None

    @property
    def mutual_coherence(self) -> float:
        """C_d = 2 sum |G^d_xy|^2 over x in the left and y in the right half."""
        return 2 * float(np.vdot(self.halves, self.halves).real)

    def plus(self, other: Coherence, sign: float = 1.0) -> Coherence:
        """Return the sum, or the difference."""
        matrix = None
        if self.matrix is not None and other.matrix is not None:
            matrix = self.matrix + sign * other.matrix
        return Coherence(
            self.halves + sign * other.halves,
            self.density + sign * other.density,
            self.current + sign * other.current,
            matrix,
        )

    def increased(self, other: Coherence) -> Coherence:
        """Add another to this one, in its own memory, and return it."""
        for name in ("halves", "density", "current", "matrix"):
            values, added = getattr(self, name), getattr(other, name)
            if values is not None:
                values += added
        return self


def combined(parts: Sequence[Coherence], weights: Sequence[float] | Real) -> Coherence:
    """Return the sum of the parts, each times its weight."""

    def sum_of(arrays: list[NDArray]) -> NDArray:
        total = weights[0] * arrays[0]
        scratch = np.empty_like(total)
        for weight, array in zip(weights[1:], arrays[1:], strict=True):
            total += np.multiply(array, weight, out=scratch)
        return total

    matrices = [part.matrix for part in parts if part.matrix is not None]
    return Coherence(
        sum_of([part.halves for part in parts]),
        sum_of([part.density for part in parts]),
        sum_of([part.current for part in parts]),
        sum_of(matrices) if matrices else None,
    )


def plain(chain: TransferChain, panel: Panel, nodes: int, matrix: bool) -> Coherence:
    """Return the contribution of a panel by Gauss-Legendre nodes, added up one by one."""
    total = None
    for weight, scattering in states_at_nodes(chain, panel, nodes):
        signs = np.repeat([0.5 * weight, -0.5 * weight], [scattering.left_count, scattering.right_count])
        part = coherence_of(chain, scattering.states, conjugate_times(scattering.states, signs), matrix)
        total = part if total is None else total.increased(part)
    assert total is not None
    return total


def conjugate_times(states: Complex, factors: Real) -> Complex:
    """Return states^* times a real factor of each column, in one pass over memory."""
    both = np.stack([factors, -factors], axis=-1).ravel()
    return (states.view(np.float64) * both).view(np.complex128)


def weights_of_leads(chain: TransferChain, panel: Panel, nodes: int) -> Real:
    """Return int dE sum_n |phi_n(x)|^2 of a panel for the states of either lead: (lead, slice, m).

    These positive numbers are much cheaper than the coherence, and every resonance shows in them.
    """
    total = np.zeros((2, chain.slices, chain.m))
    for weight, scattering in states_at_nodes(chain, panel, nodes):
        for k, states in enumerate((scattering.left, scattering.right)):
            total[k] += weight * (np.sum(states.real**2, axis=-1) + np.sum(states.imag**2, axis=-1))
    return total


def states_at_nodes(chain: TransferChain, panel: Panel, nodes: int) -> Iterator[tuple[float, ScatteringStates]]:
    """Yield weight and states of every node; the next node overwrites the states."""
    states = None
    for energy, weight in zip(*panel.rule(nodes), strict=True):
        scattering = scattering_states(chain, energy, states)
        states = scattering.states
        yield weight, scattering


def coherence_of(chain: TransferChain, right: Complex, left: Complex, matrix: bool) -> Coherence:
    """Return the kept parts of G = left right^T, both factors (slice, m, column)."""
    slices, m, columns = right.shape
    half = slices // 2
    block = left[:half].reshape(half * m, columns) @ right[slices - half :].reshape(half * m, columns).T
    current = np.array(
        [-2 * np.sum(left[x] * chain.couple(x, right[x + 1])).imag for x in range(slices - 1)], dtype=float
    )
    density = np.sum(left * right, axis=-1).real
    whole = left.reshape(slices * m, columns) @ right.reshape(slices * m, columns).T if matrix else None
    return Coherence(block, density, current, whole)
