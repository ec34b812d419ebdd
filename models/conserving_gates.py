"""Random two-spin gates that conserve the number of up spins: the ensemble of the current-driven circuits.

M. J. Gullans, D. A. Huse, Phys. Rev. X 9, 021007 (2019), eqs. (11)-(13). Up is a particle; states uu, ud, du, dd.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tnness import InputError
from tnness.problems.ensembles import GateEnsemble, chained, fixed, haar_su2, mapped, mixture, over_angles, phases

_EXCHANGE = np.eye(4)[[0, 2, 1, 3]]


@cache
def swaps() -> GateEnsemble:
    """Return mu_0: the identity or iSWAP, one half each. Particles hop."""
    exchange = np.diag([1, 1j, 1j, 1]) @ _EXCHANGE
    return mixture([(0.5, fixed(np.eye(4))), (0.5, fixed(exchange))])


@cache
def partial_swaps() -> GateEnsemble:
    """Return mu_1: a Haar block of SU(2) on ud, du and opposite phases on uu, dd: Haar U(2) on free fermions."""

    def block(unitary: NDArray[np.complex128]) -> NDArray[np.complex128]:
        gate = np.zeros((*unitary.shape[:-2], 4, 4), complex)
        gate[..., 0, 0] = gate[..., 3, 3] = 1
        gate[..., 1:3, 1:3] = unitary
        return gate

    outer = over_angles(1, lambda angle: np.exp(1j * angle * np.array([1, 0, 0, -1]))[..., None, :] * np.eye(4))
    return chained(mapped(haar_su2(), block), outer)


@cache
def interactions() -> GateEnsemble:
    """Return mu_2: uniform phases on all states but dd, behind the identity or the exchange, one half each."""
    return mixture([(0.5, phases(np.eye(4), [0, 1, 2, None])), (0.5, phases(_EXCHANGE, [0, 1, 2, None]))])


def gates(p1: float, p2: float) -> GateEnsemble:
    """Return the ensemble of the circuit: mu_1 with probability p1, mu_2 with p2, mu_0 otherwise."""
    check_probabilities(p1, p2)
    return mixture([(max(0.0, 1 - p1 - p2), swaps()), (p1, partial_swaps()), (p2, interactions())])


def check_probabilities(p1: float, p2: float) -> None:
    """Refuse probabilities outside [0, 1] or that sum above 1."""
    for name, p in (("p1", p1), ("p2", p2)):
        if not 0 <= p <= 1:
            raise InputError(f"{name} = {p:g}: a probability is a number from 0 to 1")
    if p1 + p2 > 1 + 1e-12:
        raise InputError(f"p1 + p2 = {p1 + p2:g}: the probabilities of the gates sum to at most 1")
