"""What a state needs of the machine's memory, and the limit on a dense one, known before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from tnness.errors import InputError
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.need import Need, network_need

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


FILLED = 0.1
"""Share of the tensors of a state in blocks of conserved charges that is filled, at least."""


def need_of_network(problem: Any, chi: int, dtype: str, in_blocks: bool = False) -> Need | None:
    """Return the need of a matrix-product state of a problem, and of the matrices of its bonds.

    Parameters
    ----------
    problem: a chain or a circuit; of another problem the need is not known. chi: largest bond dimension.
    dtype: of the tensors. in_blocks: whether they may be kept in blocks.
    """
    spaces = getattr(problem, "spaces", ())
    if not spaces:
        return None
    need = network_need([space.dim for space in spaces], chi, np.dtype(dtype).itemsize, FILLED if in_blocks else 1.0)
    return replace(need, bytes=need.bytes + _bonds(problem))


def _bonds(problem: Any) -> float:
    """Return the bytes of the matrices of a Lindbladian's bonds."""
    if not isinstance(problem, Lindbladian):
        return 0.0
    pairs = pairwise(problem.spaces)
    return 8.0 * sum((a.dim * b.dim) ** 2 for i, (a, b) in enumerate(pairs) if not problem.is_pair_large(i))


def need_of_correlations(problem: Any) -> Need | None:
    """Return the need of complex matrices of all pairs of sites: two for a circuit, four for an equation."""
    n, matrices = len(getattr(problem, "spaces", ())), 4 if isinstance(problem, Lindbladian) else 2
    return Need(16.0 * matrices * n**2, f"a correlation matrix of {n} sites") if n else None
