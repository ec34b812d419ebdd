"""The base class of views that contract covectors of the sites with the coefficients of a state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import ModelError
from tnness.observables.views import Sites, View
from tnness.operators.basis import LocalSpace, density_matrix
from tnness.operators.terms import Operator

Array = NDArray[Any]


class ProductView(View, ABC):
    """A view that reads everything by contracting covectors of the sites.

    Parameters
    ----------
    spaces: local space of each site.
    functionals: the problem's product functionals, `trace` among them.
    """

    def __init__(self, spaces: Sequence[LocalSpace], functionals: Mapping[str, Sequence[Array]]) -> None:
        super().__init__(spaces)
        self.functionals = functionals
        self._pairs: dict[int, Array] = {}

    @abstractmethod
    def window(self, start: int, stop: int) -> Array:
        """Return the trace-normalised coefficients of sites start..stop-1, the others traced out: (D, ..., D)."""

    @abstractmethod
    def contract(self, covectors: Mapping[int, Array]) -> complex:
        """Return the chain contracted with covectors on the given sites and the trace elsewhere, over the trace."""

    def expect(self, operator: Operator) -> float:
        """Return <O>, real part."""
        self._check_sites(operator)
        near, far = _compiled(operator, self.spaces)
        value: complex = sum(complex(np.vdot(covector, self.pair(bond))) for bond, covector in near)
        value += sum(coefficient * self.contract(covectors) for coefficient, covectors in far)
        return float(value.real)

    def product(self, matrices: Mapping[int, Array]) -> complex:
        """Return <M_i M_j ...> of one matrix (d, d) per site."""
        return complex(self.contract({site: self._covector(site, matrix) for site, matrix in matrices.items()}))

    def pair(self, bond: int) -> Array:
        """Return the coefficients of sites bond and bond + 1, contracted once and shared: (D, D)."""
        if bond not in self._pairs:
            self._pairs[bond] = self.window(bond, bond + 2)
        return self._pairs[bond]

    def marginal(self, sites: Sites) -> Array:
        """Return the density matrix of consecutive sites, or the probabilities of their levels.

        Raises
        ------
        InputError: no site, or one that does not exist. Unavailable: sites that are not consecutive and ascending.
        """
        region = self._marginal_region(sites)
        start, stop = region[0], region[-1] + 1
        coefficients = self.pair(start) if stop - start == 2 else self.window(start, stop)
        spaces = self.spaces[start:stop]
        if all(space.quantum for space in spaces):
            return density_matrix(coefficients, spaces)
        for space in spaces:  # the first axis becomes the last
            coefficients = np.tensordot(coefficients, space.populations, (0, 1))
        return coefficients.reshape(-1)

    def _covector(self, site: int, matrix: Array) -> Array:
        return _covector(self.spaces, site, matrix)


Near = tuple[tuple[int, Array], ...]
Far = tuple[tuple[complex, dict[int, Array]], ...]


@lru_cache(maxsize=4096)
def _compiled(operator: Operator, spaces: tuple[LocalSpace, ...]) -> tuple[Near, Far]:
    """Split an operator into one covector per bond (conjugated, for `vdot`) and products that reach further.

    The result is cached: an observable is measured thousands of times.
    """
    parities = {site: space.parity for site, space in enumerate(spaces)}
    near: dict[int, Array] = {}
    far = []
    for term in operator:
        covectors = {site: _covector(spaces, site, matrix) for site, matrix in term.matrices(parities).items()}
        sites = sorted(covectors) or [0]
        if sites[-1] - sites[0] > 1:
            far.append((term.coefficient, covectors))
            continue
        bond = min(sites[0], len(spaces) - 2)
        left, right = (covectors.get(site, spaces[site].trace) for site in (bond, bond + 1))
        near[bond] = near.get(bond, 0.0) + np.conj(term.coefficient * np.outer(left, right))
    return tuple(near.items()), tuple(far)


def _covector(spaces: Sequence[LocalSpace], site: int, matrix: Array) -> Array:
    if matrix.shape[0] != spaces[site].levels:
        raise ModelError(
            f"an observable uses a {len(matrix)}-level operator on site {site}, which has {spaces[site].levels} levels"
        )
    vector = spaces[site].covector(matrix)
    return vector.real if not vector.imag.any() else vector
