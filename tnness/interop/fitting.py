"""Conversion of another package's tensors to a `ChainState`, checked against the local spaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tnness.errors import InputError
from tnness.network.chain_state import Array, ChainState
from tnness.operators.basis import LocalSpace


def canonical_state(tensors: list[Array], log_norm: float, spaces: Sequence[LocalSpace] | None) -> ChainState:
    """Return tensors (left, physical, right) as a state, canonical at site 0.

    Parameters
    ----------
    log_norm: logarithm of a factor of the state. spaces: if given, the dimensions must be their levels, or the
        dimensions of their operator bases; coefficients of operators must be real.

    Raises
    ------
    InputError: dimensions that do not fit, or coefficients that are not real.
    """
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
