"""The Heisenberg chain in random fields, weakly driven out of equilibrium on every bond."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np

from tnness import InputError, Lindbladian, Observable, Operator, expectation, register, total
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites, site_profile
from tnness.observables.thermometry import BondThermometer
from tnness.typed import check_fields


@register("mbl-heisenberg")
@dataclass(frozen=True, kw_only=True)
class MBLHeisenberg:
    """Heisenberg chain in random fields, weakly driven in the bulk: local temperatures across the MBL transition.

    H = sum S_i . S_{i+1} + h sum (zeta^z_i S^z_i + zeta^x_i S^x_i), zeta in [-1, 1], and with the rate eps

        L^{s,1}_i = S^s_i (1 - 2 s S^z_{i+1}) / (2 sqrt 2),  s = +1 and -1,
        L^{s,2}_i = (1 - 2 s S^z_i) S^s_{i+1} / (2 sqrt 2),
        L^z_i = S^z_i.

    The exchange is the unit of energy, hbar = k_B = 1. Energy alone is conserved as eps -> 0, so that only the local
    temperatures tell where the chain thermalises: they agree in the ergodic phase and differ in the localised one.
    beta of a bond is +-inf where no finite temperature fits, and `beta_variation` is then NaN, as it is at infinite
    temperature.

    `drive` chooses the jumps of the bonds, beside the dephasing L^z. The paper prints (1 - 2 S^z) for both signs
    ("literal"): this map is unital, and its steady state is the identity, in contradiction to the paper's results. In
    "correlated" (default) a spin flips so that it ends opposite to its neighbour. "one-sided" has only L^{+,1} and
    L^{-,2} as printed, and drives only the ends of the chain. "singlet" drives every bond from each of its triplet
    states to its singlet, in the same way for all directions of spin:

        L^a_i = [(S_i - S_{i+1}) / 2 - i S_i x S_{i+1}]^a / sqrt 3 = |s><t_a| / sqrt 3,  a = x, y, z,

    |t_x> = (|dd> - |uu>) / sqrt 2, |t_y> = i (|uu> + |dd>) / sqrt 2, |t_z> = (|ud> + |du>) / sqrt 2. The jumps of a
    bond map the identity to sum_k [L_k, L_k^+] = -4 S^z_i S^z_{i+1} in "correlated", -(4/3) S_i . S_{i+1} in "singlet".
    The rate of "singlet" is chosen so that both take the energy eps / 4 per unit of time out of every exchange at
    infinite temperature, and relax it at the rate eps / 3, by Tr[S.S D(S.S)] / Tr[(S.S)^2] = -1/3. The jumps of each of
    its bonds relax a spin, and with it the energy in its field, at the rate eps / 2 in "correlated" and eps / 4 in
    "singlet", so that the mean temperatures differ.

    Z. Lenarčič, O. Alberton, A. Rosch, E. Altman, Phys. Rev. Lett. 125, 116601 (2020),
    doi:10.1103/PhysRevLett.125.116601.

    Agrees
    ------
    - energies, spins and correlations for any disorder, rate and drive with dense matrices, to 1e-9, tanh(beta)
      to 1e-7: test_any_disorder_equals_dense
    - eps -> 0 with the rate equation of the eigenstates, to 1e-3:
      test_vanishing_drive_reaches_the_rate_equation_of_the_eigenstates
    - steady states by tebd with exact ones, to 1e-5: test_tebd_reaches_the_exact_steady_state
    - the drive as printed with infinite temperature, to 1e-9: test_literal_drive_ends_at_infinite_temperature
    """

    n: int = 20  # number of sites
    h: float = 2.0  # strength of the random fields [J]
    eps: float = 0.1  # rate of the dissipation [J]
    drive: Literal["correlated", "literal", "one-sided", "singlet"] = "correlated"  # the jumps of a bond
    field_weight: float = 1.0  # share of a bulk site's field that counts in a bond's temperature: 1 or 0.5
    fields_z: tuple[float, ...] | None = None  # zeta^z of each site, drawn in [-1, 1] unless given
    fields_x: tuple[float, ...] | None = None  # zeta^x of each site, drawn in [-1, 1] unless given

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_rates({"eps": self.eps})
        if self.drive not in ("correlated", "literal", "one-sided", "singlet"):
            raise InputError(f"drive = {self.drive!r} is not one of correlated, literal, one-sided, singlet")
        if self.field_weight not in (0.5, 1.0):
            raise InputError(f"field_weight = {self.field_weight!r}: a shared field counts whole (1) or half (0.5)")
        for name in ("fields_z", "fields_x"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, site_profile(name, getattr(self, name), self.n))

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with its fields drawn, uniform in [-1, 1]: first fields_z, then fields_x.

        Both are always drawn, and given fields replace the drawn ones. So one seed gives the same fields_x whether or
        not fields_z is given.
        """
        z, x = rng.uniform(-1, 1, self.n), rng.uniform(-1, 1, self.n)
        return replace(
            self,
            fields_z=tuple(z) if self.fields_z is None else self.fields_z,
            fields_x=tuple(x) if self.fields_x is None else self.fields_x,
        )

    def small(self) -> Self:
        """Return the first four sites: two ends, two bulk sites and a bulk bond."""
        n = min(self.n, 4)
        z, x = (None if fields is None else fields[:n] for fields in (self.fields_z, self.fields_x))
        return replace(self, n=n, fields_z=z, fields_x=x)

    def problem(self) -> Lindbladian:
        """Return the chain; the fields must have been drawn or given."""
        chain = Lindbladian([s] * self.n)
        chain.hamiltonian(self._energy())
        for i in range(self.n - 1):
            for jump in self._bond_jumps(i):
                chain.jump(jump, rate=self.eps)
        for i in range(self.n):
            chain.jump(s.Sz(i), rate=self.eps)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return spins, exchange and temperature of the bonds, and the energy."""
        sites, bonds = range(self.n), range(self.n - 1)
        thermometer = BondThermometer([self._bond_energy(i).matrix((i, i + 1), {i: 2, i + 1: 2}) for i in bonds])
        return {
            "sz": expectation([s.Sz(i) for i in sites], "site", description="<S^z_i>", symbol=r"\langle S^z_i \rangle"),
            "sx": expectation([s.Sx(i) for i in sites], "site", description="<S^x_i>", symbol=r"\langle S^x_i \rangle"),
            "ss": expectation(
                [_exchange(i) for i in bonds],
                "bond",
                description="<S_i . S_{i+1}>",
                symbol=r"\langle S_i \cdot S_{i+1} \rangle",
            ),
            "beta": Observable(
                thermometer.beta,
                dims=("bond",),
                unit="1/J",
                description="inverse temperature of each bond",
                symbol=r"\beta_i",
                sites=tuple(sites),
                needs=("marginal",),
            ),
            "energy": expectation(
                self._energy(), unit="J", description="total energy <H>", symbol=r"\langle H \rangle"
            ),
            "beta_variation": Observable(
                thermometer.variation,
                description="root mean square deviation of beta over the bonds, over its mean",
                symbol=r"\delta\beta/\bar\beta",
                sites=tuple(sites),
                needs=("marginal",),
            ),
        }

    def _energy(self) -> Operator:
        exchange = [_exchange(i) for i in range(self.n - 1)]
        return total([*exchange, *(self._field(i) for i in range(self.n))])

    def _bond_energy(self, i: int) -> Operator:
        """h_{i,i+1} = S_i . S_{i+1} and the fields of its two sites, those of bulk sites times `field_weight`."""
        left = 1.0 if i == 0 else self.field_weight
        right = 1.0 if i + 1 == self.n - 1 else self.field_weight
        return _exchange(i) + left * self._field(i) + right * self._field(i + 1)

    def _field(self, i: int) -> Operator:
        if self.fields_z is None or self.fields_x is None:
            raise InputError("fields_z and fields_x are neither given nor drawn: draw(rng) sets them")
        return self.h * (self.fields_z[i] * s.Sz(i) + self.fields_x[i] * s.Sx(i))

    def _bond_jumps(self, i: int) -> list[Operator]:
        if self.drive == "singlet":
            return _singlet_jumps(i)
        j, scale = i + 1, 1 / (2 * math.sqrt(2))
        if self.drive == "one-sided":
            return [scale * s.Sp(i) * (1 - 2 * s.Sz(j)), scale * (1 - 2 * s.Sz(i)) * s.Sm(j)]
        jumps = []
        for flip, sign in ((s.Sp, 1), (s.Sm, -1 if self.drive == "correlated" else 1)):
            jumps.append(scale * flip(i) * (1 - 2 * sign * s.Sz(j)))
            jumps.append(scale * (1 - 2 * sign * s.Sz(i)) * flip(j))
        return jumps


def _exchange(i: int) -> Operator:
    return s.Sx(i) * s.Sx(i + 1) + s.Sy(i) * s.Sy(i + 1) + s.Sz(i) * s.Sz(i + 1)


def _singlet_jumps(i: int) -> list[Operator]:
    """[(S_i - S_{i+1}) / 2 - i S_i x S_{i+1}]^a / sqrt 3 for a = x, y, z."""
    left, right = ((s.Sx(site), s.Sy(site), s.Sz(site)) for site in (i, i + 1))
    jumps = []
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross = left[b] * right[c] - left[c] * right[b]
        jumps.append((0.5 * (left[a] - right[a]) - 1j * cross) / math.sqrt(3))
    return jumps
