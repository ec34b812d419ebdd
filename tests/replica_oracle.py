"""The current-driven circuit by other means: dense averages, closed equations, enumeration. No import from tnness."""

import itertools
from collections.abc import Callable
from functools import reduce

import numpy as np

EXCHANGE = np.eye(4)[[0, 2, 1, 3]]


def su2_design() -> list[np.ndarray]:
    """The Clifford gates of one qubit, divided by the root of their determinant."""
    generators = [np.array([[1, 1], [1, -1]]) / np.sqrt(2), np.diag([1, 1j])]
    found = [np.eye(2, dtype=complex)]
    for gate in found:
        for generator in generators:
            new = generator @ gate
            if all(abs(abs(np.trace(new.conj().T @ old)) - 2) > 1e-9 for old in found):
                found.append(new)
    return [gate / np.sqrt(np.linalg.det(gate)) for gate in found]


def gates(p1: float, p2: float) -> list[tuple[float, np.ndarray]]:
    """Weighted gates whose second moment is the circuit's: seventh roots of unity for phases, Cliffords for SU(2)."""
    roots = np.exp(2j * np.pi * np.arange(7) / 7)
    found = [((1 - p1 - p2) / 2, np.eye(4)), ((1 - p1 - p2) / 2, np.diag([1, 1j, 1j, 1]) @ EXCHANGE)]
    for block, root in itertools.product(su2_design(), roots):
        gate = np.diag([root, 1, 1, 1 / root])
        gate[1:3, 1:3] = block
        found.append((p1 / 24 / 7, gate))
    for a, b, c in itertools.product(np.exp(2j * np.pi * np.arange(3) / 3), repeat=3):
        found += [(p2 / 54, np.diag([a, b, c, 1])), (p2 / 54, np.diag([a, b, c, 1]) @ EXCHANGE)]
    return found


def averaged_pair_map(p1: float, p2: float) -> np.ndarray:
    """E[U U . U^+ U^+] on all operators of two sites and two replicas: (16, 16, 16, 16), site by site, output first.

    An operator of one site and two replicas is |s s'><t t'|, numbered as (s, s', t, t').
    """
    total = np.zeros((256, 256), complex)
    for weight, gate in gates(p1, p2):
        if weight:
            u = gate.reshape(2, 2, 2, 2)
            both = np.einsum("abij,cdkl->acbdikjl", u, u).reshape(16, 16)  # (s1 s1' s2 s2')
            total += weight * np.kron(both, both.conj())
    tensor = total.reshape([4] * 8)  # out: ket 1, ket 2, bra 1, bra 2; in: the same
    return tensor.transpose(0, 2, 1, 3, 4, 6, 5, 7).reshape(16, 16, 16, 16)


def unbalanced(operator: np.ndarray, p1: float, p2: float, up_left: float, up_right: float) -> float:
    """Largest element of sum_k (T_k - 1) of E[rho x rho], given as (16,) * n: 0 of the steady state."""
    n, pair = operator.ndim, averaged_pair_map(p1, p2)
    trace = np.eye(4).ravel()
    rate = -(n + 1) * operator.astype(complex)
    for k in range(n - 1):
        acted = np.tensordot(pair, operator, ((2, 3), (k, k + 1)))
        rate += np.moveaxis(acted, (0, 1), (k, k + 1))
    for site, up, spec in ((0, up_left, "a,abcd,c->bd"), (n - 1, up_right, "b,abcd,d->ac")):
        rho = np.diag([up, 1 - up])
        end = np.einsum(spec, trace, pair, np.kron(rho, rho).ravel())
        rate += np.moveaxis(np.tensordot(end, operator, (1, site)), 0, site)
    return float(np.abs(rate).max())


def fixed_point(apply: Callable[[np.ndarray], np.ndarray], size: int) -> np.ndarray:
    """Solve x = apply(x) for an affine map."""
    constant = apply(np.zeros(size))
    matrix = np.array([apply(unit) - constant for unit in np.eye(size)]).T
    return np.linalg.solve(np.eye(size) - matrix, constant)


def phase_two(n: int, p1: float, up_left: float, up_right: float) -> np.ndarray:
    """A_ij = E|G_ij|^2 off the diagonal and E[n_i^2] - <n_i>^2 on it, for p2 = 0: (n, n).

    A Haar gate keeps the trace t and x^2 + |G_12|^2 of a block, x = (n_1 - n_2)/2, and spreads x^2 and |G_12|^2 as
    1 : 2; E[n_1 n_2] - |G_12|^2 is the exclusion process's two-point function.
    """
    i = np.arange(n + 2)
    mean = up_left + (up_right - up_left) * i / (n + 1)
    tau = -np.minimum.outer(i, i) * (n + 1 - np.maximum.outer(i, i)) * (up_left - up_right) ** 2 / ((n + 1) ** 2 * n)

    def step(values: np.ndarray) -> np.ndarray:
        whole = np.zeros((n + 2, n + 2))
        whole[1:-1, 1:-1] = values.reshape(n, n)
        total = np.zeros_like(whole)
        for k in range(n + 1):
            swapped, mixed = whole.copy(), whole.copy()
            order = i.copy()
            order[[k, k + 1]] = k + 1, k
            squares = whole + np.diag(mean**2)
            swapped = squares[np.ix_(order, order)] - np.diag(mean**2)
            rows = (whole[k] + whole[k + 1]) / 2
            mixed[k], mixed[k + 1], mixed[:, k], mixed[:, k + 1] = rows, rows, rows, rows
            product = mean[k] * mean[k + 1] + tau[k, k + 1] + whole[k, k + 1]  # E[n_k n_k+1]
            quarter = (squares[k, k] + squares[k + 1, k + 1]) / 4
            radius = quarter - product / 2 + whole[k, k + 1]
            for site in (k, k + 1):
                mixed[site, site] = quarter + product / 2 + radius / 3 - mean[site] ** 2
            mixed[k, k + 1] = mixed[k + 1, k] = 2 * radius / 3
            total += p1 * mixed + (1 - p1) / 2 * (whole + swapped)
        return (total / (n + 1))[1:-1, 1:-1].ravel()

    return fixed_point(step, n * n).reshape(n, n)


def polarised(n: int, probabilities: np.ndarray, m_left: float, m_right: float) -> np.ndarray:
    """E[rho x rho] for p1 = 0, (16,) * n: spins of either reservoir, placed by an exclusion process.

    probabilities: of its 2^n configurations, 1 = from the left, first site major.
    """
    singles = []
    for m in (m_right, m_left):
        rho = np.diag([0.5 + m, 0.5 - m])
        singles.append(np.kron(rho, rho).ravel())
    configurations = itertools.product((0, 1), repeat=n)
    terms = (
        p * reduce(np.multiply.outer, [singles[s] for s in c])
        for p, c in zip(probabilities, configurations, strict=True)
    )
    return sum(terms)
