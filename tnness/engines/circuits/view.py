"""What can be read from one realisation of a circuit: the same names on every engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.basis import LocalSpace
from tnness.engines.fermions.entropy import dense_negativity
from tnness.engines.fermions.view import GaussianView
from tnness.errors import Unavailable
from tnness.observables import ProductView
from tnness.terms import LocalOperator, Operator

Array = NDArray[Any]
Real = NDArray[np.float64]

LARGEST = 512
"""States of a region whose density matrix is diagonalised: 9 spins take 0.2 s, 10 would take a second."""


class DensityView:
    """A view of a density operator (or of probabilities) that reads it as one of fermions, by Jordan-Wigner.

    Parameters
    ----------
    base: the view of its coefficients.
    """

    def __init__(self, base: ProductView) -> None:
        self.base, self.spaces = base, base.spaces
        self._entropies: dict[tuple[int, ...], float] = {}

    def expect(self, operator: Operator) -> float:
        """Return <O>, real part."""
        return self.base.expect(operator)

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Array:
        """Return <A_i B_j> for all pairs: (n, n)."""
        return self.base.correlations(first, second)

    @cached_property
    def density(self) -> Real:
        """<n_i>: (n,)."""
        return np.array([self.base.expect(space.N(i)) for i, space in enumerate(self.spaces)])

    @cached_property
    def correlation(self) -> Array:
        """G_ij = <c^+_i c_j> = <s^+_i prod_(i<k<j) (-1)^n_k s^-_j>: (n, n)."""
        found = np.diag(self.density).astype(complex)
        if not self.spaces[0].quantum:
            return found
        lower, parity, raising = _fermions(self.spaces[0])
        covectors = [self.spaces[0].covector(matrix) for matrix in (raising, parity, lower)]
        for i in range(len(found)):
            for j in range(i + 1, len(found)):
                between = dict.fromkeys(range(i + 1, j), covectors[1])
                found[i, j] = self.base.contract({i: covectors[0], **between, j: covectors[2]})
                found[j, i] = found[i, j].conj()
        return found

    def entropy(self, sites: Sequence[int] | slice | None = None) -> float:
        """Return the von Neumann entropy of consecutive sites (default: all), in nats; of up to 512 states."""
        every = range(len(self.spaces))
        chosen = tuple(every if sites is None else every[sites] if isinstance(sites, slice) else sites)
        if math.prod(self.spaces[i].levels for i in chosen) > LARGEST:
            raise Unavailable(f"the von Neumann entropy of {len(chosen)} sites")
        if chosen not in self._entropies:
            self._entropies[chosen] = _entropy(self.base.marginal(chosen)) if chosen else 0.0
        return self._entropies[chosen]

    def renyi2(self, start: int, stop: int) -> float:
        """Return the Renyi-2 entropy of sites start..stop-1 (nats)."""
        return self.base.renyi2(start, stop)

    def log_purity(self) -> float:
        """Return ln Tr rho^2."""
        return self.base.log_purity()

    def negativity(self, first: Sequence[int], second: Sequence[int]) -> float:
        """Return the fermionic logarithmic negativity of two neighbouring regions, in nats; of up to 512 states."""
        sites = [*first, *second]
        if not self.spaces[0].quantum:
            return 0.0
        if self.spaces[0].levels != 2 or 2 ** len(sites) > LARGEST:
            raise Unavailable(f"the negativity of {len(sites)} sites")
        rho = self.base.marginal(sites)
        if _fermions(self.spaces[0])[0][0, 1] == 0:  # level 0 holds the particle
            rho = rho[::-1, ::-1]
        return dense_negativity(rho, len(first))

    def schmidt_values(self, bond: int) -> Real:
        """Return the operator-space Schmidt values across a bond."""
        return self.base.schmidt_values(bond)


@dataclass(frozen=True)
class CircuitView:
    """One realisation at one time.

    Parameters
    ----------
    state: its state now. time: in gates per bond. start: its state at time 0.
    """

    state: DensityView | GaussianView
    time: float
    start: DensityView | GaussianView

    @property
    def spaces(self) -> tuple[LocalSpace, ...]:
        """Local space of each site."""
        return self.state.spaces

    def expect(self, operator: Operator) -> float:
        """Return <O>, real part."""
        return self.state.expect(operator)


def _entropy(marginal: Array) -> float:
    """Of a density matrix (d, d) or of probabilities (d,)."""
    p = np.clip(np.linalg.eigvalsh(marginal) if marginal.ndim == 2 else marginal, 0.0, None)
    return float(-np.sum(p * np.log(np.where(p > 0, p, 1.0))))


def _fermions(space: LocalSpace) -> tuple[Array, Array, Array]:
    """c, (-1)^n and c^+ of a site of two levels, by its operator N."""
    number = np.diag(space.operators["N"].matrix).real
    occupied = int(np.argmax(number))
    lower = np.zeros((2, 2), complex)
    lower[1 - occupied, occupied] = 1.0
    return lower, np.diag(1 - 2 * number).astype(complex), lower.conj().T
