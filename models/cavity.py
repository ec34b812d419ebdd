"""A chain of levels between two weak links: a resonant state of the localised phase."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.linalg

from tnness import InputError, Observable, register
from tnness.model.checks import site_profile
from tnness.problems.transfer import Array, Lead, Real, TransferChain
from tnness.typed import check_fields

MOST_LEVELS = 5000
"""Most sites of a cavity: all its resonances come from one dense matrix."""


@register("cavity")
@dataclass(frozen=True, kw_only=True)
class Cavity:
    """A chain of `levels` sites between two semi-infinite chains of hopping 1, reached through weak links.

    Near a level w of the closed chain, with A = phi_1^2 tL^2 + phi_L^2 tR^2 and d = e_k - w, e_k = 2 cos k,

        t(k) = 2 i sin k e^(2ik) phi_1 phi_L tL tR / (A - d e^(ik)),

    so that the transmission has a peak with half width at half maximum A sin k. (The letter prints d with the other
    sign in eq. (S27), and sin^2 k in (S28).) With two sites, the state that comes in from the right with unit amplitude
    has a current, a difference of densities and a coherence: eqs. (S29)-(S31).

    M. Gullans, D. Huse, Phys. Rev. Lett. 123, 110601 (2019), supplement S2, doi:10.1103/PhysRevLett.123.110601.

    Agrees
    ------
    - widths of resonances with the golden rule, relative, to 0.05:
      test_resonances_have_golden_rule_widths
    - t(k) near a level with (S27) in the sign given above, relative, to 0.01; with the printed sign it is off by more
      than 20 times as much: test_corrected_sign_and_not_the_printed_one
    - current, gradient and coherence of two sites with their 2 x 2 equations, relative, to 1e-9: test_two_sites_by_hand
    - the coherence on resonance with its growth as 1/t^2, (S31), relative, to 0.02:
      test_coherence_diverges_while_the_current_does_not
    """

    levels: int = 2  # sites of the cavity
    link_left: float = 0.1  # hopping tL between the left lead and the first site
    link_right: float = 0.1  # hopping tR between the last site and the right lead
    hopping: float = 1.0  # hopping inside the cavity
    disorder: float = 0.0  # width of the potential's distribution
    potential: tuple[float, ...] | None = None  # potential of each site, drawn unless given
    energies: tuple[float, ...] | None = None  # energies of the transmission; 401 across the band unless given

    engines: ClassVar[tuple[str, ...]] = ("transfer",)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.levels < 1:
            raise InputError(f"levels = {self.levels}: at least one is needed")
        if self.levels > MOST_LEVELS:
            raise InputError(f"levels = {self.levels}: at most {MOST_LEVELS:,}, whose resonances are found together")
        if not self.disorder >= 0:
            raise InputError(f"disorder = {self.disorder:g}: a number >= 0 is needed")
        if self.link_left == 0 or self.link_right == 0:
            raise InputError("a link of strength 0 closes the cavity: nothing is transmitted")
        if self.potential is not None:
            object.__setattr__(self, "potential", site_profile("potential", self.potential, self.levels))
        if self.energies is not None and not self.energies:
            raise InputError("energies: at least one is needed")
        outside = [energy for energy in self.energies or () if not abs(energy) < 2]
        if outside:
            raise InputError(f"energy {outside[0]:g} lies outside the leads' band, |E| < 2")

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with its potential drawn, unless it was given."""
        if self.potential is not None:
            return self
        return replace(self, potential=tuple(rng.uniform(-self.disorder / 2, self.disorder / 2, self.levels).tolist()))

    def small(self) -> Self:
        """Return a cavity of two sites."""
        return replace(self, levels=min(self.levels, 2), potential=None)

    @property
    def grid(self) -> Real:
        """Energies of the transmission."""
        return np.linspace(-1.99, 1.99, 401) if self.energies is None else np.array(self.energies)

    def closed(self) -> tuple[Real, Real]:
        """Return levels and states (site, level) of the cavity without links; the potential must be drawn or given."""
        if self.potential is None:
            raise InputError("potential is neither given nor drawn: draw(rng) sets it")
        levels, states = scipy.linalg.eigh_tridiagonal(np.array(self.potential), np.full(self.levels - 1, self.hopping))
        return np.asarray(levels, float), np.asarray(states, float)

    def golden_rule(self) -> Real:
        """Return the golden-rule half width A sin k of each level, NaN outside the band of the leads: (level,)."""
        energies, states = self.closed()
        rate = states[0] ** 2 * self.link_left**2 + states[-1] ** 2 * self.link_right**2
        inside = np.abs(energies) < 2
        return np.where(inside, rate * np.sqrt(1 - np.where(inside, energies / 2, 0) ** 2), np.nan)

    def approximate(self, energies: Real, level: int, sign: float = 1.0) -> Real:
        """Return |t(k)|^2 of one resonance, eq. (S27); sign = -1 is the printed one: (energy,)."""
        levels, states = self.closed()
        k = np.arccos(energies / 2)
        rate = states[0, level] ** 2 * self.link_left**2 + states[-1, level] ** 2 * self.link_right**2
        product = states[0, level] * states[-1, level] * self.link_left * self.link_right
        detuning = sign * (energies - levels[level])
        return np.abs(2 * np.sin(k) * product / (rate - detuning * np.exp(1j * k))) ** 2

    def problem(self) -> TransferChain:
        """Return the chain between its leads; the potential must have been drawn or given."""
        if self.potential is None:
            raise InputError("potential is neither given nor drawn: draw(rng) sets it")
        one, zero = np.ones((1, 1)), np.zeros(1)
        left, right = (Lead(one, zero, 1.0, link) for link in (self.link_left, self.link_right))
        coupling = np.full((self.levels - 1, 1), self.hopping)
        return TransferChain(np.array(self.potential)[:, None, None], coupling, left, right)

    def observables(self) -> dict[str, Observable]:
        """Return the transmission, the resonances and, with two sites, observables of the state from the right."""
        energy: dict[str, Any] = {"dims": ("energy",), "coordinates": {"energy": self.grid}}
        level: dict[str, Any] = {
            "dims": ("level",),
            "coordinates": {"level": np.arange(self.levels)},
            "needs": ("resonances",),
        }
        observables = {
            "transmission": Observable(
                lambda view: view.transmission(self.grid),
                description="|t(E)|^2",
                symbol=r"|t(E)|^2",
                needs=("transmission",),
                **energy,
            ),
            "resonance_position": Observable(
                lambda view: np.real(self._resonances(view)), description="Re of each pole of G", **level
            ),
            "resonance_width": Observable(
                lambda view: -np.imag(self._resonances(view)),
                description="half width at half maximum, -Im of the pole",
                **level,
            ),
        }
        if self.levels != 2:
            return observables
        energy["needs"] = ("states",)
        return observables | {
            "state_current": Observable(
                lambda view: -2 * self.hopping * np.imag(self._element(view)),
                description="current to the right in the state from the right",
                **energy,
            ),
            "state_gradient": Observable(
                lambda view: -np.diff(np.abs(self._amplitudes(view)) ** 2, axis=0)[0],
                description="density of site 0 less that of site 1, in the state from the right",
                **energy,
            ),
            "state_coherence": Observable(
                lambda view: np.abs(self._element(view)),
                description="|psi_0^* psi_1| in the state from the right",
                **energy,
            ),
        }

    def _resonances(self, view: Any) -> Array:
        return view.resonances(self.closed()[0])

    def _element(self, view: Any) -> Array:
        first, second = self._amplitudes(view)
        return first.conj() * second

    def _amplitudes(self, view: Any) -> Array:
        """Return psi of the two sites, for unit incoming amplitude: (site, energy)."""
        velocity = np.sqrt(4 - self.grid**2)
        states = np.array([view.states(float(e)).right[:, 0, 0] for e in self.grid]).T
        return states * np.sqrt(2 * np.pi * velocity)
