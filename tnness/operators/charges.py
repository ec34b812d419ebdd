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
    unitaries: for each site the unitary (D_i, D_i) that turns coefficients of the real basis into those of the basis
        states of definite charge. The complex conjugate of a basis state must be a basis state. Default: the real
        basis states have definite charges themselves.

    >>> parity = Charges([[[0], [1]]] * 4, [2])
    >>> parity.fuse(np.array([[1]]), parity.sites[0]).ravel()
    array([1, 0])
    """

    def __init__(
        self, sites: Sequence[ArrayLike], moduli: Sequence[int], unitaries: Sequence[ArrayLike] | None = None
    ) -> None:
        self.moduli = np.array([m if m else np.iinfo(np.int64).max for m in moduli], np.int64)
        self.sites = tuple(np.asarray(labels, np.int64).reshape(-1, len(moduli)) for labels in sites)
        self.unitaries = None if unitaries is None else tuple(np.asarray(u, complex) for u in unitaries)
        self._finite = tuple(int(m) for m in moduli)
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

    def basis(self, site: int) -> NDArray[np.complex128]:
        """Return the unitary of a site: (D_i, D_i)."""
        return np.eye(len(self.sites[site]), dtype=complex) if self.unitaries is None else self.unitaries[site]

    def neutral(self, site: int) -> NDArray[np.float64]:
        """Return the projection of a site's coefficients, in the real basis, on charge 0: (D_i, D_i)."""
        kept = self.basis(site)[(self.sites[site] == 0).all(axis=1)]
        return np.ascontiguousarray((kept.conj().T @ kept).real)

    def partners(self, site: int) -> tuple[int, ...]:
        """Return for each basis state of a site the one that is its complex conjugate."""
        basis = self.basis(site)
        return tuple(np.abs(basis.conj() @ basis.conj().T).argmax(axis=1).tolist()) if len(basis) else ()

    def conjugate(self, charge: Sequence[int]) -> tuple[int, ...]:
        """Return the charge of the complex conjugate: -q for bases of complex states, else q itself."""
        if self.unitaries is None:
            return tuple(charge)
        return tuple(-q % m if m else -q for q, m in zip(charge, self._finite, strict=True))

    def add(self, first: Sequence[int], second: Sequence[int], sign: int = 1) -> tuple[int, ...]:
        """Return the sum (or difference) of two charges."""
        total = (a + sign * b for a, b in zip(first, second, strict=True))
        return tuple(q % m if m else q for q, m in zip(total, self._finite, strict=True))

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
        leak = self.leak(site_terms, bond_terms)
        if leak is not None:
            raise ModelError(f"the term of {leak[0]} changes a charge that is said to be conserved (by {leak[1]:.1e})")

    def leak(
        self, site_terms: Sequence[ArrayLike], bond_terms: Sequence[ArrayLike], tolerance: float = 1e-12
    ) -> tuple[str, float] | None:
        """Return the first place whose term changes a charge, and the largest element that does; None if there is none.

        tolerance: the largest element, relative to the term's own, that counts as round-off.
        """
        clean: set[tuple[bytes, ...]] = set()
        for kind, terms in (("site", site_terms), ("bond", bond_terms)):
            for i, given in enumerate(terms):
                matrix = np.asarray(given)
                sites = (i, i + 1) if kind == "bond" else (i,)
                key = matrix.tobytes(), *(self.sites[j].tobytes() + self.basis(j).tobytes() for j in sites)
                if key in clean:
                    continue
                leak = self._leak(matrix, i, kind == "bond")
                if leak > tolerance * max(1.0, float(np.abs(matrix).max(initial=0.0))):
                    return f"{kind} {i}", leak
                clean.add(key)
        return None

    def _leak(self, matrix: NDArray[np.float64], i: int, bond: bool) -> float:
        codes = self.codes(self.fuse(self.sites[i], self.sites[i + 1]) if bond else self.sites[i])
        if self.unitaries is not None:
            turn = np.kron(*self.unitaries[i : i + 2]) if bond else self.unitaries[i]
            matrix = turn @ matrix @ turn.conj().T
        return float(np.abs(matrix[codes[:, None] != codes[None, :]]).max(initial=0.0))
