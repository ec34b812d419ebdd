"""Initial states of free fermions by their labels, as correlation matrices or as occupied orbitals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.fermions.quadratic import Quadratic, site_modes
from tnness.engines.initial import Initial
from tnness.errors import InputError
from tnness.operators.basis import LocalSpace

Matrix = NDArray[Any]
MIXED = "*"
"""The sign in `product:...` for a site in its maximally mixed state."""
PURE = "a trajectory starts from a pure state: product:0101..., domain_wall:K, ground:N, ghz or amplitudes"


def initial_correlation(initial: Initial, form: Quadratic, spaces: Sequence[LocalSpace]) -> Matrix:
    """Return G of an initial state: (modes, modes).

    Parameters
    ----------
    initial: the identity (G = 1/2), a product (the number of each site's basis state, or * for a mixed one), a ground
        state of N particles, a thermal state, or G itself.
    form: the problem; its Hamiltonian defines the ground and thermal states.
    spaces: local space of each site; the digits of a product number its levels.
    """
    if initial.kind == "array":
        return correlation_matrix(initial, form.n)
    if initial.kind == "identity":
        return np.eye(form.n, dtype=complex) / 2
    if initial.kind == "product":
        return np.diag(_fillings(initial, spaces)).astype(complex)
    if initial.kind == "ground":
        orbitals = ground_orbitals(form, _particles(initial, form.n))
        return orbitals.conj() @ orbitals.T
    if initial.kind == "thermal":
        energies, states = np.linalg.eigh(form.hamiltonian)
        occupied = (1 - np.tanh(initial.value * energies / 2)) / 2
        return ((states * occupied) @ states.conj().T).T
    raise initial.refused("identity, product:01*..., ground:N, thermal:BETA or a correlation matrix is needed")


def correlation_matrix(initial: Initial, n: int) -> Matrix:
    """Return the given correlation matrix, (n, n); refuse a wrong shape or a matrix that is not Hermitian."""
    matrix = initial.array
    if matrix.shape != (n, n) or np.abs(matrix - matrix.conj().T).max() > 1e-10:
        raise InputError(f"the initial correlation matrix must be Hermitian of shape ({n}, {n})")
    return matrix.astype(complex)


def initial_orbitals(initial: Initial, form: Quadratic, spaces: Sequence[LocalSpace]) -> Matrix:
    """Return the occupied orbitals of a pure initial state, |psi> = prod_k (sum_i phi_ik c^+_i) |0>: (n, particles).

    Parameters
    ----------
    initial: a product of definite levels, or a ground state.
    form, spaces: as for `initial_correlation`.
    """
    if initial.kind == "ground":
        return ground_orbitals(form, _particles(initial, form.n))
    if initial.kind == "product" and MIXED not in initial.value:
        occupied = np.flatnonzero(_fillings(initial, spaces))
        return np.eye(form.n, dtype=complex)[:, occupied]
    raise initial.refused(PURE)


def ground_orbitals(form: Quadratic, particles: int) -> Matrix:
    """Return the lowest orbitals of h: (n, particles)."""
    return np.linalg.eigh(form.hamiltonian)[1][:, :particles].astype(complex)


def occupied_level(space: LocalSpace) -> int:
    """Return the number of the basis state with N = 1."""
    return int(np.argmax(np.diag(space.operators["N"].matrix).real))


def _fillings(initial: Initial, spaces: Sequence[LocalSpace]) -> NDArray[np.float64]:
    """The occupation of every mode: (modes,)."""
    populations, modes = initial.populations(spaces), [site_modes(space) for space in spaces]
    return np.concatenate([own.occupied @ p for p, own in zip(populations, modes, strict=True) if own is not None])


def _particles(initial: Initial, n: int) -> int:
    if initial.value > n:
        raise InputError(f"ground:{initial.value} needs a number of particles, 0 to {n}")
    return int(initial.value)
