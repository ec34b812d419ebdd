"""Block elimination: (z - H - Sigma) u = b solved slice by slice, for many right-hand sides and batches at once.

From right to left, the elimination gives the response g_x of slice x together with all slices to its right,

    g_x = (A_x - C_x g_{x+1} C_x^+)^-1,     u_x = g_x (b_x + C_x r_{x+1} + C_{x-1}^+ u_{x-1}),

where A_x = z - H_x (with the self-energies of the leads), and r_x = g_x (b_x + C_x r_{x+1}) collects the sources from
slice x on. Every g_x is a physical response and stays bounded. A product of transfer matrices would solve the same
equation, but it grows until it overflows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import get_lapack_funcs

from tnness.errors import NumericalError
from tnness.problems.transfer import FixedValues, Lead, TransferChain

Array = NDArray[Any]


@lru_cache(maxsize=8)
def _lapack(kind: str) -> tuple[Any, Any]:
    """Return getrf and getri for a type; looking them up takes as long as a small factorisation."""
    functions: Any = get_lapack_funcs(("getrf", "getri"), dtype=np.dtype(kind))
    return functions[0], functions[1]


class Elimination:
    """The chain's operator z - H - Sigma(z), eliminated once; then solved for any right-hand side.

    Parameters
    ----------
    chain: the problem. energy: z, a number or an array over the chain's batch axes.
    boundary: energy at which the leads' self-energies are taken; None for `energy`.
    """

    def __init__(self, chain: TransferChain, energy: ArrayLike = 0.0, boundary: ArrayLike | None = None) -> None:
        self.chain = chain
        self.energy = np.asarray(energy)
        at = self.energy if boundary is None else np.asarray(boundary)
        self.ends: list[Array | None] = [_self_energy(chain.left, at), None]
        self.ends[1] = self.ends[0] if chain.right is chain.left else _self_energy(chain.right, at)
        self.responses: list[Array] = [np.empty(0)] * chain.slices
        beyond = None
        for x in reversed(range(chain.slices)):
            block = self._block(x)
            if beyond is not None:
                block = block - _sandwich(chain, x, beyond)
            beyond = self.responses[x] = inverse(block)

    def _block(self, x: int) -> Array:
        """Return z - H_x, with the self-energies at the ends."""
        onsite = self.chain.onsite[..., x, :, :]
        sites = np.arange(self.chain.m)
        shape = np.broadcast_shapes(onsite.shape, (*self.energy.shape, 1, 1))
        block = np.empty(shape, np.result_type(onsite, self.energy))
        np.negative(onsite, out=block)
        block[..., sites, sites] += self.energy[..., None]
        if x == 0 and self.ends[0] is not None:
            block = block - self.ends[0]
        if x == self.chain.slices - 1 and self.ends[1] is not None:
            block = block - self.ends[1]
        return block

    def solve(self, source: Array) -> Array:
        """Return u of (z - H - Sigma) u = source, both (slice, ..., m, columns)."""
        chain, last = self.chain, self.chain.slices - 1
        solution = np.empty(source.shape, np.result_type(source, self.responses[0]))
        solution[last] = self.responses[last] @ source[last]
        for x in reversed(range(last)):
            solution[x] = self.responses[x] @ (source[x] + chain.couple(x, solution[x + 1]))
        for x in range(last):
            solution[x + 1] += self.responses[x + 1] @ chain.couple(x, solution[x], back=True)
        return solution

    def columns(self, left: Array, right: Array, out: Array | None = None) -> Array:
        """Return G applied to columns on the first slice and to columns on the last: (slice, ..., m, left + right).

        Zeros of the source are skipped. out: an array for the result, used if it has the right shape and type.
        """
        chain, last, split = self.chain, self.chain.slices - 1, left.shape[-1]
        first = self.responses[last] @ right
        shape = (chain.slices, *first.shape[:-1], split + right.shape[-1])
        kind = np.result_type(left, right, self.responses[0])
        solution = out if out is not None and (out.shape, out.dtype) == (shape, kind) else np.empty(shape, kind)
        solution[last, ..., split:] = first
        for x in reversed(range(last)):
            first = self.responses[x] @ chain.couple(x, first)
            solution[x, ..., split:] = first
        solution[0, ..., :split] = self.responses[0] @ left
        for x in range(last):
            solution[x + 1, ..., :split] = 0
            solution[x + 1] += self.responses[x + 1] @ chain.couple(x, solution[x], back=True)
        return solution


def _self_energy(end: Lead | FixedValues | None, energy: Array) -> Array | None:
    return end.self_energy(energy) if isinstance(end, Lead) else None


def _sandwich(chain: TransferChain, bond: int, response: Array) -> Array:
    """Return C g C^+."""
    if chain.unit_coupling:
        return response
    if not chain.diagonal_coupling:
        block = chain.coupling[..., bond, :, :]
        return block @ response @ block.conj().swapaxes(-1, -2)
    block = chain.coupling[..., bond, :]
    return block[..., :, None] * response * block.conj()[..., None, :]


def inverse(block: Array) -> Array:
    """Return the inverse of blocks (..., m, m).

    A single block is inverted by LAPACK's getrf and getri, in 2 m^3 flops; a solve takes 8/3 m^3.

    Raises
    ------
    NumericalError: a block is exactly singular.
    """
    if block.shape[-1] == 1:
        if not np.all(block):
            raise NumericalError("a slice's response is singular: the energy is an eigenvalue of part of the chain")
        return 1 / block
    if block.ndim == 2:
        getrf, getri = _lapack(block.dtype.char)
        # The transpose of a C-ordered block is LAPACK's order, and the inverse of the transpose comes back transposed.
        factors, pivots, info = getrf(block.T, overwrite_a=True)
        if info == 0:
            inverted, info = getri(factors, pivots, lwork=64 * len(block), overwrite_lu=True)
            if info == 0:
                return inverted.T
        raise NumericalError("a slice's response is singular: the energy is an eigenvalue of part of the chain")
    try:
        return np.linalg.inv(block)
    except np.linalg.LinAlgError as error:
        raise NumericalError("a slice's response is singular in one member of the batch") from error
