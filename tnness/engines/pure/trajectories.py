"""Trajectories of pure states under white noise as matrix-product states, in which particles may interact.

The time step and the noise are those of `tnness.engines.fermions.trajectories`: half a step of H, the kicks, half a
step of H. The two half steps between kicks are joined into one step. The Trotter gates and sweeps of `tebd` evolve the
complex amplitudes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import ModelError
from tnness.network.chain_state import ChainState
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation
from tnness.operators.terms import Operator
from tnness.problems.lindbladian import Lindbladian
from tnness.records.snapshot import Snapshot
from tnness.streams import restore_stream, save_stream, stream

Array = NDArray[Any]


@dataclass(frozen=True)
class NoiseKick:
    """The kick exp(-i eta sqrt(dt) sqrt(rate) operator) of one site.

    site: the site. diagonal: sqrt(rate) times the diagonal of the operator (levels,).
    """

    site: int
    diagonal: Array


def kicks_of(problem: Lindbladian) -> list[NoiseKick]:
    """Return the noise of a problem, one kick per site, in the order of the sites.

    Raises
    ------
    ModelError: a jump is not a real diagonal operator of one site; white noise makes no other jumps.
    """
    diagonals: dict[int, Array] = {}
    for number, jump in enumerate(problem.jumps):
        sites = jump.operator.sites
        matrix = _matrix(problem, jump.operator) if len(sites) == 1 else np.ones((2, 2))
        diagonal = np.diag(matrix)
        if np.abs(matrix - np.diag(diagonal.real)).max() > 1e-12 * max(1.0, float(np.abs(matrix).max())):
            raise ModelError(
                f"jump {number} ({jump.operator}) is no white noise: a trajectory takes real diagonal jumps of one site"
            )
        if sites[0] in diagonals:
            raise ModelError(f"jump {number} ({jump.operator}) is a second noise on site {sites[0]}")
        if jump.rate:
            diagonals[sites[0]] = math.sqrt(jump.rate) * diagonal.real
    return [NoiseKick(site, diagonals[site]) for site in sorted(diagonals)]


def _matrix(problem: Lindbladian, operator: Operator) -> Array:
    """Return a jump of one site as it acts on amplitudes, or a matrix that is not diagonal where it has a string.

    The string of an odd jump reaches to its left. On the last site it is the parity of all, which is a number, times
    that of the site.
    """
    (site,) = operator.sites
    matrix = operator.matrix((site,), problem.levels, problem.parities)
    if not operator.odd or site == 0:
        return matrix
    parity = problem.parities[site]
    return parity @ matrix if site == problem.n - 1 and parity is not None else np.ones_like(matrix)


class MPSTrajectories:
    """The states of several realizations of the noise.

    Parameters
    ----------
    problem: a Hamiltonian, and jumps that white noise can make. state: the initial amplitudes of all realizations.
    noises: one random generator per realization. truncation: truncation of the bonds.
    substeps: Trotter steps of fourth order in a time step.
    """

    def __init__(
        self,
        problem: Lindbladian,
        state: ChainState,
        noises: Sequence[np.random.Generator],
        truncation: Truncation,
        substeps: int = 1,
    ) -> None:
        start = state.copy(complex)
        start.canonicalise(0)
        self.states = [start.copy() for _ in noises]
        self.noises, self.truncation, self.substeps = list(noises), truncation, substeps
        self.kicks = kicks_of(problem)
        bonds: list[Any] = [-1j * problem.bond_hamiltonian_shared(i) for i in range(problem.n - 1)]
        self._gates = Gates(bonds, np.dtype(complex))
        self._directions = stream(0, "directions")  # in which `randomized` lets bonds grow: no physics in them
        self.dropped = 0.0

    def advance(self, length: float, steps: int) -> None:
        """Evolve by a time, in a number of equal steps."""
        dt = length / steps
        for state, noise in zip(self.states, self.noises, strict=True):
            for step in range(steps):
                self._free(state, dt / 2 if step == 0 else dt)
                self._kick(state, noise.standard_normal(len(self.kicks)), dt)
            self._free(state, dt / 2)
            state.normalise()
            state.log_norm = 0.0

    def save(self) -> Snapshot:
        """Return the states, the position of each noise stream, and the weight dropped."""
        arrays: dict[str, Array] = {
            f"tensor_{r:04d}_{i:04d}": tensor
            for r, state in enumerate(self.states)
            for i, tensor in enumerate(state.tensors)
        }
        arrays["noises"] = np.array([save_stream(noise) for noise in (*self.noises, self._directions)])
        arrays["centres"] = np.array([-1 if state.centre is None else state.centre for state in self.states])
        return Snapshot(arrays, {"dropped": self.dropped})

    def load(self, snapshot: Snapshot) -> None:
        """Become the states that were saved."""
        arrays = snapshot.arrays
        *self.noises, self._directions = (restore_stream(noise) for noise in arrays["noises"])
        self.states = []
        for r, centre in enumerate(arrays["centres"].tolist()):
            tensors = [arrays[name] for name in sorted(arrays) if name.startswith(f"tensor_{r:04d}_")]
            self.states.append(ChainState(tensors, None if centre < 0 else centre, 0.0))
        self.dropped = float(snapshot.numbers["dropped"])

    @property
    def bond_dimension(self) -> int:
        """The largest bond dimension of all states."""
        return max(max(state.bond_dimensions) for state in self.states)

    def _free(self, state: ChainState, time: float) -> None:
        substeps = max(1, self.substeps)
        for parity, fraction in layers(4, substeps):
            gates = self._gates.layer(parity, fraction * time / substeps)
            dropped, _ = sweep_layer(state, gates, self.truncation, self._directions)
            self.dropped += dropped / len(self.states)

    def _kick(self, state: ChainState, noise: Array, dt: float) -> None:
        for kick, eta in zip(self.kicks, noise, strict=True):
            phases = np.exp(-1j * eta * math.sqrt(dt) * kick.diagonal)
            state.tensors[kick.site] = np.ascontiguousarray(phases[:, None] * state.tensors[kick.site])
