"""How large a system is taken before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tnness.errors import InputError

MOST_COEFFICIENTS = 1_100_000
"""Largest dimension of a vector that is held whole."""


def check_dense(dims: Sequence[int]) -> None:
    """Refuse a chain whose vector cannot be held whole.

    dims: the dimension of each site's vector space.
    """
    dimension = math.prod(dims)
    if dimension > MOST_COEFFICIENTS:
        raise InputError(
            f"engine 'exact' takes up to {MOST_COEFFICIENTS:,} dimensions, this chain has "
            f"10^{math.log10(dimension):.1f}: use 'tebd'"
        )
