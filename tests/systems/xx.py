"""The XX chain with dephasing, of any length."""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import ArrayLike, NDArray

from systems.dense import Array


def xx_dephasing_exact(n: int, coupling: float, gamma: float, mu: float, dephasing: float) -> dict[str, Array]:
    """Steady state without fields (Znidaric 2010): z (n,), current (n-1,).

    j = 2 mu / (2/Gamma + Gamma/(8 J^2) + (n-1) gamma/(4 J^2)),   <Z_first> = mu - j/Gamma,
    <Z_i> - <Z_{i+1}> = j (2 gamma + n_e Gamma/2) / (8 J^2)  with n_e the chain ends that the bond touches.
    """
    resistance = 2 / gamma + gamma / (8 * coupling**2) + (n - 1) * dephasing / (4 * coupling**2)
    current = 2 * mu / resistance
    ends = np.zeros(n - 1)
    ends[0] += 1
    ends[-1] += 1
    drops = current * (2 * dephasing + ends * gamma / 2) / (8 * coupling**2)
    z = mu - current / gamma - np.concatenate([[0.0], np.cumsum(drops)])
    return {"z": z, "current": np.full(n - 1, current)}


def xx_free_neighbour_correlation(n: int, coupling: float, gamma: float, mu: float) -> NDArray[np.float64]:
    """<Z_i Z_{i+1}>_c = -(j / 4J)^2 on every bond of the XX chain without dephasing and fields; (n-1,)."""
    current = xx_dephasing_exact(n, coupling, gamma, mu, 0.0)["current"]
    return -((current / (4 * coupling)) ** 2)


def xx_covariance_map(
    n: int, coupling: float, gamma: float, mu: float, dephasing: float, fields: ArrayLike = 0.0
) -> tuple[sp.csr_array, NDArray[np.complex128]]:
    """(M, s) of the closed equation d vec(C)/dt = M vec(C) + s, C_jk = <c^+_j c_k>; M is (n^2, n^2) sparse.

    dC/dt = i[h, C] - {G_+ + G_-, C}/2 + G_+ - 2 gamma (C - diag C), with h = 2J (hopping) + diag(2 h_i) and
    G_+- the gain and loss rates at the ends. The equation closes although the state is not Gaussian, because
    the dephasing jumps are Hermitian and quadratic (Z_i = 2 n_i - 1).
    """
    hopping = np.full(n - 1, 2.0 * coupling)
    h = np.diag(2.0 * np.broadcast_to(fields, n)) + np.diag(hopping, 1) + np.diag(hopping, -1)
    gain, loss = np.zeros(n), np.zeros(n)
    gain[0] = loss[-1] = gamma * (1 + mu) / 2
    loss[0] = gain[-1] = gamma * (1 - mu) / 2
    one = sp.identity(n)
    drift = sp.csr_array(1j * h - np.diag(gain + loss) / 2)  # dC/dt = drift C + C drift^+ + ...
    off_diagonal = 1 - np.eye(n).ravel()
    generator = sp.kron(drift, one) + sp.kron(one, drift.conj()) - sp.diags(2 * dephasing * off_diagonal)
    return sp.csr_array(generator), np.diag(gain).ravel().astype(complex)


def covariance_observables(covariance: Array, coupling: float) -> dict[str, Array]:
    """<Z_i> = 2 C_ii - 1 and j_i = -8 J Im C_{i,i+1}; leading axes (such as time) pass through."""
    z = 2 * np.diagonal(covariance, axis1=-2, axis2=-1).real - 1
    current = -8 * coupling * np.diagonal(covariance, offset=1, axis1=-2, axis2=-1).imag
    return {"z": z, "current": current}


def xx_covariance_steady(
    n: int, coupling: float, gamma: float, mu: float, dephasing: float, fields: ArrayLike = 0.0
) -> dict[str, Array]:
    """Steady state with any fields: z (n,), current (n-1,), covariance (n, n)."""
    generator, source = xx_covariance_map(n, coupling, gamma, mu, dephasing, fields)
    covariance = spla.spsolve(generator.tocsc(), -source).reshape(n, n)
    return covariance_observables(covariance, coupling) | {"covariance": covariance}


def xx_covariance_transient(
    n: int,
    coupling: float,
    gamma: float,
    mu: float,
    dephasing: float,
    fields: ArrayLike,
    times: ArrayLike,
    initial: ArrayLike = 0.0,
) -> dict[str, Array]:
    """The same from an initial state: z (times, n), current (times, n-1), covariance (times, n, n).

    `times` rise from 0 on. `initial` is the z profile of a product state (a number or (n,); 0 is the
    identity) or a whole covariance matrix (n, n).
    """
    generator, source = xx_covariance_map(n, coupling, gamma, mu, dephasing, fields)
    affine = sp.block_array([[generator, source[:, None]], [None, sp.csr_array((1, 1))]], format="csr")
    initial = np.asarray(initial)
    start = initial if initial.ndim == 2 else np.diag((1 + np.broadcast_to(initial, n)) / 2)
    vector = np.append(start.astype(complex).ravel(), 1.0)
    history = []
    for step in np.diff(np.asarray(times, dtype=float), prepend=0.0):
        vector = spla.expm_multiply(affine * step, vector) if step else vector
        history.append(vector[:-1].reshape(n, n))
    covariance = np.array(history)
    return covariance_observables(covariance, coupling) | {"covariance": covariance}
