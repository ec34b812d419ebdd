"""Any small chain, densely: operators, Liouvillians, steady states, evolution and expectation values."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64] | NDArray[np.complex128]
Profile = Sequence[float] | NDArray[np.float64]  # one number per site
ONE = np.eye(2)
X = np.array([[0.0, 1.0], [1.0, 0.0]])
Y = np.array([[0.0, -1.0j], [1.0j, 0.0]])
Z = np.diag([1.0, -1.0])
RAISE = np.array([[0.0, 1.0], [0.0, 0.0]])  # sigma^+ = |up><down|
LOWER = RAISE.T
OCCUPATION = np.diag([1.0, 0.0])  # n = (1 + Z) / 2


def site_operator(operator: Array, site: int, n: int) -> Array:
    """1 x ... x operator x ... x 1 on n sites of the operator's own dimension; shape (d^n, d^n)."""
    d = len(operator)
    return np.kron(np.kron(np.eye(d**site), operator), np.eye(d ** (n - site - 1)))


def bond_operator(left: Array, right: Array, site: int, n: int) -> Array:
    """left on `site` times right on `site + 1`; shape (d^n, d^n)."""
    d = len(left)
    return np.kron(np.kron(np.eye(d**site), np.kron(left, right)), np.eye(d ** (n - site - 2)))


def product_state(local_states: Sequence[Array]) -> Array:
    """rho_0 x rho_1 x ...; each (d, d)."""
    return reduce(np.kron, local_states)


def dense_dissipator(jumps: Sequence[Array]) -> Array:
    """sum_L  L x L* - (L^+L x 1 + 1 x (L^+L)^T) / 2  on row-major vec(rho); shape (D^2, D^2), D = d^n."""
    one = np.eye(len(jumps[0]))
    decay = sum(jump.conj().T @ jump for jump in jumps)
    gain = sum(np.kron(jump, jump.conj()) for jump in jumps)
    return gain - (np.kron(decay, one) + np.kron(one, decay.T)) / 2


def dense_liouvillian(hamiltonian: Array, jumps: Sequence[Array]) -> Array:
    """drho/dt = -i[H, rho] + sum_L D[L](rho) as a (D^2, D^2) complex matrix on row-major vec(rho)."""
    one = np.eye(len(hamiltonian))
    unitary = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    return unitary + dense_dissipator(jumps) if len(jumps) else unitary


def dense_steady_state(liouvillian: Array) -> Array:
    """The rho with L vec(rho) = 0 and trace 1, Hermitised; shape (D, D).

    The rows of L that belong to the diagonal of rho add up to zero, so row 0 may be replaced by the trace.
    scipy warns of an ill-conditioned matrix when the steady state is not unique.
    """
    dim = round(len(liouvillian) ** 0.5)
    equations = liouvillian.copy()
    equations[0] = np.eye(dim).ravel()
    rho = scipy.linalg.solve(equations, np.eye(dim * dim)[0]).reshape(dim, dim)
    return (rho + rho.conj().T) / 2


def dense_evolve(liouvillian: Array, rho: Array, times: ArrayLike) -> Array:
    """exp(L t) rho at each time; shape (times, D, D)."""
    times = np.asarray(times, dtype=float)
    return np.array([(scipy.linalg.expm(liouvillian * t) @ rho.ravel()).reshape(rho.shape) for t in times])


def expect(operator: Array, rho: Array) -> float:
    """Tr[operator rho] of a Hermitian operator."""
    return float(np.einsum("ij,ji->", operator, rho).real)


def reduced(rho: Array, sites: Sequence[int], d: int = 2) -> Array:
    """Partial trace onto `sites`, in the order given; shape (d^k, d^k)."""
    n = round(np.log(len(rho)) / np.log(d))
    rest = [site for site in range(n) if site not in sites]
    order = [*sites, *rest]
    tensor = rho.reshape([d] * (2 * n)).transpose(order + [n + site for site in order])
    kept, traced = d ** len(sites), d ** len(rest)
    return np.einsum("arbr->ab", tensor.reshape(kept, traced, kept, traced))


def z_profile(rho: Array) -> NDArray[np.float64]:
    """<Z_i>; shape (n,)."""
    n = round(np.log2(len(rho)))
    return np.array([expect(site_operator(Z, i, n), rho) for i in range(n)])


def spin_current(rho: Array, coupling: float = 1.0) -> NDArray[np.float64]:
    """<2 J (X_i Y_{i+1} - Y_i X_{i+1})>, the current of Z if H = J sum (XX + YY + Delta ZZ); (n-1,)."""
    n = round(np.log2(len(rho)))
    curl = [bond_operator(X, Y, i, n) - bond_operator(Y, X, i, n) for i in range(n - 1)]
    return np.array([2 * coupling * expect(operator, rho) for operator in curl])


def zz_correlation(rho: Array) -> NDArray[np.float64]:
    """<Z_i Z_j>, not connected, ones on the diagonal; shape (n, n)."""
    n = round(np.log2(len(rho)))
    spins = [np.diag(site_operator(Z, i, n)) for i in range(n)]
    weights = np.diag(rho).real
    return np.array([[weights @ (a * b) for b in spins] for a in spins])
