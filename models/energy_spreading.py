"""A packet of energy that spreads in the closed resistor network of the Griffiths regime."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from tnness import InputError, Observable, register
from tnness.model.checks import check_sites
from tnness.problems.resistors import Links, resistor_chain
from tnness.problems.transfer import Array, TransferChain
from tnness.typed import check_fields


@register("energy-spreading")
@dataclass(frozen=True, kw_only=True)
class EnergySpreading:
    """Energy that starts on one island of a line and spreads through links of random length, without bath or drive.

    de_i/dt = G_{i,i+1} (e_{i+1} - e_i) - G_{i-1,i} (e_i - e_{i-1}), e_i(0) = delta_{i,start}, G(l) = gamma0 exp(-l/a),
    l = a + xi Exp(1), xi = a/alpha. The width, with e averaged over realizations, grows as t^(1/z). Run it with --time.

    Z. Lenarčič, O. Alberton, A. Rosch, E. Altman, Phys. Rev. Lett. 125, 116601 (2020), eq. (17),
    doi:10.1103/PhysRevLett.125.116601.

    Agrees
    ------
    - the width on equal links with sqrt(2 D t), D = gamma0/e, to 1e-6, the energy being kept to 1e-13:
      test_equal_links_diffuse
    - two islands by hand, relative, to 1e-12: test_two_islands_by_hand
    """

    n: int = 1000  # islands
    alpha: float = 0.5  # shortest over typical excess length of a link, a/xi
    a: float = 1.0  # shortest link
    gamma0: float = 5.0  # rate of a link, without its exponential [1/time]
    start: int | None = None  # island on which the energy starts; the middle one unless given
    lengths: tuple[float, ...] | None = None  # links, drawn unless given

    engines: ClassVar[tuple[str, ...]] = ("transfer",)

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        _ = self.links
        if not 0 <= self.origin < self.n:
            raise InputError(f"start = {self.start}: the islands are 0 to {self.n - 1}")
        if self.lengths is not None:
            array = np.asarray(self.lengths, dtype=float)
            if array.shape != (self.n - 1,) or not np.isfinite(array).all():
                raise InputError(f"lengths takes {self.n - 1} finite numbers, but has shape {array.shape}")
            object.__setattr__(self, "lengths", tuple(array.tolist()))

    @property
    def links(self) -> Links:
        """The distribution of the links' lengths, and their conductance."""
        return Links(alpha=self.alpha, a=self.a, kappa=0.0, gamma=self.gamma0)

    @property
    def origin(self) -> int:
        """The island on which the energy starts."""
        return self.n // 2 if self.start is None else self.start

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with its lengths drawn, unless they were given."""
        if self.lengths is not None:
            return self
        return replace(self, lengths=tuple(self.links.draw(rng, self.n - 1).tolist()))

    def small(self) -> Self:
        """Return four islands."""
        return replace(self, n=min(self.n, 4), start=None, lengths=None)

    def problem(self) -> TransferChain:
        """Return the network; the lengths must have been drawn or given."""
        if self.lengths is None:
            raise InputError("lengths are neither given nor drawn: draw(rng) sets them")
        return self.chain(np.array(self.lengths))

    def chain(self, lengths: Array) -> TransferChain:
        """Return many realizations as one batch; lengths: (..., link)."""
        source = np.zeros((self.n, 1))
        source[self.origin] = 1
        return resistor_chain(self.links.conductance(lengths, 0.0)[..., None], sources=source)

    def observables(self) -> dict[str, Observable]:
        """Return the energies and the width of the packet."""
        squares = (np.arange(self.n) - self.origin) ** 2

        def width(view: Any) -> float:
            return float(np.sqrt(max(view.decayed() @ squares, 0.0)))  # round-off at time 0

        return {
            "energy": Observable(
                lambda view: view.decayed(),
                dims=("site",),
                description="energy of each island",
                symbol=r"e_i",
                needs=("decayed",),
            ),
            "width": Observable(width, description="sqrt(sum (i - start)^2 e_i)", needs=("decayed",)),
        }
