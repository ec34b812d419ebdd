"""Exact answers that every engine is tested against; plain numpy/scipy, no import from tnness.

Conventions: sites count from 0 and site 0 is the leftmost Kronecker factor; the spin basis is (up, down), so
sigma^+ raises and "up" is "occupied"; density matrices are vectorised row by row,
A rho B -> (A kron B^T) vec(rho); a jump carries the square root of its rate. Currents flow to the right:
dZ_i/dt = j_{i-1} - j_i.

Sources: Prosen, PRL 107, 137201 (2011); Znidaric, J. Stat. Mech. (2010) L05002; Derrida, J. Stat. Mech.
(2007) P07023 (exclusion process); Lenarcic et al., PRL 125, 116601 (2020) (weakly driven MBL).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

Array = NDArray[np.float64] | NDArray[np.complex128]
Profile = Sequence[float] | NDArray[np.float64]  # one number per site

ONE = np.eye(2)
X = np.array([[0.0, 1.0], [1.0, 0.0]])
Y = np.array([[0.0, -1.0j], [1.0j, 0.0]])
Z = np.diag([1.0, -1.0])
RAISE = np.array([[0.0, 1.0], [0.0, 0.0]])  # sigma^+ = |up><down|
LOWER = RAISE.T
OCCUPATION = np.diag([1.0, 0.0])  # n = (1 + Z) / 2


# ---------------------------------------------------------------- any small chain, densely


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


# ---------------------------------------------------------------- spin chains driven at their ends


def xxz_hamiltonian(n: int, coupling: float = 1.0, delta: float = 0.0, fields: ArrayLike = 0.0) -> Array:
    """H = J sum (XX + YY + Delta ZZ) + sum h_i Z_i."""
    bonds = [(X, X, 1.0), (Y, Y, 1.0), (Z, Z, delta)]
    exchange = sum(coupling * weight * bond_operator(a, b, i, n) for i in range(n - 1) for a, b, weight in bonds)
    fields = np.broadcast_to(fields, n)
    return exchange + sum(fields[i] * site_operator(Z, i, n) for i in range(n))


def end_jumps(n: int, gamma: float, mu: float) -> list[Array]:
    """Left: sqrt(Gamma (1 +- mu) / 2) sigma^{+-}; right: the same with mu -> -mu."""
    up, down = np.sqrt(gamma * (1 + mu) / 2), np.sqrt(gamma * (1 - mu) / 2)
    left = [up * site_operator(RAISE, 0, n), down * site_operator(LOWER, 0, n)]
    right = [down * site_operator(RAISE, n - 1, n), up * site_operator(LOWER, n - 1, n)]
    return left + right


def xx_dephasing_dense(
    n: int, coupling: float, gamma: float, mu: float, dephasing: float, fields: ArrayLike = 0.0
) -> tuple[Array, list[Array]]:
    """(H, jumps) of the end-driven XX chain with fields; every site has a jump sqrt(dephasing / 2) Z."""
    bulk = [np.sqrt(dephasing / 2) * site_operator(Z, i, n) for i in range(n)]
    return xxz_hamiltonian(n, coupling, 0.0, fields), end_jumps(n, gamma, mu) + bulk


def xxz_dense(n: int, delta: float, gamma: float, mu: float = 1.0) -> tuple[Array, list[Array]]:
    """(H, jumps) of H = sum (XX + YY + Delta ZZ) driven at its ends; mu = 1 is maximal driving."""
    return xxz_hamiltonian(n, 1.0, delta), end_jumps(n, gamma, mu)


# ---------------------------------------------------------------- XX chain with dephasing, any length


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


# ---------------------------------------------------------------- XXZ chain at maximal driving, any length


def prosen_transfer(n: int, delta: float, gamma: float) -> tuple[Array, Array]:
    """The tridiagonal matrices (V, W) whose products sum the ansatz of Prosen 2011; (n//2 + 1) square.

    With e = Gamma/2 and Chebyshev T_k, U_k at Delta (U_{-1} = 0), k = 0 .. floor(n/2):
    a_k = T_k - (i e/2) U_{k-1},  p_k = U_k,  m_k = -i e T_k - (1 - Delta^2 + e^2/4) U_{k-1};
    V_kk = 2 |a_k|^2,  V_{k,k+1} = |p_k|^2,  V_{k+1,k} = |m_k|^2;
    W_{k,k+1} = V_{k,k+1},  W_{k+1,k} = -V_{k+1,k},  W_kk = 0.
    """
    depth, e = n // 2 + 1, gamma / 2
    first, second = np.empty(depth), np.empty(depth + 1)  # T_k and U_{k-1}
    first[:2], second[:2] = [1.0, delta][:depth], [0.0, 1.0]
    for k in range(2, depth):
        first[k] = 2 * delta * first[k - 1] - first[k - 2]
    for k in range(2, depth + 1):
        second[k] = 2 * delta * second[k - 1] - second[k - 2]
    diagonal = np.abs(first - 0.5j * e * second[:-1]) ** 2
    up = np.abs(second[1:]) ** 2
    down = np.abs(-1j * e * first - (1 - delta**2 + e**2 / 4) * second[:-1]) ** 2
    upper, lower = np.diag(up[:-1], 1), np.diag(down[:-1], -1)
    return 2 * np.diag(diagonal) + upper + lower, upper - lower


def prosen_exact(n: int, delta: float, gamma: float) -> dict[str, Array]:
    """Steady state for jumps sqrt(Gamma) sigma^+_first and sqrt(Gamma) sigma^-_last.

    Returns z (n,), current (n-1,), zz (n, n) (not connected, ones on the diagonal).

    Z_n = (V^n)_00,  j = 2 Gamma Z_{n-1}/Z_n,  <Z_i> = (V^{i-1} W V^{n-i})_00/Z_n  and, for i < j,
    <Z_i Z_j> = (V^{i-1} W V^{j-i-1} W V^{n-j})_00/Z_n  (i, j from 1). Long doubles for their
    exponents: for Delta > 1 (V^n)_00 grows like exp(n^2), beyond 1e308 before n = 60 at Delta = 1.5.
    """
    transfer, insertion = (matrix.astype(np.longdouble) for matrix in prosen_transfer(n, delta, gamma))
    origin = np.eye(len(transfer), dtype=np.longdouble)[0]
    left, right = [origin], [origin]
    with np.errstate(over="ignore", invalid="ignore"):  # refused just below, with the reason
        for _ in range(n):
            left.append(left[-1] @ transfer)  # <0|V^k
            right.append(transfer @ right[-1])  # V^k|0>
    norm = right[n][0]
    if not np.isfinite(norm):
        raise OverflowError(f"(V^n)_00 at n = {n}, Delta = {delta} exceeds the range of long doubles")
    z = np.array([left[i] @ insertion @ right[n - 1 - i] for i in range(n)]) / norm
    zz = np.eye(n)
    for i in range(n):
        row = left[i] @ insertion
        for j in range(i + 1, n):
            zz[i, j] = zz[j, i] = row @ insertion @ right[n - 1 - j] / norm
            row = row @ transfer
    current = float(2 * gamma * right[n - 1][0] / norm)
    return {"z": z.astype(float), "current": np.full(n - 1, current), "zz": zz}


# ---------------------------------------------------------------- symmetric simple exclusion process


def ssep_exact(
    n: int,
    inject_left: float,
    remove_left: float,
    inject_right: float,
    remove_right: float,
    rate: float = 1.0,
) -> dict[str, Array]:
    """Steady state (Derrida 2007).

    Returns density (n,), current (n-1,), connected correlation (n, n) with <n_i> (1 - <n_i>) on its diagonal.
    With r_a, r_b the densities of the reservoirs, A = 1/(a_in + a_out), B = 1/(b_in + b_out) (rates over the
    hopping rate) and M = n + A + B - 1, sites from 1:
    <n_i> = [r_a (n + B - i) + r_b (i - 1 + A)]/M,  J = rate (r_a - r_b)/M,
    <n_x n_y>_c = -(r_a - r_b)^2 (x + A - 1)(n + B - y)/[M^2 (M - 1)]  for x < y.
    """
    left, right = (inject_left + remove_left) / rate, (inject_right + remove_right) / rate
    ra, rb = inject_left / rate / left, inject_right / rate / right
    a, b = 1 / left, 1 / right
    m = n + a + b - 1
    site = np.arange(1, n + 1)
    density = (ra * (n + b - site) + rb * (site - 1 + a)) / m
    x, y = np.minimum.outer(site, site), np.maximum.outer(site, site)
    correlation = -((ra - rb) ** 2) * (x + a - 1) * (n + b - y) / (m**2 * (m - 1))
    np.fill_diagonal(correlation, density * (1 - density))
    return {"density": density, "current": np.full(n - 1, rate * (ra - rb) / m), "correlation": correlation}


def ssep_jumps(
    n: int,
    inject_left: float,
    remove_left: float,
    inject_right: float,
    remove_right: float,
    rate: float = 1.0,
) -> list[Array]:
    """Jumps of the quantum process (H = 0): both hops on every bond, injection and removal at the ends."""
    hops = [bond_operator(LOWER, RAISE, i, n) for i in range(n - 1)]
    ends = [
        np.sqrt(inject_left) * site_operator(RAISE, 0, n),
        np.sqrt(remove_left) * site_operator(LOWER, 0, n),
        np.sqrt(inject_right) * site_operator(RAISE, n - 1, n),
        np.sqrt(remove_right) * site_operator(LOWER, n - 1, n),
    ]
    return [np.sqrt(rate) * hop for hop in hops] + [np.sqrt(rate) * hop.T for hop in hops] + ends


def dense_ssep_generator(
    n: int,
    inject_left: float,
    remove_left: float,
    inject_right: float,
    remove_right: float,
    rate: float = 1.0,
) -> NDArray[np.float64]:
    """Classical master equation dp/dt = G p; (2^n, 2^n), columns sum to zero; site basis (occupied, empty).

    The jumps take a configuration to a configuration, so that G = sum_L |L|^2 - diag(its column sums).
    """
    jumps = ssep_jumps(n, inject_left, remove_left, inject_right, remove_right, rate)
    gain = sum(np.abs(jump) ** 2 for jump in jumps)
    return gain - np.diag(gain.sum(axis=0))


def dense_stationary_probability(generator: NDArray[np.float64]) -> NDArray[np.float64]:
    """The p with G p = 0 and sum p = 1."""
    equations = generator.copy()
    equations[0] = 1.0
    return scipy.linalg.solve(equations, np.eye(len(generator))[0])


def ssep_observables(probability: Array, rate: float = 1.0) -> dict[str, Array]:
    """density, current = rate (n_i - n_{i+1}) and connected correlation of probabilities p (2^n,)."""
    n = round(np.log2(len(probability)))
    occupied = np.array([np.diag(site_operator(OCCUPATION, i, n)) for i in range(n)])  # (site, configuration)
    density = occupied @ probability
    correlation = (occupied * probability) @ occupied.T - np.outer(density, density)
    return {"density": density, "current": -rate * np.diff(density), "correlation": correlation}


# ---------------------------------------------------------------- weakly driven MBL Heisenberg chain

SX, SY, SZ = X / 2, Y / 2, Z / 2
S_DOT_S = sum(np.kron(s, s) for s in (SX, SY, SZ)).real  # (4, 4)


def mbl_hamiltonian(n: int, h: float, fields_z: Profile, fields_x: Profile) -> Array:
    """H = sum S_i . S_{i+1} + h sum (zeta^z_i S^z_i + zeta^x_i S^x_i)."""
    exchange = sum(bond_operator(s, s, i, n) for i in range(n - 1) for s in (SX, SY, SZ))
    fields = zip(fields_z, fields_x, strict=True)
    return (exchange + sum(site_operator(h * (z * SZ + x * SX), i, n) for i, (z, x) in enumerate(fields))).real


def mbl_drive(drive: str) -> list[tuple[Array, Array]]:
    """Pairs (left factor, right factor) of the jumps of one bond; S^{+1} = S^+, S^{-1} = S^-.

    correlated: L^{s,1} = S^s (1 - 2 s S^z) / (2 sqrt 2), L^{s,2} = (1 - 2 s S^z) S^s / (2 sqrt 2), s = +-1;
    literal: the same with (1 - 2 S^z) for both signs, as printed;
    one-sided: L^{+,1} and L^{-,2} as printed, alone.
    """
    scale = 1 / (2 * np.sqrt(2))
    on_down, on_up = scale * (ONE - 2 * SZ), scale * (ONE + 2 * SZ)
    drives = {
        "correlated": [(RAISE, on_down), (LOWER, on_up), (on_down, RAISE), (on_up, LOWER)],
        "literal": [(RAISE, on_down), (LOWER, on_down), (on_down, RAISE), (on_down, LOWER)],
        "one-sided": [(RAISE, on_down), (on_down, LOWER)],
    }
    return drives[drive]


def mbl_jumps(n: int, drive: str = "correlated") -> list[Array]:
    """The bond jumps of `drive` and L^z_i = S^z_i on every site, without the factor sqrt(eps)."""
    bonds = [bond_operator(a, b, i, n) for i in range(n - 1) for a, b in mbl_drive(drive)]
    return bonds + [site_operator(SZ, i, n) for i in range(n)]


def mbl_dense(
    n: int, h: float, eps: float, fields_z: Profile, fields_x: Profile, drive: str = "correlated"
) -> tuple[Array, list[Array]]:
    """(H, jumps) with the jumps scaled by sqrt(eps)."""
    return mbl_hamiltonian(n, h, fields_z, fields_x), [np.sqrt(eps) * jump for jump in mbl_jumps(n, drive)]


def jump_chain_steady_state(hamiltonian: Array, jumps: Sequence[Array]) -> Array:
    """Steady state from the sequence of quantum jumps: exact, without the (D^2, D^2) matrix; D up to 256.

    With H_eff = H - (i/2) sum L^+L, a system that jumped to sigma spends
    X = int dt exp(-i H_eff t) sigma exp(i H_eff^+ t) until its next jump: -i (H_eff X - X H_eff^+) = -sigma.
    It then jumps to sigma' = sum L X L^+, which keeps the trace, and rho is the X of the fixed point. How
    many jumps it takes to forget does not grow as the rates go to zero. Needs a diagonalisable H_eff without
    a dark state (an eigenvector that never decays).
    """
    dim, count = len(hamiltonian), len(jumps)
    energies, vectors = np.linalg.eig(hamiltonian - 0.5j * sum(jump.conj().T @ jump for jump in jumps))
    inverse = np.linalg.inv(vectors)
    gaps = 1j * (energies[:, None] - energies.conj())
    stacked = sp.vstack([sp.csr_array(jump) for jump in jumps], format="csr")  # (count D, D)
    adjoints = sp.vstack([sp.csr_array(jump.conj().T) for jump in jumps], format="csr")  # (count D, D)

    def dwell(sigma: Array) -> Array:
        return vectors @ ((inverse @ sigma @ inverse.conj().T) / gaps) @ vectors.conj().T

    def next_jump(vector: Array) -> Array:
        jumped = (stacked @ dwell(vector.reshape(dim, dim))).reshape(count, dim, dim)  # L X
        side_by_side = jumped.transpose(1, 0, 2).reshape(dim, count * dim)
        return (side_by_side @ adjoints).ravel()

    chain = spla.LinearOperator((dim * dim, dim * dim), matvec=next_jump, dtype=complex)
    _, fixed = spla.eigs(chain, k=1, which="LR", v0=np.eye(dim, dtype=complex).ravel())
    rho = dwell(fixed[:, 0].reshape(dim, dim))
    rho = rho / np.trace(rho)
    return (rho + rho.conj().T) / 2


def bracketed_roots(function: Callable[[float], float], grid: NDArray[np.float64]) -> list[float]:
    """Every sign change of `function` between neighbouring points of `grid`, refined to the last digits."""
    values = np.array([function(x) for x in grid])
    exact_zeros = [float(grid[i]) for i in np.flatnonzero(values == 0) if 0 < i < len(grid) - 1]
    changes = np.flatnonzero(values[:-1] * values[1:] < 0)
    refined = [brentq(function, grid[i], grid[i + 1], xtol=1e-15, rtol=1e-14) for i in changes]
    return sorted(exact_zeros + refined)


def inverse_temperature_grid(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Trial beta of both signs, from 1e-6 to 500 over the width of the spectrum."""
    positive = np.geomspace(1e-6, 500.0, 400) / np.ptp(energies)
    return np.concatenate([-positive[::-1], [0.0], positive])


def boltzmann(energies: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """exp(-beta E)/Z without overflow."""
    exponent = -beta * energies
    weights = np.exp(exponent - exponent.max())
    return weights / weights.sum()


def local_temperature(rho2: Array, h2: Array) -> float:
    """The beta that minimises F(beta) = Tr[(rho - rho_th)^2], rho_th = exp(-beta h)/Z; either sign.

    Only the populations p of rho in the eigenbasis of h matter:
    dF/dbeta = 2 sum_k (p_k - w_k)(e_k - <e>_w) w_k with w the Boltzmann weights. Roots rather than minima of
    F: a minimum is flat and good to 1e-8 only. Infinite when |beta| = 500 / (width of the spectrum) fits
    better than every root.
    """
    energies, vectors = np.linalg.eigh(h2)
    populations = np.einsum("ik,ij,jk->k", vectors.conj(), rho2, vectors).real
    gaps = energies[:, None] - energies

    def slope(beta: float) -> float:
        weights = boltzmann(energies, beta)
        deviations = gaps @ weights  # e_k - <e>, without cancellation, hence no false roots
        return float(2 * (populations - weights) @ (deviations * weights))

    def misfit(beta: float) -> float:
        return float(np.sum((populations - boltzmann(energies, beta)) ** 2))

    grid = inverse_temperature_grid(energies)
    best = min([*bracketed_roots(slope, grid), grid[0], grid[-1]], key=misfit)
    return float(np.copysign(np.inf, best)) if best in (grid[0], grid[-1]) else best


def mbl_bond_hamiltonians(
    n: int, h: float, fields_z: Profile, fields_x: Profile, field_weight: float = 1.0
) -> list[Array]:
    """h_{i,i+1} = S_i . S_{i+1} + fields of the two sites, for each bond; (4, 4).

    A field shared by two bonds counts field_weight (1 or 1/2); an end site counts whole.
    """
    weight = np.full(n, field_weight)
    weight[[0, -1]] = 1.0
    local = [h * weight[i] * (fields_z[i] * SZ + fields_x[i] * SX) for i in range(n)]
    return [S_DOT_S + np.kron(local[i], ONE) + np.kron(ONE, local[i + 1]) for i in range(n - 1)]


def mbl_observables(
    rho: Array, h: float, fields_z: Profile, fields_x: Profile, field_weight: float = 1.0
) -> dict[str, Array | float]:
    """energy, sz (n,), sx (n,), ss (n-1,), beta (n-1,), beta_variation = std over bonds (ddof 0) / mean."""
    n = len(fields_z)
    pairs = [reduced(rho, (i, i + 1)) for i in range(n - 1)]
    bonds = mbl_bond_hamiltonians(n, h, fields_z, fields_x, field_weight)
    beta = np.array([local_temperature(pair, bond) for pair, bond in zip(pairs, bonds, strict=True)])
    return {
        "energy": expect(mbl_hamiltonian(n, h, fields_z, fields_x), rho),
        "sz": np.array([expect(site_operator(SZ, i, n), rho) for i in range(n)]),
        "sx": np.array([expect(site_operator(SX, i, n), rho) for i in range(n)]),
        "ss": np.array([expect(S_DOT_S, pair) for pair in pairs]),
        "beta": beta,
        "beta_variation": float(beta.std() / beta.mean()),
    }


def mbl_exact(
    n: int,
    h: float,
    eps: float,
    fields_z: Profile,
    fields_x: Profile,
    drive: str = "correlated",
    field_weight: float = 1.0,
) -> dict[str, Array | float]:
    """The observables of the exact steady state; seconds up to n = 7."""
    rho = jump_chain_steady_state(*mbl_dense(n, h, eps, fields_z, fields_x, drive))
    return mbl_observables(rho, h, fields_z, fields_x, field_weight)


def mbl_heating(n: int, h: float, fields_z: Profile, fields_x: Profile, drive: str = "correlated") -> Array:
    """D^+(H) = sum L^+ H L - {L^+L, H}/2: the power that the drive feeds in, per eps; (2^n, 2^n).

    Its average vanishes in every steady state, at any eps, because [H, rho] feeds in nothing.
    """
    hamiltonian = mbl_hamiltonian(n, h, fields_z, fields_x)
    heating = np.zeros_like(hamiltonian)
    for jump in mbl_jumps(n, drive):
        loss = jump.T @ jump @ hamiltonian
        heating += jump.T @ hamiltonian @ jump - (loss + loss.T) / 2
    return heating


def mean_temperature_limit(n: int, h: float, fields_z: Profile, fields_x: Profile, drive: str = "correlated") -> float:
    """beta as eps -> 0 if the chain thermalises: Tr[H D(rho_0)] = 0, rho_0 = exp(-beta H)/Z (Lenarcic (19)).

    Exact only for n -> infinity in the thermal phase; `weak_drive_steady_state` is exact at any n. Raises
    ValueError unless exactly one beta balances.
    """
    energies, vectors = np.linalg.eigh(mbl_hamiltonian(n, h, fields_z, fields_x))
    power = np.einsum("ik,ij,jk->k", vectors, mbl_heating(n, h, fields_z, fields_x, drive), vectors)
    grid = inverse_temperature_grid(energies)
    roots = bracketed_roots(lambda beta: float(power @ boltzmann(energies, beta)), grid)
    if len(roots) != 1:
        raise ValueError(f"energy balance has {len(roots)} solutions: {roots}")
    return roots[0]


def weak_drive_steady_state(hamiltonian: Array, jumps: Sequence[Array]) -> Array:
    """Limit of the steady state as the rates go to zero, at any n, if no two energies coincide; (D, D).

    Coherences between eigenstates average out; the populations obey the rate equation
    dp_k/dt = sum_m W_km p_m - W_mk p_k with W_km = sum_L |<k|L|m>|^2.
    """
    _, vectors = np.linalg.eigh(hamiltonian)
    rates = sum(np.abs(vectors.conj().T @ jump @ vectors) ** 2 for jump in jumps)
    populations = dense_stationary_probability(rates - np.diag(rates.sum(axis=0)))
    return (vectors * populations) @ vectors.conj().T


@dataclass(frozen=True)
class MblReference:
    """The reference case of the driven MBL chain, confirmed to 1e-12 by two routes (sparse LU, jump chain)."""

    n: int = 6
    h: float = 2.0
    eps: float = 0.1
    fields_z: tuple[float, ...] = (0.31, -0.77, 0.52, -0.18, 0.94, -0.43)
    fields_x: tuple[float, ...] = (-0.65, 0.22, 0.81, -0.36, 0.07, 0.58)
    drive: str = "correlated"
    energy: float = -1.438074986046
    beta_variation_whole: float = 0.093503178338  # field_weight 1
    beta_variation_half: float = 0.123796217960  # field_weight 1/2

    def parameters(self) -> dict[str, int | float | str | tuple[float, ...]]:
        """The arguments of `mbl_dense` and `mbl_exact` (field_weight apart)."""
        return {name: getattr(self, name) for name in ("n", "h", "eps", "fields_z", "fields_x", "drive")}


def mbl_exact_reference() -> MblReference:
    """Parameters and numbers of the reference case."""
    return MblReference()
