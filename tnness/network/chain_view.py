"""Reading a `ChainState`: expectations, marginals, functionals, purities and entanglement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np

from tnness.errors import NumericalError, Unavailable
from tnness.network.chain_state import Array, ChainState, float_of, product_overlap
from tnness.network.product_view import ProductView
from tnness.observables.views import Sites
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator


class ChainView(ProductView):
    """A view of a matrix-product state; environments are built once and shared by everything measured from it.

    Parameters
    ----------
    state: the state; it must not change while the view is in use.
    spaces: local space of each site.
    functionals: the problem's product functionals, `trace` among them.
    """

    def __init__(
        self, state: ChainState, spaces: Sequence[LocalSpace], functionals: Mapping[str, Sequence[Array]]
    ) -> None:
        super().__init__(spaces, functionals)
        self.state = state
        self.tensors = [t.astype(float_of(t.dtype), copy=False) for t in state.tensors]
        trace = functionals["trace"]
        self._traced = [np.tensordot(v, t, (0, 1)) for v, t in zip(trace, self.tensors, strict=True)]

    @cached_property
    def _canonical(self) -> ChainState:
        """The state with an orthogonality centre."""
        if self.state.centre is not None:
            return self.state
        state = self.state.copy()
        state.canonicalise(0)
        return state

    @cached_property
    def _left(self) -> list[Array]:
        """_left[i]: sites < i traced out, up to a factor: (bond,)."""
        environments = [np.ones(1)]
        for matrix in self._traced[:-1]:
            environments.append(_unit(environments[-1] @ matrix))
        return environments

    @cached_property
    def _right(self) -> list[Array]:
        """_right[i]: sites > i traced out, up to a factor: (bond,)."""
        environments = [np.ones(1)]
        for matrix in reversed(self._traced[1:]):
            environments.append(_unit(matrix @ environments[-1]))
        return environments[::-1]

    def window(self, start: int, stop: int) -> Array:
        """Coefficients of sites start..stop-1, the others traced out, with trace 1: (D, ..., D)."""
        block = self._left[start][None, :]
        for tensor in self.tensors[start:stop]:
            block = np.tensordot(block, tensor, 1)
        block = block.reshape(*(t.shape[1] for t in self.tensors[start:stop]), -1) @ self._right[stop - 1]
        norm = block
        for vector in reversed(self.functionals["trace"][start:stop]):
            norm = norm @ vector
        if norm == 0:
            raise NumericalError("the trace of the state is 0: nothing can be read from it")
        return block / norm

    def coefficients_of(self, sites: Sequence[int]) -> Array:
        """Return the coefficients of any ascending sites, the others traced out, with trace 1: (D, D', ...)."""
        start, stop = sites[0], sites[-1] + 1
        block = norm = self._left[start][None, :]
        for site in range(start, stop):
            norm = norm @ self._traced[site]
            if site in sites:
                block = np.tensordot(block, self.tensors[site], 1).reshape(-1, self.tensors[site].shape[2])
            else:
                block = block @ self._traced[site]
            size = np.abs(norm).max()
            block, norm = block / size, norm / size
        right = self._right[stop - 1]
        shape = [self.tensors[site].shape[1] for site in sites]
        return (block @ right).reshape(shape) / (norm @ right).item()

    def contract(self, covectors: Mapping[int, Array]) -> complex:
        """Contract covectors on the given sites and the trace elsewhere, over the trace."""
        if not covectors:
            return 1.0
        start, stop = min(covectors), max(covectors) + 1
        value = norm = self._left[start]
        for i in range(start, stop):
            traced = self._traced[i]
            norm = norm @ traced
            value = value @ (np.tensordot(covectors[i], self.tensors[i], (0, 1)) if i in covectors else traced)
            size = np.abs(norm).max()
            value, norm = value / size, norm / size
        right = self._right[stop - 1]
        return complex((value @ right) / (norm @ right))

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Array:
        """Return <A_i B_j> for all pairs with one sweep per site: (n, n)."""
        if first.odd or second.odd:
            return super().correlations(first, second)
        sites = range(len(self.tensors))
        is_real = (first.is_hermitian and second.is_hermitian) or not all(space.quantum for space in self.spaces)
        values = pair_products(self, *([self._covector(i, op.matrix) for i in sites] for op in (first, second)))
        for i in sites:
            values[i, i] = self.contract({i: self._covector(i, first.matrix @ second.matrix)})
        return np.real(values) if is_real else values

    def functional(self, name: str) -> float:
        """Return a named product functional, relative to the trace."""
        mantissa, logarithm = product_overlap(self.state, self.functionals[name])
        trace, log_trace = product_overlap(self.state, self.functionals["trace"])
        return float((mantissa / trace).real * math.exp(logarithm - log_trace))

    def log_purity(self) -> float:
        """Return ln Tr rho^2."""
        trace, logarithm = product_overlap(self.state, self.functionals["trace"])
        return self._canonical.log_norm_squared() - 2 * (math.log(abs(trace)) + logarithm)

    def renyi2(self, sites: Sites | None = None) -> float:
        """Return the Renyi-2 entropy -ln Tr rho_X^2 of any sites, however many, in nats."""
        region = tuple(sorted(self._chosen(sites)))
        if not region:
            return 0.0
        left, right = self._left[region[0]], self._right[region[-1]]
        environment, logarithm = np.outer(left, left), 0.0
        norm, log_norm = left, 0.0
        for i in range(region[0], region[-1] + 1):
            if i in region:
                tensor = self.tensors[i]
                environment = np.tensordot(np.tensordot(environment, tensor, (0, 0)), tensor, ((0, 1), (0, 1)))
            else:
                environment = self._traced[i].T @ environment @ self._traced[i]
            environment, size = environment / np.abs(environment).max(), np.abs(environment).max()
            logarithm += math.log(size)
            norm = norm @ self._traced[i]
            norm, size = norm / np.abs(norm).max(), np.abs(norm).max()
            log_norm += math.log(size)
        square = right @ environment @ right
        return float(2 * (math.log(abs(norm @ right)) + log_norm) - math.log(square) - logarithm)

    def transposed_moment(self, first: Sites, second: Sites) -> float:
        """Return p_3 = Tr (rho^{T_A})^3 of any two regions without fermions, however many sites they have."""
        region, turned = self._chosen([*self._chosen(first), *self._chosen(second)]), self._chosen(first)
        if any(self.spaces[i].graded or not self.spaces[i].quantum for i in region):
            raise Unavailable("a partial transpose of sites with fermions (see negativity), or classical ones")
        start, stop = min(region), max(region) + 1
        left, right = self._left[start].astype(complex), self._right[stop - 1]
        block, norm, logarithm = np.einsum("a,b,c->abc", left, left, left), self._left[start], 0.0
        for i in range(start, stop):
            if i in region:
                block = _three(block, self.tensors[i], _triple(self.spaces[i], i in turned))
            else:
                for _ in range(3):
                    block = np.tensordot(block, self._traced[i], (0, 0))
            norm = norm @ self._traced[i]
            size, scale = float(np.abs(block).max()), float(np.abs(norm).max())
            block, norm, logarithm = block / size, norm / scale, logarithm + math.log(size) - 3 * math.log(scale)
        value = np.real(((block @ right) @ right) @ right)
        return float(value / (norm @ right) ** 3 * math.exp(logarithm))

    def schmidt_values(self, bond: int) -> Array:
        """Return the operator-space Schmidt values across a bond."""
        return self._canonical.singular_values(bond)


def pair_products(view: ChainView, first: Sequence[Array], second: Sequence[Array]) -> Array:
    """Return <a_i b_j> of all pairs of sites with one sweep per site: (n, n), 0 where i = j.

    first, second: covectors a_i and b_i of the sites, (D_i,) each.
    """
    n = len(view.tensors)
    a, b = ([np.tensordot(v, t, (0, 1)) for v, t in zip(side, view.tensors, strict=True)] for side in (first, second))
    values = np.zeros((n, n), complex)
    for i in range(n):
        ahead = [view._left[i] @ a[i], view._left[i] @ b[i], view._left[i] @ view._traced[i]]
        for j in range(i + 1, n):
            right = view._right[j]
            norm = (ahead[2] @ view._traced[j]) @ right
            values[i, j] = ((ahead[0] @ b[j]) @ right) / norm
            values[j, i] = ((ahead[1] @ a[j]) @ right) / norm
            ahead = [vector @ view._traced[j] for vector in ahead]
            size = np.abs(ahead[2]).max()
            ahead = [vector / size for vector in ahead]
    return values


def _three(block: Array, tensor: Array, triple: Array) -> Array:
    """Take three copies of a chain over a site: (a, b, c) -> (a', b', c'), with Tr(E_p E_q E_r) between them."""
    block = np.tensordot(block, tensor, (0, 0))  # (b, c, p, a')
    block = np.tensordot(block, triple, (2, 0))  # (b, c, a', q, r)
    block = np.tensordot(block, tensor, ((0, 3), (0, 1)))  # (c, a', r, b')
    return np.tensordot(block, tensor, ((0, 2), (0, 1)))  # (a', b', c')


@lru_cache(maxsize=64)
def _triple(space: LocalSpace, transposed: bool) -> Array:
    """Return Tr(E_a E_b E_c), or of the transposed elements: (D, D, D)."""
    elements = space.elements.transpose(0, 2, 1) if transposed else space.elements
    return np.einsum("aij,bjk,cki->abc", elements, elements, elements)


def _unit(vector: Array) -> Array:
    size = np.abs(vector).max()
    if size == 0 or not np.isfinite(size):
        raise NumericalError("the trace of the state is 0 or not finite: nothing can be read from it")
    return vector / size
