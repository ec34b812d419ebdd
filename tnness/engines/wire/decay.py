"""Decay on a chain without leads: u(t) = exp(-H t) u(0), all times and realizations from one diagonalisation each."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.problems.transfer import TransferChain

Real = NDArray[np.float64]

ROUND_OFF = 1e-14
"""Rates below this share of the largest are set to zero, so that a closed network conserves its total exactly."""


class Decay:
    """The modes of a real symmetric chain of single sites, and the weight of the source in them.

    Raises
    ------
    InputError: a chain with leads, with wide slices, complex, or without a source.
    """

    def __init__(self, chain: TransferChain) -> None:
        if chain.m != 1 or chain.left is not None or chain.right is not None or chain.source is None:
            raise InputError("a decay needs a chain of single sites with open ends and an initial source")
        if np.iscomplexobj(chain.onsite) or np.iscomplexobj(chain.coupling):
            raise InputError("a decay needs a real chain")
        n = chain.slices
        diagonals = chain.onsite.reshape(-1, n)
        couplings = chain.coupling.reshape(len(diagonals), n - 1)
        source = np.broadcast_to(chain.source, (*chain.batch, n, 1)).reshape(-1, n)
        self.batch, self.n = chain.batch, n
        self.modes = [_modes(d, c) for d, c in zip(diagonals, couplings, strict=True)]
        self.weights = [vectors.T @ start for (_, vectors), start in zip(self.modes, source, strict=True)]

    def at(self, time: float) -> Real:
        """Return u(t): (..., slice)."""
        decayed = [
            vectors @ (np.exp(-rates * time) * weight)
            for (rates, vectors), weight in zip(self.modes, self.weights, strict=True)
        ]
        return np.array(decayed, dtype=float).reshape(*self.batch, self.n)


def _modes(diagonal: Real, coupling: Real) -> tuple[Real, Real]:
    """Return rates and modes (slice, mode); rates that are round-off of the largest are zero."""
    rates, vectors = scipy.linalg.eigh_tridiagonal(diagonal, coupling)
    rates = np.where(np.abs(rates) < ROUND_OFF * np.abs(rates).max(), 0, rates)
    return np.asarray(rates, float), np.asarray(vectors, float)
