"""Handing states and generators to quimb and TeNPy, and taking states in.

Both packages take a second to import, and are imported where they are first used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import opt_einsum

from tnness.basis import LocalSpace
from tnness.errors import InputError
from tnness.network.chain_state import Array, ChainState
from tnness.network.truncation import Truncation, kept_rank, safe_svd
from tnness.problems.generator import ChainGenerator

if TYPE_CHECKING:
    from quimb.tensor import MatrixProductOperator, MatrixProductState
    from tenpy.networks.mps import MPS
    from tenpy.networks.site import Site

ORDERING = ("Sz", "N")
"""Diagonal operators by whose values the levels of a TeNPy site are matched with those of a `LocalSpace`."""


@overload
def to_quimb(source: ChainState) -> MatrixProductState: ...
@overload
def to_quimb(source: ChainGenerator) -> MatrixProductOperator: ...
def to_quimb(source: ChainState | ChainGenerator) -> Any:
    """Return a state as a quimb `MatrixProductState`, or a generator as a `MatrixProductOperator`.

    The factor exp(log_norm) of a state is shared by its tensors. The operator's upper indices are its output, as
    `MatrixProductOperator.apply` and `to_dense` take it.

    >>> from tnness.network.chain_state import ChainState
    >>> to_quimb(ChainState.product([[0.5, 0.5]] * 3)).L
    3
    """
    from quimb.tensor import MatrixProductOperator, MatrixProductState

    if isinstance(source, ChainState):
        factor = source.dtype.type(math.exp(source.log_norm / source.n))
        return MatrixProductState(_without_ends([factor * t for t in source.tensors], 2), shape="lpr")
    return MatrixProductOperator(_without_ends(source.mpo_tensors(), 1), shape="lrud")


def from_quimb(mps: MatrixProductState, spaces: Sequence[LocalSpace] | None = None) -> ChainState:
    """Return a quimb `MatrixProductState` as a `ChainState`, canonical at site 0.

    Parameters
    ----------
    mps: a state with open ends.
    spaces: given, dimensions are compared with its levels d (the amplitudes of a pure state) or its D coefficients (a
        density matrix; the tensors are then made real).

    Raises
    ------
    InputError: a periodic state, dimensions that do not fit, or coefficients that are not real.
    """
    if mps.cyclic:
        raise InputError("the quimb state is periodic; a chain has open ends")
    ordered = mps.copy()
    ordered.permute_arrays("lpr")
    arrays = [np.asarray(array) for array in ordered.arrays]
    last = len(arrays) - 1
    tensors = [
        a.reshape(1 if i == 0 else a.shape[0], -1, 1 if i == last else a.shape[-1]) for i, a in enumerate(arrays)
    ]
    return _canonical(tensors, float(mps.exponent) * math.log(10), spaces)


def to_tenpy(state: ChainState) -> MPS:
    """Return a state as a TeNPy `MPS` on sites without charges; its norm is kept in `MPS.norm`.

    >>> from tnness.network.chain_state import ChainState
    >>> to_tenpy(ChainState.product([[0.5, 0.5]] * 3)).L
    3
    """
    from tenpy.linalg.np_conserved import LegCharge
    from tenpy.networks.mps import MPS
    from tenpy.networks.site import Site

    ready = state.copy()
    ready.canonicalise(0)
    sites = [Site(LegCharge.from_trivial(dim)) for dim in ready.dims]
    flat = [tensor.transpose(1, 0, 2) for tensor in ready.tensors]  # (p, vL, vR), in right-canonical form
    psi = MPS.from_Bflat(sites, flat, unit_cell_width=ready.n)  # finds the Schmidt values itself
    psi.norm = math.exp(ready.log_norm)
    return psi


def from_tenpy(psi: MPS, spaces: Sequence[LocalSpace] | None = None) -> ChainState:
    """Return a TeNPy `MPS` as a `ChainState`, canonical at site 0.

    Parameters
    ----------
    psi: a finite MPS; charges are dropped.
    spaces: the local spaces whose d levels its sites have (the amplitudes of a pure state), or whose D coefficients (a
        density matrix; the tensors are then made real). Levels are put in their order where site and space share the
        diagonal operator `Sz` or `N`: TeNPy's `SpinSite` counts m upwards, `spin(...)` downwards. Without spaces the
        levels are in the site's order without charge conservation.

    Raises
    ------
    InputError: an infinite MPS, or dimensions that do not fit.
    """
    if not psi.finite:
        raise InputError("the TeNPy state is infinite; a chain has open ends")
    tensors = []
    for i, site in enumerate(psi.sites):
        tensor = psi.get_B(i, form="B").transpose(["vL", "p", "vR"]).to_ndarray()
        tensor = tensor[:, np.argsort(site.perm), :]  # undo the sorting by charge
        if spaces is not None and i < len(spaces) and tensor.shape[1] == spaces[i].levels:
            tensor = tensor[:, _level_order(site, spaces[i]), :]
        tensors.append(tensor)
    return _canonical(tensors, math.log(abs(psi.norm)), spaces)


def density_from_pure(
    pure: ChainState, spaces: Sequence[LocalSpace], truncation: Truncation | None = None
) -> ChainState:
    """Return |psi><psi|, normalised, as a matrix-product state in the operator basis of `spaces`.

    Parameters
    ----------
    pure: amplitudes of |psi>, n tensors (left, d, right), real or complex.
    spaces: the local space of each site; classical ones keep the probabilities only.
    truncation: of the bonds, of size chi^2 if exact (the default drops nothing but round-off).

    Raises
    ------
    InputError: the levels of state and spaces differ.
    """
    levels = tuple(space.levels for space in spaces)
    if pure.dims != levels:
        raise InputError(f"the pure state has {pure.dims} levels, the spaces have {levels}")
    truncation = truncation or Truncation(chi=10**9, cutoff=1e-28, method="svd")
    psi = pure.copy()
    psi.canonicalise(0)
    carry, tensors = np.ones((1, 1, 1)), []
    for i, (tensor, space) in enumerate(zip(psi.tensors, spaces, strict=True)):
        double = _doubling(carry.shape, tensor.shape, space.elements.shape)
        theta = double(carry, tensor, tensor.conj(), space.elements)  # (left, a, r, r'), Hermitian in r, r'
        left, dim, right, _ = theta.shape
        matrix = _real_bond(theta).reshape(left * dim, right**2)
        if i == psi.n - 1:
            tensors.append(matrix.reshape(left, dim, 1))
            break
        u, s, vt, _ = safe_svd(matrix)
        rank = kept_rank(s, truncation.chi, truncation.cutoff)
        tensors.append(np.ascontiguousarray(u[:, :rank]).reshape(left, dim, rank))
        carry = _hermitian_bond(s[:rank, None] * vt[:rank])
    result = ChainState(tensors, centre=psi.n - 1)
    result.canonicalise(0)
    return result


@cache
def _doubling(carry: tuple[int, ...], tensor: tuple[int, ...], elements: tuple[int, ...]) -> Any:
    """Tr(E_a A X A^+), compiled, for X (k, l, l'), A (l, i, r), its conjugate (l', j, r') and E (a, j, i)."""
    return opt_einsum.contract_expression("klm,lir,mjs,aji->kars", carry, tensor, tensor, elements)


def _real_bond(matrices: Array) -> Array:
    """Coefficients of Hermitian matrices (..., r, r) in a real orthonormal basis: (..., r^2)."""
    rows, columns = np.triu_indices(matrices.shape[-1], 1)
    diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
    upper = math.sqrt(2) * matrices[..., rows, columns]
    return np.concatenate([np.real(diagonal), np.real(upper), np.imag(upper)], axis=-1)


def _hermitian_bond(coefficients: Array) -> Array:
    """The inverse of `_real_bond`: (..., r^2) -> (..., r, r)."""
    size = math.isqrt(coefficients.shape[-1])
    rows, columns = np.triu_indices(size, 1)
    diagonal, real, imaginary = np.split(coefficients, [size, size + len(rows)], axis=-1)
    result = np.zeros((*coefficients.shape[:-1], size, size), complex)
    result[..., np.arange(size), np.arange(size)] = diagonal
    result[..., rows, columns] = (real + 1j * imaginary) / math.sqrt(2)
    result[..., columns, rows] = (real - 1j * imaginary) / math.sqrt(2)
    return result


def _without_ends(tensors: Sequence[Array], last_bond: int) -> list[Array]:
    """Drop the outer bonds, of size 1: the first tensor's left (axis 0), the last one's right (axis `last_bond`)."""
    inner = list(tensors)
    inner[-1] = inner[-1].squeeze(axis=last_bond)
    inner[0] = inner[0].squeeze(axis=0)
    return inner


def _canonical(tensors: list[Array], log_norm: float, spaces: Sequence[LocalSpace] | None) -> ChainState:
    if spaces is not None:
        tensors = _fitted(tensors, spaces)
    state = ChainState([np.ascontiguousarray(t) for t in tensors], centre=None, log_norm=log_norm)
    state.canonicalise(0)
    return state


def _fitted(tensors: list[Array], spaces: Sequence[LocalSpace]) -> list[Array]:
    dims = tuple(tensor.shape[1] for tensor in tensors)
    if dims == tuple(space.levels for space in spaces):
        return tensors
    if dims != tuple(space.dim for space in spaces):
        raise InputError(
            f"the state has local dimensions {dims}, the spaces have {tuple(space.dim for space in spaces)}"
        )
    if any(np.abs(np.imag(tensor)).max() > 1e-12 * np.abs(tensor).max() for tensor in tensors):
        raise InputError("the coefficients of a density matrix are real, and the tensors given are not")
    return [np.real(tensor) for tensor in tensors]


def _level_order(site: Site, space: LocalSpace) -> Array:
    """For each level of the space, that of the TeNPy site (in its order without charges) with the same `Sz` or `N`."""
    for name in ORDERING:
        if name in site.opnames and name in space.operators:
            theirs = np.diag(site.get_op(name).to_ndarray()).real[np.argsort(site.perm)]
            ours = np.diag(space.operators[name].matrix).real
            if not np.allclose(np.sort(theirs), np.sort(ours)) or len(set(ours)) < len(ours):
                raise InputError(f"a TeNPy site has {name} = {theirs}, the space {space.name} has {ours}")
            return np.argsort(theirs)[np.argsort(np.argsort(ours))]
    return np.arange(space.levels)
