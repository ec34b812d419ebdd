"""What can be read from a correlation matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.basis import LocalSpace
from tnness.engines.fermions import entropy as gaussian_entropy
from tnness.engines.fermions.quadratic import NotQuadratic, bilinear
from tnness.errors import ModelError, Unavailable
from tnness.terms import LocalOperator, Operator

Matrix = NDArray[Any]
Vector = NDArray[np.float64]


class GaussianView:
    """A view of G_ij = <c^+_i c_j>; the observables that need more raise `Unavailable`.

    Parameters
    ----------
    correlation: G (n, n). spaces: of the sites.
    gaussian: whether the state is Gaussian, so that Wick's theorem holds; with dephasing only G itself is known.
    excitation: (site, densities (n,)) of a single particle that started on the site, where the engine knows it.
    """

    def __init__(
        self,
        correlation: Matrix,
        spaces: Sequence[LocalSpace],
        gaussian: bool = True,
        excitation: tuple[int, Vector] | None = None,
    ) -> None:
        self.correlation, self.spaces, self.gaussian = correlation, tuple(spaces), gaussian
        self._excitation = excitation
        self._spectra: dict[tuple[int, ...], Vector] = {}

    def expect(self, operator: Operator) -> float:
        """Return <O>, real part, of densities, hops between neighbours and, in Gaussian states, density pairs."""
        if operator.sites and operator.sites[-1] >= len(self.spaces):
            raise ModelError(
                f"an observable reads site {operator.sites[-1]}; the chain has sites 0 to {len(self.spaces) - 1}"
            )
        try:
            form = bilinear(operator, self.spaces)
        except NotQuadratic as error:
            raise Unavailable(str(error)) from error
        value = form.constant + form.coefficients @ self.correlation[form.rows, form.columns]
        for weight, i, j in form.pairs:
            value += weight * self._density_pairs()[i, j]
        return float(value.real)

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Vector:
        """Return <A_i B_j> of two diagonal operators for all pairs, by Wick's theorem: (n, n)."""
        known = [[bilinear(o(i), self.spaces) for i in range(len(self.spaces))] for o in (first, second)]
        if any(np.any(form.rows != form.columns) for forms in known for form in forms):
            raise Unavailable("correlations of operators that are not diagonal")
        constants = [np.array([form.constant.real for form in forms]) for forms in known]
        slopes = [np.array([form.coefficients.real.sum() for form in forms]) for forms in known]
        density = np.real(np.diag(self.correlation))
        return (
            np.outer(*constants)
            + np.outer(slopes[0] * density, constants[1])
            + np.outer(constants[0], slopes[1] * density)
            + np.outer(*slopes) * self._density_pairs()
        )

    def entropy(self, sites: Sequence[int] | slice | None = None) -> float:
        """Return the von Neumann entropy of some sites (default: all), in nats."""
        return float(gaussian_entropy.entropy_of(self._occupations(sites)))

    def renyi2(self, start: int, stop: int) -> float:
        """Return the Renyi-2 entropy of sites start..stop-1 (nats)."""
        return float(gaussian_entropy.renyi2_of(self._occupations(slice(start, stop))))

    def _occupations(self, sites: Sequence[int] | slice | None) -> Vector:
        """Eigenvalues of G on some sites, diagonalised once."""
        sites = slice(None) if sites is None else sites
        key = tuple(range(len(self.spaces))[sites]) if isinstance(sites, slice) else tuple(sites)
        if key not in self._spectra:
            self._spectra[key] = gaussian_entropy.occupations(self._state(), key)
        return self._spectra[key]

    def log_purity(self) -> float:
        """Return ln Tr rho^2."""
        return -self.renyi2(0, len(self.spaces))

    @property
    def density(self) -> Vector:
        """<n_i>: (n,)."""
        return np.real(np.diag(self.correlation))

    def negativity(self, first: Sequence[int], second: Sequence[int]) -> float:
        """Return the fermionic logarithmic negativity of two regions, in nats."""
        return gaussian_entropy.negativity(self._state(), first, second)

    def excitation(self, site: int) -> Vector:
        """Return the densities (n,) of one particle that started on `site`, averaged over the noise."""
        if self._excitation is None or self._excitation[0] != site:
            raise Unavailable(f"the spreading from site {site} was not computed")
        return self._excitation[1]

    def marginal(self, sites: Sequence[int]) -> Matrix:
        """Raise `Unavailable`: a correlation matrix gives expectations, not density matrices."""
        raise Unavailable("a marginal density matrix")

    def functional(self, name: str) -> float:
        """Raise `Unavailable`."""
        raise Unavailable(f"the functional {name!r}")

    def schmidt_values(self, bond: int) -> Vector:
        """Raise `Unavailable`."""
        raise Unavailable("operator-space Schmidt values")

    def _state(self) -> Matrix:
        if not self.gaussian:
            raise Unavailable("an average over noise is no Gaussian state: it has a correlation matrix, no entropy")
        return self.correlation

    def _density_pairs(self) -> Vector:
        """<n_i n_j> = G_ii G_jj - |G_ij|^2, and G_ii on the diagonal."""
        state = self._state()
        density = np.real(np.diag(state))
        values = np.outer(density, density) - np.abs(state) ** 2
        np.fill_diagonal(values, density)
        return values
