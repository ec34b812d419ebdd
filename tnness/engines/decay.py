"""Decay on a chain without leads: u(t) = exp(-H t) u(0), all times and realisations from one diagonalisation each."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.problems.transfer import TransferChain

Real = NDArray[np.float64]


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
        self.modes = [scipy.linalg.eigh_tridiagonal(d, c) for d, c in zip(diagonals, couplings, strict=True)]
        self.weights = [vectors.T @ start for (_, vectors), start in zip(self.modes, source, strict=True)]

    def at(self, time: float) -> Real:
        """Return u(t): (..., slice). Rates below round-off, 1e-16 of the largest, cannot be told from zero."""
        found = [
            vectors @ (np.exp(-np.maximum(rates, 0) * time) * weight)
            for (rates, vectors), weight in zip(self.modes, self.weights, strict=True)
        ]
        return np.array(found, dtype=float).reshape(*self.batch, self.n)
