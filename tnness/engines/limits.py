"""The limit on the size of a dense state, checked before memory is allocated."""

from __future__ import annotations

import math
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
