"""Correlations of scattering states of nearby energies in a diffusive wire: they cause its volume law."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from tnness import InputError, Observable, register
from tnness.model.checks import check_blocks, check_rates
from tnness.problems.transfer import Array, Lead, Real, TransferChain, ring_hamiltonian, ring_modes
from tnness.typed import check_fields


@register("energy-correlation")
@dataclass(frozen=True, kw_only=True)
class EnergyCorrelation:
    """A diffusive wire of (size + 2) x size x size sites; A and B are the halves of the cube in its middle.

    With rho_E = G Gamma_L G^+ (states of unit flux from the left),

        sum_nm DPhi(E, D) = 2 Re sum_{x in A, y in B} rho_E(x,y)^* rho_{E+D}(x,y),
        i(e) = DPhi(E, e / Lx^2) / DPhi(E, 0),    f = 2 DPhi(E, 0) / (Lx^2 size^2),    Lx = size + 2,

    and Phi_A is the same inside A without its diagonal. For weak driving at high temperature the mutual information is
    (bias^2 / T) size^2 f int de i(e), and the entropy deviates by 2 (bias^2 / T) / Lx^2 int de Phi_A(e / Lx^2). Both
    are divided by (2 pi)^2 if the states are normalised to delta(E - E').

    M. Gullans, D. Huse, Phys. Rev. X 9, 021007 (2019), eqs. (65)-(73) and Fig. 8, doi:10.1103/PhysRevX.9.021007. The
    printed fit f = 0.021 L + 0.038 is about half of the result of (72).

    Agrees
    ------
    - all correlations at sizes 2 and 4 with Green's functions formed in full, relative, to 1e-10:
      test_against_full_matrices
    """

    size: int = 6  # sites across, and of the cube in the middle; even
    disorder: float = 8.0  # width W of the potential's distribution
    t_par: float = 1.0  # hopping of the leads along the wire
    t_perp: float = 1.0  # hopping of the leads across
    energy: float = 0.0  # E
    detunings: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)  # e = (energy difference) Lx^2, increasing from 0
    potential: tuple[float, ...] | None = None  # potential of each site, (size + 2) size^2 numbers, drawn unless given

    engines: ClassVar[tuple[str, ...]] = ("transfer",)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.size < 2 or self.size % 2:
            raise InputError(f"size = {self.size}: an even number of sites, at least 2, has two halves")
        check_rates({"disorder": self.disorder})
        check_blocks(self.length, self.size**2, f"size = {self.size}")
        if not self.t_par > 0:
            raise InputError(f"t_par = {self.t_par:g}: a number > 0 is needed")
        grid = np.array(self.detunings)
        if not len(grid) or grid[0] != 0 or not (np.diff(grid) > 0).all():
            raise InputError("detunings must increase from 0")
        if self.potential is not None:
            array = np.asarray(self.potential, dtype=float)
            if array.shape != (self.length * self.size**2,) or not np.isfinite(array).all():
                raise InputError(f"potential takes {self.length * self.size**2} finite numbers, got {array.shape}")
            object.__setattr__(self, "potential", tuple(array.tolist()))

    @property
    def length(self) -> int:
        """Lx, slices of the wire."""
        return self.size + 2

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with its potential drawn, unless it was given."""
        if self.potential is not None:
            return self
        drawn = rng.uniform(-self.disorder / 2, self.disorder / 2, self.length * self.size**2)
        return replace(self, potential=tuple(drawn.tolist()))

    def small(self) -> Self:
        """Return a wire of width 2 and length 4."""
        return replace(self, size=2, potential=None)

    def problem(self) -> TransferChain:
        """Return the wire between its leads; the potential must have been drawn or given."""
        if self.potential is None:
            raise InputError("potential is neither given nor drawn: draw(rng) sets it")
        m = self.size**2
        onsite = np.broadcast_to(ring_hamiltonian((self.size, self.size)), (self.length, m, m)).copy()
        onsite[:, range(m), range(m)] += np.array(self.potential).reshape(self.length, m)
        lead = Lead(*ring_modes((self.size, self.size), self.t_perp), self.t_par)
        return TransferChain(onsite, np.ones((self.length - 1, m)), lead, lead)

    def observables(self) -> dict[str, Observable]:
        """Return the correlation function, its scale, and the mutual information and entropy that follow from it."""
        needs = ("states",)
        grid: dict[str, Any] = {"dims": ("detuning",), "coordinates": {"detuning": self.detunings}, "needs": needs}
        width = 2 * self.length**-2 / (2 * np.pi) ** 2
        return {
            "correlation": Observable(self._correlation, description="sum_nm DPhi(E, e / Lx^2)", **grid),
            "i_ab": Observable(
                lambda view: self._correlation(view) / self._correlation(view)[0],
                description="DPhi(e) / DPhi(0)",
                **grid,
            ),
            "f_ab": Observable(
                lambda view: 2 * self._correlation(view)[0] / (self.length * self.size) ** 2,
                description="2 DPhi(0) / (Lx^2 size^2)",
                needs=needs,
            ),
            "mutual_information": Observable(
                lambda view: width * self._integral(self._correlation(view)),
                unit="bias^2/T",
                description="eq. (69) over the detunings given, both signs",
                needs=needs,
            ),
            "entropy_deviation": Observable(
                lambda view: width * self._integral(self._inside(view)),
                unit="bias^2/T",
                description="eq. (66) of the left half A, over the detunings given, both signs",
                needs=needs,
            ),
        }

    def _integral(self, values: Real) -> float:
        return 2 * float(np.trapezoid(values, self.detunings))

    def _correlation(self, view: Any) -> Real:
        half = self.size // 2
        pairs = self._overlaps(view, (1, 1 + half), (1 + half, 1 + 2 * half))
        return np.array([2 * np.vdot(b, a).real for a, b in pairs], dtype=float)

    def _inside(self, view: Any) -> Real:
        """Phi_A: both sites in A, without the diagonal."""
        half = self.size // 2
        whole = [np.vdot(a, a).real for a, _ in self._overlaps(view, (1, 1 + half), (1, 1 + half))]
        return np.array(whole, dtype=float) - self._diagonal(view, slice(1, 1 + half))

    def _diagonal(self, view: Any, part: slice) -> Real:
        densities = [np.sum(np.abs(self._states(view, e)[part]) ** 2, axis=-1) for e in self.detunings]
        return np.array([np.sum(densities[0] * density) for density in densities], dtype=float)

    def _overlaps(self, view: Any, first: tuple[int, int], second: tuple[int, int]) -> list[tuple[Array, Array]]:
        """Return sum_x phi_n^*(x; E) phi_m(x; E + D) over two sets of slices, for every detuning."""
        overlaps = []
        for detuning in self.detunings:
            pair = self._states(view, 0.0), self._states(view, detuning)
            overlaps.append(
                tuple(np.einsum("xin,xim->nm", pair[0][slice(*s)].conj(), pair[1][slice(*s)]) for s in (first, second))
            )
        return overlaps

    def _states(self, view: Any, detuning: float) -> Array:
        """Return the states from the left, of unit flux: (slice, m, channel)."""
        return np.sqrt(2 * np.pi) * view.states(self.energy + detuning / self.length**2).left
