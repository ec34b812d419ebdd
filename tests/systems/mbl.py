"""The weakly driven MBL Heisenberg chain, and jump chains in its eigenbasis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import NDArray
from scipy.optimize import brentq

from systems.dense import LOWER, ONE, RAISE, Array, Profile, X, Y, Z, bond_operator, expect, reduced, site_operator
from systems.ssep import dense_stationary_probability

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


def singlet_drive() -> list[Array]:
    """The jumps |s><t_m| / sqrt 3 of one bond, m = 1, 0, -1, in the basis uu, ud, du, dd; (4, 4) each."""
    singlet = np.array([0, 1, -1, 0]) / np.sqrt(2)
    triplets = [[1, 0, 0, 0], [0, 1 / np.sqrt(2), 1 / np.sqrt(2), 0], [0, 0, 0, 1]]
    return [np.outer(singlet, triplet) / np.sqrt(3) for triplet in triplets]


def mbl_jumps(n: int, drive: str = "correlated") -> list[Array]:
    """The bond jumps of `drive` and L^z_i = S^z_i on every site, without the factor sqrt(eps)."""
    pair = singlet_drive() if drive == "singlet" else [np.kron(a, b) for a, b in mbl_drive(drive)]
    bonds = [np.kron(np.kron(np.eye(2**i), jump), np.eye(2 ** (n - i - 2))) for i in range(n - 1) for jump in pair]
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
