"""What can be read from the amplitudes of a pure state, a matrix-product state with one index of d levels per site."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.basis import LocalSpace
from tnness.errors import ModelError, Unavailable
from tnness.network.chain_state import ChainState
from tnness.terms import LocalOperator, Operator

Array = NDArray[Any]


class PureView:
    """A view of |psi>, normalised. One sweep of the centre gives all pairs of neighbours and all Schmidt values."""

    def __init__(self, state: ChainState, spaces: Sequence[LocalSpace]) -> None:
        self.spaces = tuple(spaces)
        self._state = state.copy(complex)
        self._state.canonicalise(0)

    @cached_property
    def _swept(self) -> tuple[list[Array], list[Array]]:
        """Density matrices of neighbours (d d', d d'), and Schmidt values, of every bond."""
        pairs, values = [], []
        state = self._state.copy()
        for bond in range(state.n - 1):
            state.move_centre(bond)
            theta = np.tensordot(state.tensors[bond], state.tensors[bond + 1], 1)  # (left, p, q, right)
            left, p, q, right = theta.shape
            amplitudes = theta.transpose(1, 2, 0, 3).reshape(p * q, left * right)
            pairs.append(amplitudes @ amplitudes.conj().T / np.vdot(amplitudes, amplitudes).real)
            singular = np.linalg.svd(theta.reshape(left * p, q * right), compute_uv=False)
            values.append(singular / np.linalg.norm(singular))
        return pairs, values

    def expect(self, operator: Operator) -> float:
        """Return <O>, real part."""
        if operator.sites and operator.sites[-1] >= len(self.spaces):
            raise ModelError(
                f"an observable reads site {operator.sites[-1]}; the chain has sites 0 to {len(self.spaces) - 1}"
            )
        near, far = _compiled(operator, self.spaces)
        value: complex = sum(complex(np.vdot(matrix, self._swept[0][bond])) for bond, matrix in near)
        value += sum(weight * self._product(matrices) for weight, matrices in far)
        return float(value.real)

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Array:
        """Return <A_i B_j> for all pairs: (n, n)."""
        sites = range(len(self.spaces))
        return np.array([[self.expect(first(i) * second(j)) for j in sites] for i in sites])

    def marginal(self, sites: Sequence[int]) -> Array:
        """Return the density matrix of one site or two neighbours."""
        bond = min(sites[0], len(self.spaces) - 2)
        pair = self._swept[0][bond]
        if tuple(sites) == (bond, bond + 1):
            return pair
        if len(sites) != 1:
            raise Unavailable("a marginal of more than two neighbours")
        p, q = (self.spaces[i].levels for i in (bond, bond + 1))
        folded = pair.reshape(p, q, p, q)
        return np.trace(folded, axis1=1, axis2=3) if sites[0] == bond else np.trace(folded, axis1=0, axis2=2)

    def entropy(self, sites: slice) -> float:
        """Return the entanglement entropy -sum s^2 ln s^2 of the sites 0..k-1, `slice(0, k)`, in nats."""
        if sites.start not in (0, None) or sites.step not in (1, None) or not 0 < sites.stop < len(self.spaces):
            raise Unavailable("the entanglement entropy of sites that are not the left part of the chain")
        weights = self._swept[1][sites.stop - 1] ** 2
        return float(-np.sum(weights[weights > 0] * np.log(weights[weights > 0])))

    def schmidt_values(self, bond: int) -> Array:
        """Return the Schmidt values across a bond, sum s^2 = 1."""
        return self._swept[1][bond]

    def excitation(self, site: int) -> Array:
        """Raise `Unavailable`: a state of all particles does not know how a single one spreads."""
        raise Unavailable("the spreading of a single particle")

    def _product(self, matrices: dict[int, Array]) -> complex:
        carry = np.ones((1, 1), complex)
        for site, tensor in enumerate(self._state.tensors):
            ket = np.einsum("ij,ljr->lir", matrices[site], tensor) if site in matrices else tensor
            half = np.tensordot(carry, ket, 1)  # (left', i, right)
            carry = np.tensordot(tensor.conj(), half, ((0, 1), (0, 1)))  # (right', right)
        return complex(carry.item()) / np.vdot(self._state.tensors[0], self._state.tensors[0]).real


@lru_cache(maxsize=4096)
def _compiled(operator: Operator, spaces: tuple[LocalSpace, ...]) -> tuple[Any, Any]:
    """Split an operator into one matrix per bond (adjoint, for `vdot`) and products that reach further."""
    levels, parities = {i: s.levels for i, s in enumerate(spaces)}, {i: s.parity for i, s in enumerate(spaces)}
    near: dict[int, Array] = {}
    far = []
    for term in operator:
        sites = sorted(term.matrices(parities)) or [0]
        if sites[-1] - sites[0] > 1:
            far.append((term.coefficient, term.matrices(parities)))
            continue
        bond = min(sites[0], len(spaces) - 2)
        matrix = Operator((term,)).matrix((bond, bond + 1), levels, parities)
        near[bond] = near.get(bond, 0.0) + matrix.conj().T
    return tuple((bond, matrix) for bond, matrix in near.items()), tuple(far)
