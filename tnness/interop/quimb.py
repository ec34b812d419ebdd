"""States and generators converted to quimb, and states converted from it.

quimb takes a second to import, and is imported where it is first used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tnness.errors import InputError
from tnness.interop.fitting import canonical_state
from tnness.interop.transfer_network import operator_network
from tnness.network.chain_state import Array, ChainState
from tnness.operators.basis import LocalSpace
from tnness.problems.generator import ChainGenerator
from tnness.problems.transfer import TransferChain
from tnness.typed import checked

if TYPE_CHECKING:
    from quimb.tensor import MatrixProductOperator, MatrixProductState


@overload
def to_quimb(source: ChainState) -> MatrixProductState: ...
@overload
def to_quimb(source: ChainGenerator | TransferChain) -> MatrixProductOperator: ...
def to_quimb(source: ChainState | ChainGenerator | TransferChain) -> Any:
    """Return a state as a quimb `MatrixProductState`, or a generator or transfer chain as a `MatrixProductOperator`.

    The factor exp(log_norm) of a state is shared by its tensors. The operator's upper indices are its output, as
    `MatrixProductOperator.apply` and `to_dense` take it.

    >>> from tnness.network.chain_state import ChainState
    >>> to_quimb(ChainState.product([[0.5, 0.5]] * 3)).L
    3
    """
    from quimb.tensor import MatrixProductOperator, MatrixProductState

    source = checked("source", source, ChainState | ChainGenerator | TransferChain)
    if isinstance(source, ChainState):
        factor = source.dtype.type(math.exp(source.log_norm / source.n))
        return MatrixProductState(_without_ends([factor * t for t in source.tensors], 2), shape="lpr")
    if isinstance(source, TransferChain):
        return operator_network(source)
    return MatrixProductOperator(_without_ends(source.mpo_tensors(), 1), shape="lrud")


def from_quimb(mps: MatrixProductState, spaces: Sequence[LocalSpace] | None = None) -> ChainState:
    """Return a quimb `MatrixProductState` as a `ChainState`, canonical at site 0.

    Parameters
    ----------
    mps: a state with open ends.
    spaces: if given, the dimensions must be their levels d (amplitudes of a pure state) or the sizes D of their
        operator bases (a density matrix; the tensors are then made real).

    Raises
    ------
    InputError: a periodic state, dimensions that do not fit, or coefficients that are not real.
    """
    from quimb.tensor import MatrixProductState

    checked("mps", mps, MatrixProductState)
    spaces = checked("spaces", spaces, Sequence[LocalSpace] | None)
    if mps.cyclic:
        raise InputError("the quimb state is periodic; a chain has open ends")
    ordered = mps.copy()
    ordered.permute_arrays("lpr")
    arrays = [np.asarray(array) for array in ordered.arrays]
    last = len(arrays) - 1
    tensors = [
        a.reshape(1 if i == 0 else a.shape[0], -1, 1 if i == last else a.shape[-1]) for i, a in enumerate(arrays)
    ]
    return canonical_state(tensors, float(mps.exponent) * math.log(10), spaces)


def _without_ends(tensors: Sequence[Array], last_bond: int) -> list[Array]:
    """Drop the outer bonds, of size 1: the first tensor's left (axis 0), the last one's right (axis `last_bond`)."""
    inner = list(tensors)
    inner[-1] = inner[-1].squeeze(axis=last_bond)
    inner[0] = inner[0].squeeze(axis=0)
    return inner
