"""Local charges: integers that a chain's generator conserves, exactly or modulo a number.

A state of definite total charge keeps it, and every two-site matrix of its network is block-diagonal. Engines split the
blocks one by one, which is faster and never mixes different charges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.errors import ModelError

Labels = NDArray[np.int64]


class Charges:
    """Charges of the basis states of every site.

    Parameters
    ----------
    sites: for each of the n sites the charges of its D_i basis states: (D_i, C) integers.
    moduli: for each charge the number m modulo which it is conserved, or 0 if it is conserved exactly: (C,).

    >>> parity = Charges([[[0], [1]]] * 4, [2])
    >>> parity.fuse(np.array([[1]]), parity.sites[0]).ravel()
    array([1, 0])
    """

    def __init__(self, sites: Sequence[ArrayLike], moduli: Sequence[int]) -> None:
        self.moduli = np.array([m if m else np.iinfo(np.int64).max for m in moduli], np.int64)
        self.sites = tuple(np.asarray(labels, np.int64).reshape(-1, len(moduli)) for labels in sites)
        self._radix = np.array([m if m else 2 ** (62 // max(1, len(moduli))) for m in moduli], np.int64)

    def fuse(self, left: Labels, right: Labels, sign: int = 1) -> Labels:
        """Return the sums (or differences) of all pairs of charges, left major: (l r, C)."""
        total = (left[:, None, :] + sign * right[None, :, :]).reshape(-1, left.shape[1])
        finite = self.moduli < np.iinfo(np.int64).max
        total[:, finite] %= self.moduli[finite]
        return total

    def codes(self, labels: Labels) -> Labels:
        """Return one integer per charge, equal for equal charges: (k,)."""
        code = np.zeros(len(labels), np.int64)
        for column, radix in zip(labels.T, self._radix, strict=True):
            code = code * radix + column
        return code

    def check(self, dims: Sequence[int], site_terms: Sequence[ArrayLike], bond_terms: Sequence[ArrayLike]) -> None:
        """Refuse charges that do not fit the sites, or a term that changes them.

        Raises
        ------
        ModelError: the charges do not fit, or a term changes one; the text names the place.
        """
        if [len(labels) for labels in self.sites] != list(dims):
            raise ModelError(
                f"charges are needed for D = {tuple(dims)} basis states a site, got {[len(s) for s in self.sites]}"
            )
        places = [(f"site {i}", matrix, self.sites[i]) for i, matrix in enumerate(site_terms)]
        places += [
            (f"bond {i}", matrix, self.fuse(self.sites[i], self.sites[i + 1])) for i, matrix in enumerate(bond_terms)
        ]
        for place, given, labels in places:
            matrix, codes = np.asarray(given), self.codes(labels)
            leak = np.abs(matrix[codes[:, None] != codes[None, :]]).max(initial=0.0)
            if leak > 1e-12 * max(1.0, float(np.abs(matrix).max(initial=0.0))):
                raise ModelError(f"the term of {place} changes a charge that is said to be conserved (by {leak:.1e})")
