"""A small transfer chain as a tensor network, to draw it, to contract it and to compare with it.

quimb takes a second to import, and is imported where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tnness.errors import InputError
from tnness.problems.transfer import Array, TransferChain

if TYPE_CHECKING:
    from quimb.tensor import MatrixProductOperator, TensorNetwork


def operator_network(chain: TransferChain) -> MatrixProductOperator:
    """Return H as a matrix-product operator over slices of 1 + m states, its bonds carrying the transverse channels.

    State 0 of a slice is empty, state 1 + i is a particle on its site i; on states of one particle the operator is H. A
    bond has 2 + 2 m states: no term has begun yet, a term is complete, and a particle moves to the left or the right.
    """
    from quimb.tensor import MatrixProductOperator

    _without_batch(chain)
    m, tensors = chain.m, []
    dtype = np.result_type(chain.onsite, chain.coupling)
    for x in range(chain.slices):
        block = np.zeros((2 + 2 * m, 2 + 2 * m, 1 + m, 1 + m), dtype)  # (left, right, out, in)
        block[0, 0, 0, 0] = block[1, 1, 0, 0] = 1
        block[0, 1, 1:, 1:] = chain.onsite[x]
        sites = np.arange(m)
        block[2 + sites, 1, 0, 1 + sites] = 1
        block[2 + m + sites, 1, 1 + sites, 0] = 1
        if x < chain.slices - 1:
            coupling = chain.couple(x, np.eye(m))  # (site of x, site of x + 1)
            block[0, 2 : 2 + m, 1:, 0] = coupling.T
            block[0, 2 + m :, 0, 1:] = coupling.conj().T
        tensors.append(block)
    tensors[0] = tensors[0][0]
    tensors[-1] = tensors[-1][..., 1, :, :] if chain.slices == 1 else tensors[-1][:, 1]
    return MatrixProductOperator(tensors, shape="lrud")


def transfer_network(chain: TransferChain, energy: complex) -> TensorNetwork:
    """Return the product of transfer matrices, (u_n, u_{n-1}) = T_{n-1} ... T_0 (u_0, u_{-1}), one tensor a slice.

    Beyond the ends the coupling counts as 1. Indices run from `b0` to `b{slices}`. Its direct contraction overflows for
    long chains, so the engine never does it.
    """
    from quimb.tensor import Tensor, TensorNetwork

    _without_batch(chain)
    m, tensors = chain.m, []
    for x in range(chain.slices):
        forward = chain.couple(x, np.eye(m)) if x < chain.slices - 1 else np.eye(m)
        backward = chain.couple(x - 1, np.eye(m), back=True) if x > 0 else np.eye(m)
        rows = np.linalg.solve(forward, np.hstack([energy * np.eye(m) - chain.onsite[x], -backward]))
        block: Array = np.vstack([rows, np.hstack([np.eye(m), np.zeros((m, m))])])
        inds = (f"b{x + 1}", f"b{x}")
        tensors.append(Tensor(block, inds=inds, tags=("SLICE", f"SLICE{x}")))  # type: ignore[arg-type]
    return TensorNetwork(tensors)


def one_particle(vector: Array) -> Any:
    """Return sum_x,i u_x,i |particle on site i of slice x> as a quimb `MatrixProductState`; vector: (slice, m)."""
    from quimb.tensor import MatrixProductState

    slices, m = vector.shape
    tensors = []
    for x in range(slices):
        block = np.zeros((2, 2, 1 + m), vector.dtype)  # (left, right, state): no particle so far, or one
        block[0, 0, 0] = block[1, 1, 0] = 1
        block[0, 1, 1:] = vector[x]
        tensors.append(block)
    tensors[0] = tensors[0][0]
    tensors[-1] = tensors[-1][..., 1, :]
    return MatrixProductState(tensors, shape="lrp")


def _without_batch(chain: TransferChain) -> None:
    if chain.batch:
        raise InputError(f"a tensor network holds one realization, not a batch of shape {chain.batch}")
