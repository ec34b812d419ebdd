"""Initial states that are products over sites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.operators.basis import LocalSpace
from tnness.typed import typed

DENSITY_TOLERANCE = 1e-8
"""Allowed deviation of a given density matrix from Hermitian, positive and of trace 1."""


@typed
def identity_state(spaces: Sequence[LocalSpace]) -> ChainState:
    """Return the maximally mixed state 1/prod(d), or equal probabilities; trace 1.

    >>> from tnness.operators.basis import spin_half
    >>> identity_state([spin_half] * 3).bond_dimensions
    (1, 1)
    """
    return ChainState.product([space.vector(np.eye(space.levels) / space.levels) for space in spaces])


@typed
def product_state(spaces: Sequence[LocalSpace], matrices: Sequence[ArrayLike]) -> ChainState:
    """Return rho_0 x rho_1 x ...

    Parameters
    ----------
    spaces: the local space of each of the n sites.
    matrices: for each site a density matrix (d, d), or probabilities of its levels (d,).

    Raises
    ------
    InputError: a wrong number or shape, a matrix that is no density matrix (of trace 1), or coherences in a classical
        space.
    """
    if len(matrices) != len(spaces):
        raise InputError(f"a product state of {len(spaces)} sites takes as many matrices, got {len(matrices)}")
    return ChainState.product(
        [
            space.vector(_density(site, space, given))
            for site, (space, given) in enumerate(zip(spaces, matrices, strict=True))
        ]
    )


def basis_states(digits: str, spaces: Sequence[LocalSpace]) -> list[NDArray[np.float64]]:
    """Return the populations (d,) of each site: a digit is one level, * all of them alike.

    >>> from tnness.operators.basis import spin_half
    >>> [p.tolist() for p in basis_states("1*", [spin_half] * 2)]
    [[0.0, 1.0], [0.5, 0.5]]
    """
    fit = len(digits) == len(spaces) and all(d == "*" or (d.isascii() and d.isdigit()) for d in digits)
    if not fit or not all(d == "*" or int(d) < s.levels for d, s in zip(digits, spaces, strict=True)):
        raise InputError(
            f"product:{digits} needs one digit per site ({len(spaces)}), each below the site's number of levels, or *"
        )
    return [
        np.full(s.levels, 1 / s.levels) if d == "*" else np.eye(s.levels)[int(d)]
        for d, s in zip(digits, spaces, strict=True)
    ]


def _density(site: int, space: LocalSpace, given: ArrayLike) -> NDArray[np.complex128]:
    matrix = np.asarray(given, dtype=complex)
    if matrix.shape == (space.levels,):
        matrix = np.diag(matrix)
    name, d = f"the state of site {site}", space.levels
    if matrix.shape != (d, d):
        raise InputError(f"{name} must have shape ({d}, {d}) or ({d},), but has shape {np.shape(given)}")
    if not np.abs(matrix - matrix.conj().T).max() < DENSITY_TOLERANCE:
        raise InputError(f"{name} is not Hermitian")
    if not abs(np.trace(matrix) - 1) < DENSITY_TOLERANCE:
        raise InputError(f"{name} has trace {np.trace(matrix).real:.6g}, not 1")
    if np.linalg.eigvalsh(matrix)[0] < -DENSITY_TOLERANCE:
        raise InputError(f"{name} has the negative eigenvalue {np.linalg.eigvalsh(matrix)[0]:.3g}")
    if space.parity is not None and np.abs(space.parity @ matrix @ space.parity - matrix).max() > DENSITY_TOLERANCE:
        raise InputError(f"{name} superposes even and odd numbers of fermions, which no state of fermions does")
    if not space.quantum and np.abs(matrix - np.diag(np.diag(matrix))).max() > DENSITY_TOLERANCE:
        raise InputError(f"{name} has coherences, but its space {space.name} is classical")
    return matrix
