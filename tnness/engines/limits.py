"""The limit on the size of a dense state, checked before memory is allocated."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from tnness.errors import InputError

MOST_COEFFICIENTS = 1_100_000
"""Largest dimension of a state that is stored as a dense vector."""


def check_dense(dims: Sequence[int]) -> None:
    """Raise `InputError` if the dense state vector of a chain is too large.

    dims: the dimension of each site's vector space.
    """
    dimension = math.prod(dims)
    if dimension > MOST_COEFFICIENTS:
        raise InputError(
            f"engine 'exact' takes up to {MOST_COEFFICIENTS:,} dimensions, this chain has "
            f"10^{math.log10(dimension):.1f}: use 'tebd'"
        )


def check_ket(levels: Sequence[int]) -> None:
    """Raise `InputError` if a dense vector of amplitudes is too large to be split into a matrix-product state."""
    if math.prod(levels) > MOST_COEFFICIENTS:
        raise InputError(
            f"a dense vector may have {MOST_COEFFICIENTS:,} amplitudes, this one has "
            f"10^{math.log10(math.prod(levels)):.1f}: give a matrix-product state"
        )


COPIES = 5
"""Matrices of two sites that a split holds at once."""


def check_network(dims: Sequence[int], chi: int, itemsize: int = 8) -> None:
    """Raise `InputError` if the two-site tensors of a matrix-product state do not fit into the memory of the machine.

    dims: the dimension of each site's vector space. chi: largest bond dimension. itemsize: bytes of a number.
    """
    edges, largest = [1, *_bonds(dims, chi), 1], 0
    for i in range(len(dims) - 1):
        largest = max(largest, edges[i] * dims[i] * dims[i + 1] * edges[i + 2])
    needed, there = COPIES * itemsize * largest, memory()
    if needed > there:
        raise InputError(
            f"chi = {chi} on sites of up to {max(dims)} dimensions needs some {needed / 1e9:.3g} GB, this machine has "
            f"{there / 1e9:.3g}: lower chi or the cutoff"
        )


def _bonds(dims: Sequence[int], chi: int) -> list[int]:
    """Return the largest sizes of the inner bonds."""
    left, right = [1], [1]
    for dim in dims[:-1]:
        left.append(min(chi, left[-1] * dim))
    for dim in dims[:0:-1]:
        right.append(min(chi, right[-1] * dim))
    return [min(a, b) for a, b in zip(left[1:], right[:0:-1], strict=True)]


def memory() -> float:
    """Return the bytes of the machine's memory; infinite where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return math.inf
