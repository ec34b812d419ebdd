"""Matrices on a few sites of a chain that are no neighbours, applied to dense vectors.

With fermions a matrix is written as if no site lay between its sites. What changes the parity of the sites to the right
of a gap takes the sign (-1)^p of the gap: F_1 F_gap F_2 = (-1)^(p_gap p_2) F_1 F_2 F_gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from tnness.operators.basis import LocalSpace, oddness

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TermPart:
    """A matrix on some sites, with a sign on others.

    Parameters
    ----------
    sites: where it acts, ascending. block: (prod D, prod D), first site major.
    signs: for each site that has them, +-1 for each of its basis elements: (D,).
    """

    sites: tuple[int, ...]
    block: Real
    signs: dict[int, Real]

    def transposed(self) -> TermPart:
        """Return the transpose."""
        return replace(self, block=np.ascontiguousarray(self.block.T))

    def apply(self, vector: Real, dims: Sequence[int]) -> Real:
        """Return its product with a vector (prod D,) or columns (prod D, columns)."""
        tensor = vector.reshape(*dims, -1)
        for site, sign in self.signs.items():
            tensor = tensor * sign.reshape(-1, *(1,) * (len(dims) - site))
        front = range(len(self.sites))
        moved = np.moveaxis(tensor, self.sites, front)
        image = (self.block @ moved.reshape(len(self.block), -1)).reshape(moved.shape)
        return np.moveaxis(image, front, self.sites).reshape(vector.shape)

    def matrix(self, dims: Sequence[int]) -> sparse.csr_array:
        """Return it on the whole chain as a sparse matrix (prod D, prod D)."""
        numbers = np.moveaxis(np.arange(math.prod(dims)).reshape(dims), self.sites, range(len(self.sites)))
        numbers = numbers.reshape(len(self.block), -1)  # (block, rest)
        signs = np.ones(dims)
        for site, sign in self.signs.items():
            signs = signs * sign.reshape(-1, *(1,) * (len(dims) - site - 1))
        signs = np.moveaxis(signs, self.sites, range(len(self.sites))).reshape(len(self.block), -1)
        rows, columns = np.nonzero(self.block)
        values = self.block[rows, columns][:, None] * signs[columns]
        places = numbers[rows].ravel(), numbers[columns].ravel()
        size = math.prod(dims)
        return sparse.csr_array((values.ravel(), places), shape=(size, size))


def parts_of(sites: tuple[int, ...], matrix: Real, spaces: Sequence[LocalSpace]) -> list[TermPart]:
    """Return a matrix on some sites of a chain as parts, each with the signs of the gaps between the sites."""
    gaps = [
        (k, [site for site in range(left + 1, right) if spaces[site].graded])
        for k, (left, right) in enumerate(pairwise(sites), 1)
    ]
    gaps = [(k, between) for k, between in gaps if between]
    parts = []
    changes = [_changes([spaces[site] for site in sites], k) for k, _ in gaps]
    for chosen in product((False, True), repeat=len(gaps)):
        block = matrix
        for change, is_changed in zip(changes, chosen, strict=True):
            block = np.where(change == is_changed, block, 0.0)
        if block.any():
            strung = [
                site for (_, between), is_changed in zip(gaps, chosen, strict=True) if is_changed for site in between
            ]
            parts.append(TermPart(sites, block, {site: spaces[site].signs for site in strung}))
    return parts


def _changes(spaces: Sequence[LocalSpace], start: int) -> NDArray[np.bool_]:
    """Return True for the elements of a matrix that change the parity of the sites from number `start` on."""
    before = math.prod(space.dim for space in spaces[:start])
    odd = np.tile(oddness(spaces[start:]), before)
    return odd[:, None] != odd
