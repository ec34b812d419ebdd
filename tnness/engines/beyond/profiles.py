"""What decays in a mode: the density of each site in its right vector, and the part of the left vector in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.beyond.modes import DENSITIES, profile
from tnness.network.chain_state import ChainState, product_overlap
from tnness.operators.basis import LocalSpace
from tnness.problems.generator import ChainGenerator

Array = NDArray[Any]
Real = NDArray[np.float64]


@lru_cache(maxsize=64)
def density_covectors(spaces: tuple[LocalSpace, ...]) -> tuple[Real, ...] | None:
    """Return the covector of each site's density, without the part along the trace; None where there is none."""
    name = next((name for name in DENSITIES if all(name in space.operators for space in spaces)), None)
    if name is None:
        return None
    covectors = []
    for space in spaces:
        covector = space.covector(space.operators[name].matrix).real
        covectors.append(covector - space.trace * (covector @ space.trace) / (space.trace @ space.trace))
    return tuple(covectors)


def _read(vector: Array | ChainState, others: Sequence[Real], generator: ChainGenerator) -> Real:
    """Return <q_i x prod_(j != i) w_j | v>, w the covectors elsewhere, for a tensor (D, ..., D) or a network: (n,)."""
    densities = density_covectors(generator.spaces)
    if densities is None:
        return np.full(generator.n, np.nan)
    found = []
    for site, density in enumerate(densities):
        covectors = [density if i == site else other for i, other in enumerate(others)]
        if isinstance(vector, ChainState):
            mantissa, logarithm = product_overlap(vector, covectors)
            found.append(mantissa * np.exp(logarithm))
        else:
            rest = vector
            for covector in reversed(covectors):
                rest = rest @ covector
            found.append(rest)
    return profile(np.array(found))


def right_profile(vector: Array | ChainState, generator: ChainGenerator) -> Real:
    """Return the density of each site in a right vector, the others traced out; its largest element is 1."""
    return _read(vector, generator.functionals["trace"], generator)


def left_profile(vector: Array | ChainState, generator: ChainGenerator) -> Real:
    """Return the part of a left vector in the density of each site; its largest element is 1."""
    return _read(vector, generator.functionals["trace"], generator)
