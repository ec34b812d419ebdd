"""The view of a correlation matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.fermions import entropy as gaussian_entropy
from tnness.engines.fermions.quadratic import NotQuadratic, bilinear, mode_numbers, modes_of
from tnness.errors import Unavailable
from tnness.observables.views import Sites, View
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator, Operator

Matrix = NDArray[Any]
Vector = NDArray[np.float64]


NOT_GAUSSIAN = "an average over noise is no Gaussian state: it has a correlation matrix, no entropy"
MOST_SCHMIDT_VALUES = 2**16
"""Most operator-space Schmidt values that are computed."""
LEFT_OUT = 1e-6
"""Weight that they may leave out."""
WICK = ("correlations", "entropy", "renyi2", "log_purity", "negativity", "charge_distribution", "schmidt_values")
"""Words (see `View`) that follow from G by Wick's theorem."""


class GaussianView(View):
    """A view of G_ij = <c^+_i c_j>. A region may be any set of sites.

    Parameters
    ----------
    correlation: G (modes, modes). spaces: local space of each site; an electron's site has two modes, up before down.
    gaussian: whether the state is Gaussian, so that Wick's theorem holds; with dephasing only G itself is known.
    excitation: densities (n,) of a single particle by the site on which it started, as far as the engine computed them.
    """

    def __init__(
        self,
        correlation: Matrix,
        spaces: Sequence[LocalSpace],
        gaussian: bool = True,
        excitation: Mapping[int, Vector] | None = None,
    ) -> None:
        super().__init__(spaces)
        self.gaussian, self._correlation, self._excitation = gaussian, correlation, excitation
        self._spectra: dict[tuple[int, ...], Vector] = {}
        if not gaussian:
            self.refuse(dict.fromkeys(WICK, NOT_GAUSSIAN))
        if excitation is None:
            self.refuse({"excitation": "the spreading of a single particle was not computed"})

    @property
    def correlation(self) -> Matrix:
        """G_ij = <c^+_i c_j> of all modes: (modes, modes)."""
        return self._correlation

    @property
    def density(self) -> Vector:
        """Number of particles on each site: (n,)."""
        filled = self._filled
        return np.array([filled[list(modes)].sum() for modes in self._modes])

    def expect(self, operator: Operator) -> float | complex:
        """Return <O> of densities, hops and, in Gaussian states, density pairs; complex where O is not Hermitian."""
        self._check_sites(operator)
        try:
            form = bilinear(operator, self.spaces)
        except NotQuadratic as error:
            raise Unavailable(str(error)) from error
        value = form.constant + form.coefficients @ self._correlation[form.rows, form.columns]
        for weight, i, j in form.pairs:
            value += weight * self._density_pairs()[i, j]
        return self._read(operator, complex(value))

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Vector:
        """Return <A_i B_j> of two diagonal operators for all pairs, by Wick's theorem: (n, n)."""
        bilinears = [[bilinear(o(i), self.spaces) for i in range(len(self.spaces))] for o in (first, second)]
        if any(form.pairs or np.any(form.rows != form.columns) for forms in bilinears for form in forms):
            raise Unavailable("correlations of operators that are no sums of densities")
        constants = [np.array([form.constant.real for form in forms]) for forms in bilinears]
        slopes = np.zeros((2, len(self.spaces), len(self._correlation)))  # of the modes' densities
        for own, forms in zip(slopes, bilinears, strict=True):
            for site, form in enumerate(forms):
                own[site, form.rows] = form.coefficients.real
        return (
            np.outer(*constants)
            + np.outer(slopes[0] @ self._filled, constants[1])
            + np.outer(constants[0], slopes[1] @ self._filled)
            + slopes[0] @ self._density_pairs() @ slopes[1].T
        )

    def entropy(self, sites: Sites | None = None) -> float:
        """Return the von Neumann entropy of any sites (default: all), in nats."""
        return float(gaussian_entropy.entropy_of(self._occupations(sites)))

    def renyi2(self, sites: Sites | None = None) -> float:
        """Return the Renyi-2 entropy -ln Tr rho_X^2 of any sites (default: all), in nats."""
        return float(gaussian_entropy.renyi2_of(self._occupations(sites)))

    def log_purity(self) -> float:
        """Return ln Tr rho^2."""
        return -self.renyi2()

    def negativity(self, first: Sites, second: Sites) -> float:
        """Return the fermionic logarithmic negativity of any two regions, in nats."""
        region, other_region = self._chosen(first), self._chosen(second)
        self._chosen([*region, *other_region])  # refuses regions that share a site
        modes = [mode_numbers(self.spaces, sites) for sites in (region, other_region)]
        return gaussian_entropy.negativity(self._state(), *modes)

    def schmidt_values(self, bond: int) -> Vector:
        """Return the operator-space Schmidt values of rho across a bond, descending, but for a weight below 1e-6.

        Raises
        ------
        Unavailable: there are more than `MOST_SCHMIDT_VALUES`.
        """
        if not 0 <= bond < len(self.spaces) - 1:
            raise Unavailable(f"bond {bond}: a chain of {len(self.spaces)} sites has bonds 0 to {len(self.spaces) - 2}")
        modes = mode_numbers(self.spaces, range(bond + 1))
        values = gaussian_entropy.operator_schmidt(self._state(), modes, MOST_SCHMIDT_VALUES)
        if 1 - np.sum(values**2) > LEFT_OUT:
            raise Unavailable(
                f"the Schmidt values of rho across bond {bond}: there are more than {MOST_SCHMIDT_VALUES:,}"
            )
        return values

    def charge_distribution(self, name: str, sites: Sites | None = None) -> Vector:
        """Return P(N = 0), P(1), ... of a number of particles (N, Nu, Nd) on any sites: sum of independent modes."""
        modes = [mode for site in self._chosen(sites) for mode in self._counted(name, site)]
        probabilities = np.ones(1)
        for occupation in gaussian_entropy.occupations(self._state(), modes):
            probabilities = np.convolve(probabilities, [1 - occupation, occupation])
        return probabilities

    def excitation(self, site: int) -> Vector:
        """Return the densities (n,) of one particle that started on `site`, averaged over the noise."""
        self._need("excitation")
        if self._excitation is None or site not in self._excitation:
            raise Unavailable(f"the spreading from site {site} was not computed")
        return self._excitation[site]

    def _occupations(self, sites: Sites | None) -> Vector:
        """Eigenvalues of G on some sites, diagonalised once."""
        region = self._chosen(sites)
        if region not in self._spectra:
            self._spectra[region] = gaussian_entropy.occupations(self._state(), mode_numbers(self.spaces, region))
        return self._spectra[region]

    def _counted(self, name: str, site: int) -> list[int]:
        """Return the modes of a site whose number of particles an operator is."""
        if name not in self.spaces[site].operators:
            raise Unavailable(f"the distribution of {name}: {self.spaces[site].name} has no operator of this name")
        form = bilinear(self.spaces[site].operators[name](site), self.spaces)
        if form.constant or form.pairs or np.any(form.rows != form.columns) or np.any(form.coefficients != 1):
            raise Unavailable(f"the distribution of {name}: free fermions give that of numbers of particles")
        return form.rows.tolist()

    @property
    def _modes(self) -> tuple[range, ...]:
        return modes_of(self.spaces)

    @property
    def _filled(self) -> Vector:
        """<n> of each mode: (modes,)."""
        return np.real(np.diag(self._correlation))

    def _state(self) -> Matrix:
        if not self.gaussian:
            raise Unavailable(NOT_GAUSSIAN)
        return self._correlation

    def _density_pairs(self) -> Vector:
        """<n_i n_j> = G_ii G_jj - |G_ij|^2, and G_ii on the diagonal."""
        state = self._state()
        density = np.real(np.diag(state))
        values = np.outer(density, density) - np.abs(state) ** 2
        np.fill_diagonal(values, density)
        return values
