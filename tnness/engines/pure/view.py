"""The view of a pure state: a matrix-product state with one index of d levels per site."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import ChainState
from tnness.observables.views import Sites, View
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator, Operator

Array = NDArray[Any]
Real = NDArray[np.float64]


class PureView(View):
    """A view of |psi>, normalised. One sweep of the centre gives all pairs of neighbours and all Schmidt values.

    Parameters
    ----------
    state: the amplitudes; they are copied. spaces: local spaces of the sites.
    pairs: returns the density matrices of all pairs of neighbours, where they are known; they are asked for once.
    """

    refusals: Mapping[str, str] = {"excitation": "the state of all particles does not show how a single one spreads"}

    def __init__(
        self, state: ChainState, spaces: Sequence[LocalSpace], pairs: Callable[[], Sequence[Array]] | None = None
    ) -> None:
        super().__init__(spaces)
        self._given, self._known_pairs = state.copy(complex), pairs

    @cached_property
    def _state(self) -> ChainState:
        self._given.canonicalise(0)
        return self._given

    @cached_property
    def _pairs(self) -> Sequence[Array]:
        """The density matrix of two neighbours (d d', d d'), for every bond."""
        return self._swept[0] if self._known_pairs is None else self._known_pairs()

    @cached_property
    def _swept(self) -> tuple[list[Array], list[Array]]:
        """The density matrix of two neighbours (d d', d d') and the Schmidt values, for every bond."""
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

    def expect(self, operator: Operator) -> float | complex:
        """Return <O>: a real number for a Hermitian O, a complex one for another."""
        self._check_sites(operator)
        near, far = _compiled(operator, self.spaces)
        value: complex = sum(complex(np.vdot(matrix, self._pairs[bond])) for bond, matrix in near)
        value += sum(weight * self._product(matrices) for weight, matrices in far)
        return self._read(operator, value)

    def product(self, matrices: Mapping[int, Array]) -> complex:
        """Return <M_i M_j ...> of one matrix (d, d) per site."""
        return self._product(matrices)

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Array:
        """Return <A_i B_j> for all pairs: (n, n); of operators that are even in fermions in one sweep for each site."""
        if first.odd or second.odd or {space.levels for space in self.spaces} != {len(first.matrix)}:
            return super().correlations(first, second)
        n, state = len(self.spaces), self._state.copy()
        values = np.zeros((n, n), complex)
        for i in range(n):
            state.move_centre(i)
            values[i, i] = self.expect(first(i) * second(i))
            carries = [_between(state.tensors[i], op.matrix) for op in (first, second)]
            for j in range(i + 1, n):
                tensor = state.tensors[j]
                values[i, j] = np.sum(_between(tensor, second.matrix, left=True) * carries[0])
                values[j, i] = np.sum(_between(tensor, first.matrix, left=True) * carries[1])
                carries = [_carried(carry, tensor) for carry in carries]
            size = np.vdot(state.tensors[i], state.tensors[i]).real
            values[i, i + 1 :] /= size
            values[i + 1 :, i] /= size
        return np.real(values) if first.is_hermitian and second.is_hermitian else values

    def marginal(self, sites: Sites) -> Array:
        """Return the density matrix of consecutive sites, which may have up to 1024 states."""
        region = self._marginal_region(sites)
        first, bond = region[0], min(region[0], len(self.spaces) - 2)
        if len(region) > 2:
            amplitudes = self._amplitudes("a marginal", region)
            return amplitudes @ amplitudes.conj().T
        pair = self._pairs[bond]
        if region == (bond, bond + 1):
            return pair
        p, q = (self.spaces[i].levels for i in (bond, bond + 1))
        folded = pair.reshape(p, q, p, q)
        return np.trace(folded, axis1=1, axis2=3) if first == bond else np.trace(folded, axis1=0, axis2=2)

    def entropy(self, sites: Sites | None = None) -> float:
        """Return the entanglement entropy of consecutive sites with the rest, in nats.

        A left or right part of the chain may have any length; a region inside the chain may have up to 1024 states.
        """
        weights = self._weights("the entanglement entropy", sites)
        return float(-np.sum(weights[weights > 0] * np.log(weights[weights > 0])))

    def renyi2(self, sites: Sites | None = None) -> float:
        """Return the Renyi-2 entropy -ln Tr rho_X^2 of consecutive sites, as `entropy` takes them, in nats."""
        return -math.log(float(np.sum(self._weights("the Renyi-2 entropy", sites) ** 2)))

    def schmidt_values(self, bond: int) -> Real:
        """Return the Schmidt values of |psi><psi| across a bond, descending: s_i s_j, with s_i those of |psi>."""
        values = self._swept[1][bond]
        return np.sort(np.outer(values, values).ravel())[::-1]

    def _weights(self, what: str, sites: Sites | None) -> Real:
        """Return the nonzero eigenvalues of the density matrix of a region."""
        region, n = self._consecutive(what, sites), len(self.spaces)
        if len(region) in (0, n):
            return np.ones(1)
        if region[0] == 0:
            return self._swept[1][region[-1]] ** 2
        if region[-1] == n - 1:
            return self._swept[1][region[0] - 1] ** 2
        return np.linalg.svd(self._amplitudes(what, region), compute_uv=False) ** 2

    def _amplitudes(self, what: str, region: Sequence[int]) -> Array:
        """Return the amplitudes of a region in the Schmidt basis of the rest, normalised: (states, left right)."""
        self._check_size(what, region)
        state = self._state.copy()
        state.move_centre(region[0])
        theta = state.tensors[region[0]]
        for site in region[1:]:
            theta = np.tensordot(theta, state.tensors[site], 1)  # (left, p, q, ..., right)
        left, right = theta.shape[0], theta.shape[-1]
        amplitudes = np.moveaxis(theta.reshape(left, -1, right), 0, 1).reshape(-1, left * right)
        return amplitudes / np.linalg.norm(amplitudes)

    def _product(self, matrices: Mapping[int, Array]) -> complex:
        carry = np.ones((1, 1), complex)
        for site, tensor in enumerate(self._state.tensors):
            ket = np.einsum("ij,ljr->lir", matrices[site], tensor) if site in matrices else tensor
            half = np.tensordot(carry, ket, 1)  # (left', i, right)
            carry = np.tensordot(tensor.conj(), half, ((0, 1), (0, 1)))  # (right', right)
        return complex(carry.item()) / np.vdot(self._state.tensors[0], self._state.tensors[0]).real


def _between(tensor: Array, matrix: Array, left: bool = False) -> Array:
    """Return <A| M |A> of one site, its right bonds open (r', r), or its left ones (l', l)."""
    turned = np.tensordot(matrix, tensor, ((1,), (1,)))  # (p, l, r)
    if left:
        return np.tensordot(tensor.conj(), turned, ((1, 2), (0, 2)))
    return np.tensordot(tensor.conj(), turned, ((0, 1), (1, 0)))


def _carried(carry: Array, tensor: Array) -> Array:
    """Return what stands left of a site, (l', l), moved to its right: (r', r)."""
    return np.tensordot(tensor.conj(), np.tensordot(carry, tensor, 1), ((0, 1), (0, 1)))


@lru_cache(maxsize=4096)
def _compiled(operator: Operator, spaces: tuple[LocalSpace, ...]) -> tuple[Any, Any]:
    """Split an operator into one matrix per bond (adjoint, for `vdot`) and products over longer distances."""
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
