"""A disordered cube between two clean leads, driven by a bias: the Anderson transition seen from its steady state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from tnness import InputError, Observable, View, register
from tnness.model.checks import check_blocks, check_rates
from tnness.observables.observable import Estimate
from tnness.problems.transfer import Array, Lead, Real, TransferChain, ring_hamiltonian, ring_modes
from tnness.typed import check_fields

from .interferometer import ports


@register("anderson-wire")
@dataclass(frozen=True, kw_only=True)
class AndersonWire:
    """A disordered wire between clean leads whose scattering states are filled up to different chemical potentials.

    length slices of size x size sites, hopping 1, V uniform in [-W/2, W/2], periodic across; leads with hoppings t_par
    along and t_perp across. Incoming states are filled to +bias/2 on the left and -bias/2 on the right, at zero
    temperature. The bias adds to <c^+_x c_y> the part

        G^d_xy = 1/2 int dE sum_n [ phi_L^*(x) phi_L(y) - phi_R^*(x) phi_R(y) ],    |E| < bias/2,

    and the mutual coherence between the halves is C_d = 2 sum |G^d_xy|^2 (an odd length leaves the middle slice out).
    With `full` the equilibrium part is added: all states below -bias/2 are filled, bound states among them.

    M. Gullans, D. Huse, Phys. Rev. Lett. 123, 110601 (2019), doi:10.1103/PhysRevLett.123.110601, and
    Phys. Rev. X 9, 021007 (2019), Sec. V and eqs. (84)-(86), doi:10.1103/PhysRevX.9.021007.

    Agrees
    ------
    - G^d and densities of a small wire with dense integrals over the energy, to 1e-9; coherence and current, relative,
      to 1e-6: test_record_against_dense_integrals
    - a clean wire with one quantum of conductance for each open channel, to 1e-10: test_clean_wire_with_equal_leads
    - the coherence at small bias with its square, relative, to 1e-3:
      test_coherence_grows_with_the_bias_and_vanishes_without
    """

    size: int = 6  # sites across, in both directions
    length: int | None = None  # slices; size unless given
    disorder: float = 16.5  # width W of the potential's distribution
    t_par: float = 3.0  # hopping of the leads along the wire
    t_perp: float = 1.0  # hopping of the leads across
    t_contact: float = 1.0  # hopping between lead and wire
    bias: float = 0.0495  # mu_L - mu_R
    energy_rule: Literal["auto", "poles", "legendre"] = (
        "auto"  # integral over the bias: resonances in closed form or not
    )
    energies: tuple[float, ...] = (0.0,)  # energies of the transmission
    potential: tuple[tuple[tuple[float, ...], ...], ...] | str | None = None  # (length, size, size), or a .npy file
    coherence_matrix: bool = False  # keep the whole matrix G^d
    full: bool = False  # add the equilibrium part: quantities of the whole correlation matrix
    detectors: tuple[int, int] | None = None  # sites whose interference is measured; needs full
    detector_phase: float = 1.5707963267948966  # phase of t over r of the balanced beam splitter

    engines: ClassVar[tuple[str, ...]] = ("transfer",)

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("size", "length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} = {value}: at least one site is needed")
        check_rates({"disorder": self.disorder})
        for name in ("t_par", "bias"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} = {getattr(self, name):g}: a number > 0 is needed")
        if self.t_contact == 0:
            raise InputError("t_contact = 0: the wire is not connected to its leads")
        if self.energy_rule not in ("auto", "poles", "legendre"):
            raise InputError(f"energy_rule = {self.energy_rule!r} is not one of auto, poles, legendre")
        if not self.energies:
            raise InputError("energies: at least one is needed for the transmission")
        check_blocks(self.slices, self.size**2, f"size = {self.size}, length = {self.slices}")
        if self.potential is not None:
            object.__setattr__(self, "potential", self._given_potential())
        if self.detectors is not None and not self.full:
            raise InputError("detectors measure the whole correlation matrix: set full=true")
        if self.detectors is not None and not all(0 <= site < self.sites for site in self.detectors):
            raise InputError(f"detectors = {list(self.detectors)}: the sites are 0 to {self.sites - 1}")

    @property
    def slices(self) -> int:
        """Number of slices."""
        return self.size if self.length is None else self.length

    @property
    def sites(self) -> int:
        """Number of sites; site (x1, x2, x3) is number (x1 size + x2) size + x3."""
        return self.slices * self.size**2

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with its potential, rng.uniform(-W/2, W/2, (length, size, size)) unless it was given."""
        if self.potential is not None:
            return self
        drawn = rng.uniform(-self.disorder / 2, self.disorder / 2, (self.slices, self.size, self.size))
        return replace(self, potential=_as_tuples(drawn))

    def small(self) -> Self:
        """Return a cube of four sites a side, which keeps the periodic hopping across."""
        return replace(self, size=min(self.size, 4), length=None, potential=None, detectors=None)

    def problem(self) -> TransferChain:
        """Return the wire between its leads; the potential must have been drawn or given."""
        if self.potential is None:
            raise InputError("potential is neither given nor drawn: draw(rng) sets it")
        m = self.size**2
        onsite = np.broadcast_to(ring_hamiltonian((self.size, self.size)), (self.slices, m, m)).copy()
        onsite[:, range(m), range(m)] += np.array(self.potential).reshape(self.slices, m)
        modes, thresholds = ring_modes((self.size, self.size), self.t_perp)
        lead = Lead(modes, thresholds, self.t_par, self.t_contact)
        return TransferChain(onsite, np.ones((self.slices - 1, m)), lead, lead)

    def observables(self) -> dict[str, Observable]:
        """Return transmission, density, current and mutual coherence; with `full` also those of all filled states."""
        slices, needs = {"slice": np.arange(self.slices)}, ("nonequilibrium",)
        observables = {
            "transmission": Observable(
                lambda view: view.transmission(self.energies),
                dims=("energy",),
                coordinates={"energy": self.energies},
                description="Tr Gamma_R G Gamma_L G^+ from left to right",
                symbol=r"T",
                needs=("transmission",),
            ),
            "density": Observable(
                self._density,
                dims=("slice",),
                coordinates=slices,
                description="Tr G^d of each slice: added by the bias",
                needs=needs,
            ),
            "mutual_coherence": Observable(
                self._coherence, description="C_d = 2 sum |G^d_xy|^2 between the left and the right half", needs=needs
            ),
            "current": Observable(
                self._current, dims=("bond",), unit="1/time", description="-2 Im Tr G_{x,x+1}", symbol=r"j", needs=needs
            ),
        }
        if self.coherence_matrix:
            observables["coherence_matrix"] = Observable(
                lambda view: _parts(view.nonequilibrium(self.bias, self.energy_rule, matrix=True).coherence.matrix),
                dims=("part", "site", "site_2"),
                coordinates={"part": ["real", "imaginary"]},
                description="G^d_xy",
                symbol=r"G^d_{xy}",
                needs=needs,
            )
        return observables | (self._full_observables() if self.full else {})

    def _density(self, view: Any) -> Estimate:
        part = view.nonequilibrium(self.bias, self.energy_rule, matrix=self._matrix)
        return Estimate(part.coherence.density.sum(axis=-1), np.abs(part.error.density.sum(axis=-1)))

    def _coherence(self, view: Any) -> Estimate:
        part = view.nonequilibrium(self.bias, self.energy_rule, matrix=self._matrix)
        value = part.coherence.mutual_coherence
        return Estimate(value, abs(value - part.coarse.mutual_coherence))

    def _current(self, view: Any) -> Estimate:
        part = view.nonequilibrium(self.bias, self.energy_rule, matrix=self._matrix)
        return Estimate(part.coherence.current, np.abs(part.error.current))

    @property
    def _matrix(self) -> bool:
        return self.coherence_matrix or self.full

    def _full_observables(self) -> dict[str, Observable]:
        needs = ("filled",)
        observables = {
            "density_full": Observable(
                lambda view: self._filled(view).density.reshape(self.slices, -1).sum(axis=-1),
                dims=("slice",),
                coordinates={"slice": np.arange(self.slices)},
                description="particles of each slice",
                symbol=r"n",
                needs=needs,
            ),
            "mutual_coherence_full": Observable(
                lambda view: 2 * float(np.sum(np.abs(self._between(view)) ** 2)),
                description="C = 2 sum |G_xy|^2 between the left and the right half",
                needs=needs,
            ),
            "mutual_information": Observable(
                self._mutual_information,
                unit="nat",
                description="I_1 between the left and the right half",
                symbol=r"I_1",
                needs=needs,
            ),
            "negativity": Observable(
                lambda view: self._filled(view).negativity(*self._halves),
                unit="nat",
                description="fermionic logarithmic negativity of the left and the right half",
                needs=needs,
            ),
            "mutual_information_bound": Observable(
                self._bound, unit="nat", description="N_AB C^2 / (2 N_p N_h), from below", needs=needs
            ),
        }
        if self.detectors is not None:
            observables["interferometer"] = Observable(
                self._interferometer,
                dims=("meter",),
                coordinates={"meter": ["left", "right"]},
                description="|r|^2 n_L + |t|^2 n_R + 2 Re r^* t <c^+_L c_R>; the other port; t / r = e^(i phase)",
                needs=needs,
            )
        return observables

    def _filled(self, view: Any) -> View:
        return view.filled(self.bias, self.energy_rule)

    @property
    def _halves(self) -> tuple[range, range]:
        """Sites of the first and of the last slices // 2 slices."""
        half = self.slices // 2 * self.size**2
        return range(half), range(self.sites - half, self.sites)

    def _between(self, view: Any) -> Array:
        first, last = self._halves
        return self._filled(view).correlation[first.start : first.stop, last.start : last.stop]

    def _mutual_information(self, view: Any) -> float:
        state, (first, last) = self._filled(view), self._halves
        return state.entropy(first) + state.entropy(last) - state.entropy([*first, *last])

    def _bound(self, view: Any) -> float:
        first, last = self._halves
        occupied = self._filled(view).density
        particles = occupied[first].sum() + occupied[last].sum()
        coherence = 2 * float(np.sum(np.abs(self._between(view)) ** 2))
        both = len(first) + len(last)
        return both * coherence**2 / (2 * particles * (both - particles)) if both else 0.0

    def _interferometer(self, view: Any) -> list[float]:
        assert self.detectors is not None
        return ports(self._filled(view).correlation, self.detectors, self.detector_phase)

    def _given_potential(self) -> tuple[tuple[tuple[float, ...], ...], ...]:
        values = self.potential
        if isinstance(values, str):
            try:
                values = np.load(Path(values), allow_pickle=False)
            except (OSError, ValueError) as error:
                raise InputError(f"potential = {self.potential!r} is no .npy file that can be read: {error}") from None
        expected = (self.slices, self.size, self.size)
        try:
            array = np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            raise InputError(f"potential takes numbers of shape {expected}, (length, size, size)") from None
        if array.shape != expected:
            raise InputError(f"potential must have shape {expected}, (length, size, size), but has shape {array.shape}")
        if not np.isfinite(array).all():
            raise InputError("potential holds a number that is not finite")
        return _as_tuples(array)


def _as_tuples(potential: Real) -> tuple[tuple[tuple[float, ...], ...], ...]:
    return tuple(tuple(tuple(row) for row in plane) for plane in potential.tolist())


def _parts(matrix: Array) -> Real:
    return np.stack([np.real(matrix), np.imag(matrix)])
