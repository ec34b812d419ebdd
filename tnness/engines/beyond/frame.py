r"""The frame in which modes are sought: operators weighted by the densities of a state near the steady one.

A chain that is driven from its ends is far from normal in the plain norm: |l| |r| / |<l|r>| grows exponentially with
its length, as its steady state differs from the identity on every site. In the frame a state rho is
(x_i sigma_i)^(-1/4) rho (x_i sigma_i)^(-1/4) and an observable A the same with +1/4, where sigma_i is about the density
matrix of site i in the steady state. If that were a product, its left vector (the identity) and the state itself would
be the same. The change of frame is a similarity: rates stay what they are, and any sigma would do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import ChainState
from tnness.network.difference import neighbour_marginals
from tnness.network.initial import identity_state
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation
from tnness.operators.basis import LocalSpace
from tnness.operators.charges import Charges
from tnness.problems.generator import ChainGenerator
from tnness.streams import stream

Real = NDArray[np.float64]

LEAST_WEIGHT = 0.02
"""Smallest eigenvalue of a site's sigma, in units of the mean one: smaller ones are raised to it."""
FRAME_CHI = 8
"""Bond dimension of the evolution that finds the densities."""
FRAME_STEPS = 2000
"""Trotter steps of it at most."""
FRAME_BLOCK = 8
"""Trotter steps at once."""
STEADY_ENOUGH = 0.02
"""Largest change of a site's coefficients between one time and twice that time at which it ends."""
LEAST_STEPS = 32
"""Trotter steps of it at least."""


@dataclass(frozen=True)
class Frame:
    """A similarity on every site.

    Parameters
    ----------
    to: S_i (D_i, D_i), which takes coefficients of a state into the frame. back: their inverses.
    """

    to: tuple[Real, ...]
    back: tuple[Real, ...]

    @classmethod
    def plain(cls, dims: Sequence[int]) -> Frame:
        """Return the frame that changes nothing."""
        return cls.of([np.eye(dim) for dim in dims])

    @classmethod
    def of(cls, to: Sequence[Real]) -> Frame:
        """Return a frame from its matrices."""
        return cls(tuple(to), tuple(np.linalg.inv(matrix).astype(float) for matrix in to))

    def bonds(self, bonds: Sequence[Real]) -> list[Real]:
        """Return two-site matrices as they act in the frame."""
        pairs = zip(pairwise(self.to), pairwise(self.back), bonds, strict=True)
        return [np.kron(*to) @ bond @ np.kron(*back) for to, back, bond in pairs]

    def operator(self, tensors: Sequence[Real]) -> list[Real]:
        """Return a matrix-product operator (left, right, out, in) as it acts in the frame."""
        return [
            np.einsum("ao,lroi,ib->lrab", to, tensor, back, optimize=True)
            for to, tensor, back in zip(self.to, tensors, self.back, strict=True)
        ]

    def covectors(self, covectors: Sequence[Real]) -> list[Real]:
        """Return what reads states, as it reads them in the frame."""
        return [covector @ back for covector, back in zip(covectors, self.back, strict=True)]

    def vectors(self, vectors: Sequence[Real]) -> list[Real]:
        """Return coefficients of a product state in the frame; with them left vectors in the frame are read."""
        return [to @ vector for to, vector in zip(self.to, vectors, strict=True)]


def balanced(
    generator: ChainGenerator, dt: float, seed: int, report: Callable[[str, float], None] = lambda text, part: None
) -> Frame:
    """Return the frame of the steady state's densities, from a short evolution of small bond dimension.

    Sites that hold neither density matrices nor probabilities give the plain frame.
    """
    if not all(_holds_states(space) for space in generator.spaces):
        return Frame.plain(generator.dims)
    state, trace = identity_state(generator.spaces), generator.functionals["trace"]
    state.canonicalise(0)
    gates, truncation = Gates(generator.merged_bonds, np.dtype(float)), Truncation(chi=FRAME_CHI)
    found, look, step = _densities(state, trace), 8, 0
    while step < FRAME_STEPS:
        for number, (parity, fraction) in enumerate(layers(2, FRAME_BLOCK)):
            sweep_layer(state, gates.layer(parity, fraction * dt), truncation, stream(seed, "frame", step, number))
        state.normalise()
        state.log_norm = 0.0
        step += FRAME_BLOCK
        report("densities of the steady state", step / FRAME_STEPS)
        if step == look:
            last, found = found, _densities(state, trace)
            if look >= LEAST_STEPS and max(map(_change, last, found)) < STEADY_ENOUGH:
                break
            look *= 2
    charges = generator.charges or generator.conserved or generator.parities
    weights = [_weight(space, vector) for space, vector in zip(generator.spaces, found, strict=True)]
    return Frame.of([_neutral(weight, charges, site) for site, weight in enumerate(weights)])


def _holds_states(space: LocalSpace) -> bool:
    projectors = np.einsum("ass->as", space.elements).real
    classical = space.dim == space.levels and np.allclose(space.elements, [np.diag(row) for row in projectors])
    hermitian = np.allclose(space.elements, space.elements.conj().transpose(0, 2, 1))
    return classical or (space.quantum and (hermitian or space.graded))


def _densities(state: ChainState, trace: Sequence[Real]) -> list[Real]:
    """Return the coefficients of every site's density matrix, of trace 1."""
    pairs, whole = neighbour_marginals(state, trace)
    sites = [pair @ after for pair, after in zip(pairs, trace[1:], strict=True)]
    return [site / whole for site in (*sites, trace[-2] @ pairs[-1])]


def _change(last: Real, new: Real) -> float:
    return float(np.abs(new - last).max())


def _weight(space: LocalSpace, vector: Real) -> Real:
    """Return the matrix (D, D) of E -> sigma^(-1/4) E sigma^(-1/4), for the coefficients of sigma."""
    sigma = np.tensordot(np.where(space.grading, 0.0, vector), space.elements, 1)
    levels, states = np.linalg.eigh((sigma + sigma.conj().T) / 2 * space.levels)
    root = (states * np.maximum(levels, LEAST_WEIGHT) ** -0.25) @ states.conj().T
    return np.einsum("aij,jk,bkl,li->ab", space.elements.conj().transpose(0, 2, 1), root, space.elements, root).real


def _neutral(matrix: Real, charges: Charges | None, site: int) -> Real:
    """Return a matrix without what mixes charges: the frame must not mix sectors."""
    if charges is None:
        return matrix
    basis, labels = charges.basis(site), charges.sites[site]
    same = (labels[:, None, :] == labels[None, :, :]).all(axis=2)
    return (basis.conj().T @ ((basis @ matrix @ basis.conj().T) * same) @ basis).real
