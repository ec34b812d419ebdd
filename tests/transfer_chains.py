"""Disordered wires between leads, and their dense solutions; numpy and scipy only for the answers."""

import numpy as np

from tnness.problems.transfer import Lead, TransferChain, ring_hamiltonian, ring_modes

FIRST_POTENTIAL = np.random.default_rng(104).uniform(-8.25, 8.25, (4, 4, 4))
FIRST_COHERENCE = 3.437550878794e-4
"""C_d of the cube with this potential, leads (3, 1), t_c = 1, bias 0.0495: by 400 Gauss-Legendre points, dense."""


def wire(
    size: int,
    length: int,
    disorder: float,
    t_par: float = 3.0,
    contact: float = 1.0,
    seed: int = 0,
    potential: np.ndarray | None = None,
) -> TransferChain:
    """A wire of length x size x size sites between two equal leads."""
    m = size**2
    if potential is None:
        potential = np.random.default_rng(seed).uniform(-disorder / 2, disorder / 2, (length, m))
    onsite = np.broadcast_to(ring_hamiltonian((size, size)), (length, m, m)).copy()
    onsite[:, range(m), range(m)] += potential.reshape(length, m)
    lead = Lead(*ring_modes((size, size), 1.0), t_par, contact)
    return TransferChain(onsite, np.ones((length - 1, m)), lead, lead)


def mirrored(chain: TransferChain) -> TransferChain:
    """The same wire, seen from the other side."""
    return TransferChain(chain.onsite[::-1].copy(), chain.coupling[::-1].copy(), chain.right, chain.left)


def dense_green(chain: TransferChain, energy: complex) -> np.ndarray:
    """1 / (E - H - Sigma(E)), by a dense inverse: (sites, sites)."""
    dense = chain.matrix().astype(complex)
    m = chain.m
    dense[:m, :m] += chain.leads[0].self_energy(energy)
    dense[-m:, -m:] += chain.leads[1].self_energy(energy)
    return np.linalg.inv(energy * np.eye(len(dense)) - dense)


def dense_coherence(chain: TransferChain, bias: float, points: int) -> np.ndarray:
    """G^d by plain Gauss-Legendre and dense inverses, Gamma read from the self-energies: (sites, sites)."""
    x, w = np.polynomial.legendre.leggauss(points)
    m, total = chain.m, 0
    for node, weight in zip(x, w, strict=True):
        energy = bias / 2 * node
        green = dense_green(chain, energy)
        gammas = [-2 * lead.self_energy(energy).imag for lead in chain.leads]
        left = green[:, :m] @ gammas[0] @ green[:, :m].conj().T
        right = green[:, -m:] @ gammas[1] @ green[:, -m:].conj().T
        total = total + bias / 2 * weight * (left - right).conj() / (4 * np.pi)
    return total
