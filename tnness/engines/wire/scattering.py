"""Scattering states of a chain between two leads, and what follows from them at one energy.

phi_n = G chi_n sqrt(Gamma_n) / sqrt(2 pi),   sum_n phi_n phi_n^+ = G Gamma G^+ / (2 pi),
int dE sum_n |phi_n(x)|^2 = 1 on every site (with the bound states): {a_E, a^+_E'} = delta(E - E').
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.engines.wire.elimination import Elimination
from tnness.problems.transfer import TransferChain

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScatteringStates:
    """The scattering states of one energy (or of a batch of energies).

    Parameters
    ----------
    states: (slice, ..., m, channel), those that come in from the left first.
    left_count, right_count: number of open channels of the left and of the right lead.
    """

    states: Complex
    left_count: int
    right_count: int

    @property
    def left(self) -> Complex:
        """States that come in from the left: (slice, ..., m, channel)."""
        return self.states[..., : self.left_count]

    @property
    def right(self) -> Complex:
        """States that come in from the right: (slice, ..., m, channel)."""
        return self.states[..., self.left_count :]


def scattering_states(
    chain: TransferChain, energy: float, out: Complex | None = None, elimination: Elimination | None = None
) -> ScatteringStates:
    """Return the scattering states of every open channel of both leads at a real energy.

    It takes one elimination and three products per slice. out: the states of an earlier energy, overwritten if the same
    channels are open: new memory costs as much as a third of the work for slices of 64 sites. elimination: the chain
    eliminated at this energy, if that is done already.
    """
    left, right = chain.leads
    sources = []
    for lead in (left, right):
        rate = lead.broadening(energy)
        is_open = rate > 0
        sources.append(lead.modes[:, is_open] * np.sqrt(rate[is_open] / (2 * math.pi)))
    elimination = elimination or Elimination(chain, float(energy))
    states = elimination.columns(sources[0] + 0j, sources[1] + 0j, out)
    return ScatteringStates(states, sources[0].shape[1], sources[1].shape[1])


def scattering_matrix(chain: TransferChain, energy: float) -> Complex:
    """Return the unitary S matrix between open channels, left lead's first: S = -1 + i sqrt(Gamma) G sqrt(Gamma)."""
    scattering = scattering_states(chain, energy)
    rows = []
    for lead, place in zip(chain.leads, (0, -1), strict=True):
        rate = lead.broadening(energy)
        is_open = rate > 0
        rows.append((lead.modes[:, is_open] * np.sqrt(rate[is_open] * 2 * math.pi)).T @ scattering.states[place])
    matrix = 1j * np.concatenate(rows)
    return matrix - np.eye(len(matrix))


def transmission(chain: TransferChain, energies: Real) -> Real:
    """Return T(E) = Tr Gamma_R G Gamma_L G^+ from left to right: the energies' shape, after the chain's batch axes.

    Only the two corners of G are computed. All energies are eliminated together where the slices are small.
    """
    left, right = chain.leads
    energies = np.asarray(energies, dtype=float)
    if chain.m > 8 and energies.ndim:
        return np.stack([transmission(chain, np.asarray(e)) for e in energies], axis=-1)
    grown = chain if not energies.ndim else _with_energy_axis(chain)
    elimination = Elimination(grown, energies)
    amplitude = elimination.responses[0] @ (left.modes * np.sqrt(left.broadening(energies))[..., None, :])
    for x in range(chain.slices - 1):
        amplitude = elimination.responses[x + 1] @ grown.couple(x, amplitude, back=True)
    amplitude = np.sqrt(right.broadening(energies))[..., :, None] * (right.modes.T @ amplitude)
    return np.sum(np.abs(amplitude) ** 2, axis=(-1, -2))


def _with_energy_axis(chain: TransferChain) -> TransferChain:
    """Return the chain with one more batch axis, last, along which energies broadcast."""
    place = len(chain.batch)
    coupling = np.expand_dims(chain.coupling, place)
    return TransferChain(np.expand_dims(chain.onsite, place), coupling, chain.left, chain.right)


def bond_current(chain: TransferChain, states: Complex) -> Real:
    """Return the current -2 Im <c^+_x C c_{x+1}> through each bond, summed over the states: (bond,).

    For scattering states of one energy from the left this is T(E) / (2 pi) on every bond.
    """
    currents = np.empty(chain.slices - 1)
    for x in range(chain.slices - 1):
        currents[x] = -2 * np.vdot(states[x], chain.couple(x, states[x + 1])).imag
    return currents
