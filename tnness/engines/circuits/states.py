"""The state of one realization of a circuit: its interface, and its Gaussian and dense forms."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tnness.engines.fermions.circuit import GaussianCircuit, orbital_map
from tnness.engines.fermions.quadratic import NotQuadratic
from tnness.engines.fermions.states import correlation_matrix, occupied_level
from tnness.engines.fermions.view import GaussianView
from tnness.engines.initial import Initial
from tnness.engines.limits import check_dense
from tnness.engines.starting import density_on
from tnness.errors import ModelError
from tnness.network.chain_state import ChainState
from tnness.network.dense_view import DenseView
from tnness.network.initial import product_state
from tnness.problems.circuit import Circuit, GateSequence
from tnness.records.snapshot import Snapshot

Array = NDArray[Any]
NAMED = "identity, product:01*..., domain_wall:K, ghz or random:SEED:CHI"
"""Initial states that need no Hamiltonian."""


class State(Protocol):
    """The state of one realization. Gates change it; a view of it keeps showing the state at the time of the call."""

    dropped: float

    def apply(self, gates: GateSequence) -> None:
        """Apply gates one after another."""
        ...

    def view(self) -> Any:
        """Return a view of the present state."""
        ...

    def figures(self) -> dict[str, float]:
        """Return its figures for the certificate."""
        ...

    def save(self) -> Snapshot:
        """Return the state as named arrays and numbers."""
        ...

    def load(self, snapshot: Snapshot) -> None:
        """Become the state that was saved."""
        ...


class GaussianState:
    """A correlation matrix, for circuits of free-fermion gates between reservoirs without coherences.

    Raises
    ------
    NotQuadratic: a gate of the ensemble makes particles interact, or does not conserve their number.
    ModelError: the circuit has measurements or noise after the gates, or reservoirs with coherences.
    """

    dropped = 0.0

    def __init__(self, circuit: Circuit, initial: Initial) -> None:
        space = circuit.spaces[0]
        if circuit.channel is not None or not space.quantum:
            raise ModelError("engine 'gaussian' takes unitary gates: measurements and noise leave no Gaussian state")
        if space.levels != 2 or "N" not in space.operators:
            raise ModelError(f"engine 'gaussian' takes sites with 0 or 1 particles, got {space!r}")
        self.occupied, self.spaces = occupied_level(space), circuit.spaces
        try:
            orbital_map(circuit.gates.unitaries, self.occupied)
        except NotQuadratic as error:
            raise NotQuadratic(f"engine 'gaussian' takes gates of free fermions: {error}; use tebd or exact") from None
        densities = []
        for name, end in (("left", circuit.left), ("right", circuit.right)):
            matrix = np.eye(2) / 2 if end is None else np.asarray(end)
            if abs(matrix[0, 1]) > 1e-12:
                raise ModelError(f"engine 'gaussian' takes reservoirs without coherences; the {name} one has some")
            densities.append(float(matrix[self.occupied, self.occupied].real))
        self._densities = densities
        self.circuit = GaussianCircuit(self._correlation(initial, circuit), *densities)

    def _correlation(self, initial: Initial, circuit: Circuit) -> Array:
        """Return G of an initial state, which is a correlation matrix or a product state."""
        if initial.kind == "array" and initial.array.ndim == 2:
            return correlation_matrix(initial, circuit.n)
        sites = site_states(circuit, initial)
        if np.abs(sites[:, 0, 1]).max() > 1e-12:
            raise ModelError("engine 'gaussian' starts from sites without coherences between 0 and 1 particles")
        return np.diag(sites[:, self.occupied, self.occupied])

    def apply(self, gates: GateSequence) -> None:
        """Apply gates one after another."""
        self.circuit.apply(gates.bonds, orbital_map(gates.unitaries, self.occupied))

    def view(self) -> GaussianView:
        """Return a view of the present state."""
        return GaussianView(self.circuit.correlation.copy(), self.spaces)

    def figures(self) -> dict[str, float]:
        """Return by how much the eigenvalues of G lie outside [0, 1]."""
        n = np.linalg.eigvalsh(self.circuit.correlation)
        return {"occupation_excess": max(0.0, float(-n[0]), float(n[-1] - 1))}

    def save(self) -> Snapshot:
        """Return the correlation matrix."""
        return Snapshot({"correlation": self.circuit.correlation.copy()})

    def load(self, snapshot: Snapshot) -> None:
        """Become the state that was saved."""
        self.circuit = GaussianCircuit(snapshot.arrays["correlation"], *self._densities)


class DenseState:
    """A density matrix, stored as the array of all its coefficients."""

    dropped = 0.0

    def __init__(self, circuit: Circuit, initial: Initial) -> None:
        dims = [space.dim for space in circuit.spaces]
        check_dense(dims)
        self.law = circuit
        self.tensor = chain_state(circuit, initial).dense().astype(float).reshape(dims)

    def apply(self, gates: GateSequence) -> None:
        """Apply gates one after another."""
        n, dim = self.law.n, self.law.spaces[0].dim
        vector = self.tensor
        for bond, matrix in zip(gates.bonds.tolist(), self.law.maps(gates), strict=True):
            first = min(max(bond - 1, 0), n - 1)
            vector = np.matmul(matrix, vector.reshape(dim**first, len(matrix), -1))
        self.tensor = vector.reshape((dim,) * n)

    def view(self) -> DenseView:
        """Return a view of the present state."""
        spaces = self.law.spaces
        return DenseView(self.tensor, spaces, {"trace": [space.trace for space in spaces]})

    def figures(self) -> dict[str, float]:
        """Return the distance of the trace from 1."""
        trace = self.tensor
        for space in self.law.spaces:
            trace = np.tensordot(space.trace, trace, 1)
        return {"trace_error": abs(float(trace) - 1)}

    def save(self) -> Snapshot:
        """Return all coefficients."""
        return Snapshot({"vector": self.tensor.ravel()})

    def load(self, snapshot: Snapshot) -> None:
        """Become the state that was saved."""
        self.tensor = snapshot.arrays["vector"].reshape(self.tensor.shape)


def chain_state(circuit: Circuit, initial: Initial) -> ChainState:
    """Return an initial state as a matrix-product state."""
    if initial.kind in ("identity", "product"):
        return product_state(circuit.spaces, list(site_states(circuit, initial)))
    if initial.kind in ("thermal", "ground"):
        raise initial.refused(f"a circuit has no Hamiltonian: {NAMED}, or a state is needed")
    return density_on(initial, circuit.spaces)


def site_states(circuit: Circuit, initial: Initial) -> Array:
    """Return the density matrices of the sites in an initial product state: (n, d, d).

    Parameters
    ----------
    initial: the identity (every site mixed), a product (the level of each site, * for a mixed site), or the density
        matrices of the sites (n, d, d).
    """
    levels, n = circuit.spaces[0].levels, circuit.n
    if initial.kind == "identity":
        return np.broadcast_to(np.eye(levels) / levels, (n, levels, levels))
    if initial.kind == "product":
        return np.array([np.diag(p) for p in initial.populations(circuit.spaces)])
    if initial.kind == "array":
        matrices = initial.array.astype(complex)
        if matrices.shape == (n, levels, levels):
            return matrices
    raise initial.refused(f"identity, product:01*... with one digit per site ({n}), or states of the sites are needed")
