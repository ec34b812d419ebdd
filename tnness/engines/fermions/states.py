"""Initial states of free fermions by their labels, as correlation matrices or as occupied orbitals."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.basis import LocalSpace
from tnness.engines.fermions.quadratic import Quadratic
from tnness.errors import InputError

Matrix = NDArray[Any]
MIXED = "*"
"""In `product:...`, a site in its maximally mixed state."""


def initial_correlation(initial: Any, form: Quadratic, spaces: Sequence[LocalSpace]) -> Matrix:
    """Return G of an initial state: (n, n).

    Parameters
    ----------
    initial: None or "identity" (G = 1/2), "product:01*1..." (one digit per site, the number of its basis state, or *
        for a mixed one), "ground:N" (the ground state with N particles), "thermal:BETA", or G itself.
    form: the problem; its Hamiltonian defines the ground and thermal states. spaces: what the digits mean.
    """
    n = form.n
    if isinstance(initial, np.ndarray):
        if initial.shape != (n, n) or np.abs(initial - initial.conj().T).max() > 1e-10:
            raise InputError(f"the initial correlation matrix must be Hermitian of shape ({n}, {n})")
        return initial.astype(complex)
    if initial is None or initial == "identity":
        return np.eye(n, dtype=complex) / 2
    kind, _, value = str(initial).partition(":")
    if kind == "product":
        return np.diag(_fillings(value, spaces)).astype(complex)
    if kind == "ground":
        orbitals = ground_orbitals(form, _particles(value, n))
        return orbitals.conj() @ orbitals.T
    if kind == "thermal":
        with contextlib.suppress(ValueError):
            if math.isfinite(float(value)):
                energies, states = np.linalg.eigh(form.hamiltonian)
                occupied = (1 - np.tanh(float(value) * energies / 2)) / 2
                return ((states * occupied) @ states.conj().T).T
    told = "identity, product:01*..., ground:N, thermal:BETA or a correlation matrix is needed"
    raise InputError(f"initial = {_shown(initial)}: {told}")


def initial_orbitals(initial: Any, form: Quadratic, spaces: Sequence[LocalSpace]) -> Matrix:
    """Return the occupied orbitals of a pure initial state, |psi> = prod_k (sum_i phi_ik c^+_i) |0>: (n, particles).

    Parameters
    ----------
    initial: "product:0101..." or "ground:N". others: as for `initial_correlation`.
    """
    kind, _, value = str(initial).partition(":")
    if kind == "ground":
        return ground_orbitals(form, _particles(value, form.n))
    if kind == "product" and MIXED not in value:
        occupied = np.flatnonzero(_fillings(value, spaces))
        return np.eye(form.n, dtype=complex)[:, occupied]
    raise InputError(f"initial = {_shown(initial)}: a trajectory starts from a pure state, product:0101... or ground:N")


def ground_orbitals(form: Quadratic, particles: int) -> Matrix:
    """Return the lowest orbitals of h: (n, particles)."""
    return np.linalg.eigh(form.hamiltonian)[1][:, :particles].astype(complex)


def occupied_level(space: LocalSpace) -> int:
    """Return the number of the basis state with N = 1."""
    return int(np.argmax(np.diag(space.operators["N"].matrix).real))


def _fillings(digits: str, spaces: Sequence[LocalSpace]) -> NDArray[np.float64]:
    if len(digits) != len(spaces) or set(digits) - set("01" + MIXED):
        raise InputError(f"product:{digits} needs one of 0, 1 and {MIXED} per site ({len(spaces)})")
    return np.array(
        [0.5 if d == MIXED else float(int(d) == occupied_level(s)) for d, s in zip(digits, spaces, strict=True)]
    )


def _particles(text: str, n: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= n):
        raise InputError(f"ground:{text} needs a number of particles, 0 to {n}")
    return int(text)


def _shown(initial: Any) -> str:
    return repr(initial) if isinstance(initial, str | None) else f"a {type(initial).__name__}"
