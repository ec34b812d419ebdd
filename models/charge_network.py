"""The charge resistor network: a voltage across links of random length."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from tnness import InputError, Observable, register
from tnness.model.checks import check_blocks, check_rates, check_sites
from tnness.problems.resistors import Links, resistor_chain
from tnness.problems.transfer import Array, TransferChain
from tnness.typed import check_fields


@register("charge-network")
@dataclass(frozen=True, kw_only=True)
class ChargeNetwork:
    """Islands between two electrodes, joined by links of random length: Kirchhoff's law without sources.

    n links from the left electrode (potential V) to the right one (0), on a line or in a square of n rows whose islands
    are linked across too; G(l) = eps sigma0 / l^(2-d) + gamma0 exp(-l/a), p(l) ~ exp(-(l/xi)^d) for l >= a,
    xi = a/alpha. In one dimension j = V / sum(1/G).

    Z. Lenarčič, O. Alberton, A. Rosch, E. Altman, Phys. Rev. Lett. 125, 116601 (2020), eqs. (4), (15), (16),
    doi:10.1103/PhysRevLett.125.116601.

    Agrees
    ------
    - lines of 2 to 500 links with j = V / sum(1/G), relative, to 1e-12: test_one_dimension_is_a_series
    - the potentials of a square with a direct solution of Kirchhoff's law, to 1e-12:
      test_two_dimensions_lose_no_current_and_equal_the_direct_solve
    """

    n: int = 2000  # links from electrode to electrode
    alpha: float = 0.5  # shortest over typical excess length of a link, a/xi
    eps: float = 1e-2  # coupling to the bath
    dim: int = 1  # dimensions: 1 or 2
    a: float = 1.0  # shortest link
    sigma0: float = 1.0  # conductance that the coupling induces in a link, over eps
    gamma0: float = 5.0  # conductance of an insulating link, without its exponential
    voltage: float | None = None  # potential of the left electrode; 0.1 n unless given
    lengths: tuple[float, ...] | None = (
        None  # lengths of the links, along the chain first, then across; drawn unless given
    )

    engines: ClassVar[tuple[str, ...]] = ("transfer",)

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_rates({"eps": self.eps})
        _ = self.links
        check_blocks(self.n, self._width, f"n = {self.n}, dim = {self.dim}")
        if self.lengths is not None:
            array = np.asarray(self.lengths, dtype=float)
            if array.shape != (self._link_count,) or not np.isfinite(array).all():
                raise InputError(f"lengths takes {self._link_count} finite numbers, but has shape {array.shape}")
            object.__setattr__(self, "lengths", tuple(array.tolist()))

    @property
    def links(self) -> Links:
        """The distribution of the links' lengths, and their conductance."""
        return Links(alpha=self.alpha, dim=self.dim, a=self.a, kappa=self.sigma0, gamma=self.gamma0)

    @property
    def drop(self) -> float:
        """V, the potential of the left electrode."""
        return 0.1 * self.n if self.voltage is None else self.voltage

    @property
    def _width(self) -> int:
        return 1 if self.dim == 1 else self.n

    @property
    def _link_count(self) -> int:
        return self.n * self._width + (self.n - 1) * (self._width - 1)

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with its lengths drawn, unless they were given."""
        if self.lengths is not None:
            return self
        return replace(self, lengths=tuple(self.links.draw(rng, self._link_count).tolist()))

    def small(self) -> Self:
        """Return four links along each direction."""
        return replace(self, n=min(self.n, 4), lengths=None)

    def conductances(self, lengths: Array, eps: ArrayLike) -> tuple[Array, Array]:
        """Return conductances along (..., link, row) and across (..., column, row - 1)."""
        conductance = self.links.conductance(lengths, np.asarray(eps, dtype=float)[..., None])
        split = self.n * self._width
        along = conductance[..., :split].reshape(*conductance.shape[:-1], self.n, self._width)
        return along, conductance[..., split:].reshape(*conductance.shape[:-1], self.n - 1, self._width - 1)

    def chain(self, lengths: Array, eps: ArrayLike) -> TransferChain:
        """Return many realizations as one batch; lengths: (..., link), eps broadcast against the leading axes."""
        along, across = self.conductances(lengths, eps)
        left, right = (self.drop, along[..., 0, :]), (0.0, along[..., -1, :])
        return resistor_chain(along[..., 1:-1, :], across, left=left, right=right)

    def problem(self) -> TransferChain:
        """Return the network; the lengths must have been drawn or given."""
        if self.lengths is None:
            raise InputError("lengths are neither given nor drawn: draw(rng) sets them")
        return self.chain(np.array(self.lengths), self.eps)

    def link_currents(self, lengths: Array, eps: ArrayLike, potential: Array) -> tuple[Array, Array]:
        """Return the current through each link along (..., link, row) and its drop, potential: (..., column, row)."""
        along, _ = self.conductances(lengths, eps)
        ends = [np.full((*potential.shape[:-2], 1, self._width), value) for value in (self.drop, 0.0)]
        drops = -np.diff(np.concatenate([ends[0], potential, ends[1]], axis=-2), axis=-2)
        return along * drops, drops

    def total_current(self, lengths: Array, eps: ArrayLike, potential: Array) -> Array:
        """Return j = sum G (drop)^2 / V over all links: (...). An error of the potentials enters it only squared."""
        currents, drops = self.link_currents(lengths, eps, potential)
        _, across = self.conductances(lengths, eps)
        heat = np.sum(currents * drops, axis=(-1, -2)) + np.sum(across * np.diff(potential) ** 2, axis=(-1, -2))
        return heat / self.drop

    def observables(self) -> dict[str, Observable]:
        """Return the potentials and the currents."""
        lengths = np.array(self.lengths if self.lengths is not None else [])

        def potential(view: Any) -> Array:
            values = view.solution()
            return values[..., 0] if self.dim == 1 else values

        def current(view: Any) -> Array:
            return self.link_currents(lengths, self.eps, view.solution())[0].sum(axis=-1)

        def density(view: Any) -> float:
            return float(self.total_current(lengths, self.eps, view.solution())) / (self._width * self.a)

        dims = ("site",) if self.dim == 1 else ("site", "site_2")
        return {
            "potential": Observable(potential, dims=dims, description="potential of each island", needs=("solution",)),
            "current": Observable(
                current,
                dims=("bond",),
                description="current through each cut between the electrodes",
                needs=("solution",),
            ),
            "current_density": Observable(
                density, description="current over the width of the network, from its heat", needs=("solution",)
            ),
        }
