r"""Two replicas of a number-conserving circuit, averaged: E[rho x rho] of spins 1/2, six states a site.

Only six pairs of operators survive the average (M. J. Gullans, D. A. Huse, Phys. Rev. X 9, 021007 (2019), App. E):
a_up = l x r, a_dn = r x l, b_up = u x u, b_dn = d x d, c_up = u x d, c_dn = d x u, with projectors u, d on up and down,
l = sigma^-, r = sigma^+. The basis here consists of orthonormal operators, in which averages over unitaries are
symmetric matrices:

    1 x 1, Z x Z, (Z x 1 + 1 x Z)/sqrt 2, (Z x 1 - 1 x Z)/sqrt 2  (over 2),  l x r,  r x l.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness import LocalOperator, Observable, View
from tnness.operators.basis import operator_space

Real = NDArray[np.float64]

_ONE, _Z = np.eye(2), np.diag([1.0, -1.0])
_UP, _DOWN = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
_RAISE = np.array([[0.0, 1.0], [0.0, 0.0]])
_LOWER = _RAISE.T

STATES = {
    "a_up": np.kron(_LOWER, _RAISE),
    "a_dn": np.kron(_RAISE, _LOWER),
    "b_up": np.kron(_UP, _UP),
    "b_dn": np.kron(_DOWN, _DOWN),
    "c_up": np.kron(_UP, _DOWN),
    "c_dn": np.kron(_DOWN, _UP),
}
"""The six pairs of operators of a site, on both replicas: (4, 4) each."""
_READ = {name.replace("_", ""): matrix.T for name, matrix in STATES.items()}  # Tr(E^+ rho) is the coefficient of E
_READ |= {"N": np.kron(_UP, _ONE), "N2": np.kron(_ONE, _UP), "Swap": np.eye(4)[[0, 2, 1, 3]]}
_PAULI = [
    np.kron(_ONE, _ONE) / 2,
    np.kron(_Z, _Z) / 2,
    (np.kron(_Z, _ONE) + np.kron(_ONE, _Z)) / np.sqrt(8),
    (np.kron(_Z, _ONE) - np.kron(_ONE, _Z)) / np.sqrt(8),
]

replica_spin = operator_space("replica-spin", [*_PAULI, STATES["a_up"], STATES["a_dn"]], _READ)
"""Six states a site; operators `aup`, ..., `cdn` read their coefficients, `N`, `N2` the density of either replica."""
replica_bit = operator_space("replica-bit", _PAULI, _READ)
"""The four of these states without coherences."""
CHARGES = np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [-1, 0, 0]])
"""Charges of the six states: a_up - a_dn; parities of the third and of the fourth state: (6, 3)."""
MODULI = (0, 2, 2)
SWAP = _READ["Swap"]
"""Tr(Swap rho x rho) = Tr rho^2."""


FIELDS = (np.kron(_ONE, _ONE) / 4, (np.kron(_Z, _ONE) + np.kron(_ONE, _Z)) / 4, np.kron(_Z, _Z) / 4)
"""The terms of order 0, 1 and 2 in m of rho x rho, where rho = (1 + m Z)/2: (4, 4) each."""


def occupied(density: float) -> Real:
    """Return rho x rho of a product spin with this probability of up: (4, 4)."""
    rho: Real = np.array([[density, 0.0], [0.0, 1 - density]])
    return np.asarray(np.kron(rho, rho), float)


# ---------------------------------------------------------------- what is read from a state


def _sites(view: View) -> range:
    return range(len(view.spaces))


def density(view: View) -> Real:
    """Return <n_i>: (n,)."""
    return np.array([view.expect(replica_spin.N(i)) for i in _sites(view)])


def excess(view: View) -> Real:
    """Return h_i = P(b_up at i) - <n_i>^2, the variance over circuits of a site's density: (n,)."""
    return np.array([view.expect(replica_spin.bup(i)) - view.expect(replica_spin.N(i)) ** 2 for i in _sites(view)])


def pair(first: LocalOperator, second: LocalOperator) -> Callable[[View], Real]:
    """Return a measurement of <A_i B_j> - <A_i><B_j>, 0 on the diagonal: view -> (n, n)."""

    def measure(view: View) -> Real:
        sites = _sites(view)
        first_mean = np.array([view.expect(first(i)) for i in sites])
        second_mean = np.array([view.expect(second(i)) for i in sites])
        return (view.correlations(first, second) - np.outer(first_mean, second_mean)) * (1 - np.eye(len(sites)))

    return measure


def coherence(view: Any) -> Real:
    """Return a_ij = P(a_up at i, a_dn at j) = E |<c^+_i c_j>|^2 of fermions (E26), 0 on the diagonal: (n, n).

    The Jordan-Wigner strings of both replicas give Z x Z on every site between i and j.
    """
    space, n = view.spaces[0], len(view.spaces)
    ends = [space.covector(operator.matrix).real for operator in (replica_spin.aup, replica_spin.adn)]
    string = space.covector(np.kron(_Z, _Z)).real
    values = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1, n):
            between = dict.fromkeys(range(i + 1, j), string)
            values[i, j] = values[j, i] = view.contract({i: ends[0], **between, j: ends[1]}).real
    return values


density_correlation = pair(replica_spin.N, replica_spin.N)
_b_pairs = {
    (s, t): pair(getattr(replica_spin, s), getattr(replica_spin, t)) for s in ("bup", "bdn") for t in ("bup", "bdn")
}


def alike(view: View) -> Real:
    """Return b_ij (E39), half the sum of the connected P(b_s at i, b_t at j) over s, t = up, dn: (n, n)."""
    return sum((measure(view) for measure in _b_pairs.values()), np.zeros(())) / 2


def contrast(view: View) -> Real:
    """Return B_ij (E40): like b_ij, with a minus sign where s differs from t: (n, n)."""
    return sum((measure(view) * (1 if s == t else -1) for (s, t), measure in _b_pairs.items()), np.zeros(())) / 2


def entropy_deviations(view: Any, regions: list[range]) -> Real:
    """Return Delta S_X = 2^{|X|-1} (E Tr rho_X^2 - Tr rho_LE,X^2) of regions X, in nats.

    It is the leading order of the entropy's deviation from local equilibrium rho_LE, the product of average states.
    """
    profile = density(view)
    swap = view.spaces[0].covector(SWAP).real
    deviations = []
    for region in regions:
        purity = view.contract(dict.fromkeys(region, 2 * swap)).real
        equilibrium = np.prod([1 + (2 * profile[i] - 1) ** 2 for i in region])
        deviations.append((purity - equilibrium) / 2)
    return np.array(deviations)


def entropy_deviation(view: Any) -> float:
    """Return Delta S of the whole chain (nats)."""
    return float(entropy_deviations(view, [range(len(view.spaces))])[0])


def mutual_information(view: Any) -> Real:
    """Return I = Delta S - Delta S_left - Delta S_right for each cut k = 1..n-1, sites 0..k-1 left: (n - 1,) (nats)."""
    n = len(view.spaces)
    regions = [range(n), *(range(k) for k in range(1, n)), *(range(k, n) for k in range(1, n))]
    deviations = entropy_deviations(view, regions)
    return deviations[0] - deviations[1:n] - deviations[n:]


def pair_entropy_deviation(view: View) -> float:
    """Return 2 sum_i h_i + 4 sum_{i<j} (a_ij + b_ij): Delta S from one- and two-point functions only (nats)."""
    return float(2 * excess(view).sum() + 4 * np.triu(coherence(view) + alike(view), 1).sum())


def pair_mutual_information(view: View) -> Real:
    """Return 4 sum (a_ij + b_ij), i left of the cut and j right of it, for each cut k = 1..n-1: (n - 1,) (nats)."""
    values = coherence(view) + alike(view)
    return np.array([4 * values[:k, k:].sum() for k in range(1, len(values))])


def scaled(measure: Callable[[Any], Any], size: float, **about: Any) -> Observable:
    """Return the observable measure(view) / size."""
    return Observable(lambda view: np.asarray(measure(view)) / size, **about)
