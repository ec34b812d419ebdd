"""States of a chain with its sites joined into blocks, and taken apart again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tnness.network.chain_state import ChainState
from tnness.network.truncation import householder


def joined(state: ChainState, starts: Sequence[int]) -> ChainState:
    """Return a state with consecutive sites joined. starts: the first site of each block, ascending from 0.

    >>> state = ChainState.product([[0.5, 0.5]] * 5)
    >>> joined(state, (0, 2, 4)).dims
    (4, 4, 2)
    """
    tensors = []
    for start, stop in zip(starts, [*starts[1:], state.n], strict=True):
        block = state.tensors[start]
        for tensor in state.tensors[start + 1 : stop]:
            block = np.tensordot(block, tensor, 1)
        tensors.append(block.reshape(block.shape[0], -1, block.shape[-1]))
    return ChainState(tensors, None, state.log_norm)


def parted(state: ChainState, dims: Sequence[int], starts: Sequence[int]) -> ChainState:
    """Return a state of blocks as one of single sites, exactly. dims: of the sites. starts: see `joined`."""
    tensors = []
    for block, start, stop in zip(state.tensors, starts, [*starts[1:], len(dims)], strict=True):
        rest = block
        for dim in dims[start : stop - 1]:
            left, right = rest.shape[0], rest.shape[-1]
            qr = householder(rest.reshape(left * dim, -1))
            tensors.append(np.ascontiguousarray(qr.basis).reshape(left, dim, -1))
            rest = qr.factor.reshape(qr.factor.shape[0], -1, right)
        tensors.append(np.ascontiguousarray(rest.reshape(rest.shape[0], -1, rest.shape[-1])))
    return ChainState(tensors, None, state.log_norm)


def taken_apart(state: ChainState, dims: Sequence[int] | None) -> ChainState:
    """Return a state as one of sites of the given dimensions, canonical; as it is where its sites have them."""
    if dims is None or state.dims == tuple(dims):
        return state
    starts, site = [], 0
    for dim in state.dims:
        starts.append(site)
        size = 1
        while size < dim:
            size, site = size * dims[site], site + 1
    result = parted(state, dims, starts)
    result.canonicalise(0)
    return result
