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
from tnness.operators.basis import LocalSpace, density_matrix, oddness
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

    def coefficients_of(self, sites: Sequence[int]) -> Array:
        """Return the trace-normalised coefficients of any ascending sites, the others traced out: (D, D', ...)."""
        start, stop = sites[0], sites[-1] + 1
        block = self.pair(start) if stop - start == 2 else self.window(start, stop)
        for site in reversed(range(start, stop)):
            if site not in sites:
                block = np.tensordot(block, self.functionals["trace"][site], (site - start, 0))
        return block

    @abstractmethod
    def contract(self, covectors: Mapping[int, Array]) -> complex:
        """Return the chain contracted with covectors on the given sites and the trace elsewhere, over the trace."""

    def expect(self, operator: Operator) -> float | complex:
        """Return <O>: a real number for a Hermitian O, a complex one for another."""
        self._check_sites(operator)
        near, far = _compiled(operator, self.spaces)
        value: complex = sum(complex(np.vdot(covector, self.pair(bond))) for bond, covector in near)
        value += sum(coefficient * self.contract(covectors) for coefficient, covectors in far)
        return self._read(operator, value)

    def product(self, matrices: Mapping[int, Array]) -> complex:
        """Return <M_i M_j ...> of one matrix (d, d) per site."""
        return complex(sum(sign * self.contract(part) for sign, part in _without_strings(matrices, self.spaces)))

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
            if any(space.graded for space in spaces):  # truncation may have made odd parts, which no state has
                coefficients = np.where(oddness(spaces).reshape(coefficients.shape), 0, coefficients)
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
    near: dict[int, Array] = {}
    far = []
    for coefficient, covectors in covectors_of(operator, spaces):
        sites = sorted(covectors) or [0]
        if sites[-1] - sites[0] > 1 or len(spaces) == 1:
            far.append((coefficient, covectors))
            continue
        bond = min(sites[0], len(spaces) - 2)
        left, right = (covectors.get(site, spaces[site].trace) for site in (bond, bond + 1))
        near[bond] = near.get(bond, 0.0) + np.conj(coefficient * np.outer(left, right))
    return tuple(near.items()), tuple(far)


def covectors_of(operator: Operator, spaces: tuple[LocalSpace, ...]) -> list[tuple[complex, dict[int, Array]]]:
    """Return an operator as a sum of products of covectors: coefficients, and covectors by site (elsewhere the trace).

    Odd terms are left out: no state has an odd part.
    """
    products = []
    for term in operator:
        coefficient, matrices, odd = term.graded()
        if len(odd) % 2 == 0:
            covectors = {site: _covector(spaces, site, matrix) for site, matrix in matrices.items()}
            products.append((_reordered(len(odd)) * coefficient, covectors))
    return products


def _reordered(odd: int) -> int:
    """Return the sign of o_1 .. o_m E_1 .. E_m = +- (o_1 E_1) .. (o_m E_m) for m odd operators and elements."""
    return -1 if odd * (odd - 1) // 2 % 2 else 1


def _without_strings(matrices: Mapping[int, Array], spaces: Sequence[LocalSpace]) -> list[tuple[int, dict[int, Array]]]:
    """Return a tensor product of matrices, strings written out, as signed products of covectors of the graded basis."""
    products: list[tuple[int, dict[int, Array]]] = [(0, {})]
    inner = [site for site in range(max(matrices, default=-1) + 1) if site in matrices or spaces[site].graded]
    for site in reversed(inner):
        space, given, longer = spaces[site], np.asarray(matrices.get(site, np.eye(spaces[site].levels))), []
        for odd, covectors in products:
            if space.parity is None:
                longer.append((odd, covectors | {site: _covector(spaces, site, given)}))
                continue
            turned = space.parity @ given @ space.parity
            for is_odd, part in enumerate(((given + turned) / 2, (given - turned) / 2)):
                if not part.any() or (site not in matrices and odd % 2 == 0):
                    longer += [(odd, covectors)] if is_odd == 0 and part.any() else []
                    continue
                own = part @ space.parity if odd % 2 else part
                longer.append((odd + is_odd, covectors | {site: _covector(spaces, site, own)}))
        products = longer
    return [(_reordered(odd), covectors) for odd, covectors in products if odd % 2 == 0]


def _covector(spaces: Sequence[LocalSpace], site: int, matrix: Array) -> Array:
    if matrix.shape[0] != spaces[site].levels:
        raise ModelError(
            f"an observable uses a {len(matrix)}-level operator on site {site}, which has {spaces[site].levels} levels"
        )
    vector = spaces[site].covector(matrix)
    return vector.real if not vector.imag.any() else vector
