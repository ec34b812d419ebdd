"""The thermal resistor network of the Griffiths regime: islands with temperatures, links of random length."""

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


@register("thermal-network")
@dataclass(frozen=True, kw_only=True)
class ThermalNetwork:
    """Islands with temperatures T_i joined by links of random length, each coupled to a bath and heated.

    0 = sum_links G (T_j - T_i) - eps g1_i (T_i - T0) + eps theta g2_i,  G(l) = eps kappa0 / l^(2-d) + gamma0 exp(-l/a),
    p(l) ~ exp(-(l/xi)^d) for l >= a, xi = a/alpha, and g1, g2 uniform in gbar +- dg. A line of n islands, or a square
    of n x n with links along both axes; open edges. The average over realizations is sqrt(<<variance>>)/<<mean>>.

    Z. Lenarčič, O. Alberton, A. Rosch, E. Altman, Phys. Rev. Lett. 125, 116601 (2020), eqs. (3), (13),
    doi:10.1103/PhysRevLett.125.116601.

    Agrees
    ------
    - two islands by hand, relative, to 1e-14: test_two_islands_by_hand
    - lines and squares with a sparse direct solution, to 1e-12: test_equals_the_sparse_direct_solve
    - equal links heated at one end with cosh(q (n - 1/2 - i)), relative, to 1e-12:
      test_equal_links_give_the_discrete_cosh
    - the power of eps in the variation with alpha/(2 (1 + alpha)), that is z = 1 + 1/alpha, to 0.006; the paper's
      alpha/2 is more than 0.02 away: test_fluctuations_scale_with_one_plus_the_inverse_of_alpha
    """

    n: int = 1000  # islands along each direction
    alpha: float = 0.5  # shortest over typical excess length of a link, a/xi
    eps: float = 1e-2  # coupling to bath and drive
    dim: int = 1  # dimensions: 1 or 2
    a: float = 1.0  # shortest link
    kappa0: float = 1.0  # conductance that the coupling induces in a link, over eps
    gamma0: float = 5.0  # conductance of an insulating link, without its exponential
    t0: float = 1.0  # temperature of the bath
    theta: float = 1.0  # strength of the drive
    gbar: float = 1.0  # mean coupling of an island
    dg1: float = 0.05  # half width of the couplings to the bath
    dg2: float = 0.05  # half width of the couplings to the drive
    lengths: tuple[float, ...] | None = (
        None  # lengths of the links, along the chain first, then across; drawn unless given
    )
    g1: tuple[float, ...] | None = None  # coupling of each island to the bath, drawn unless given
    g2: tuple[float, ...] | None = None  # coupling of each island to the drive, drawn unless given

    engines: ClassVar[tuple[str, ...]] = ("transfer",)

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_rates({"eps": self.eps, "dg1": self.dg1, "dg2": self.dg2})
        if not self.eps > 0:
            raise InputError("eps = 0: without a coupling to the bath the temperature is not determined")
        if not self.gbar > self.dg1:
            raise InputError(
                f"gbar = {self.gbar:g}: must exceed dg1 = {self.dg1:g}, every island loses heat to the bath"
            )
        _ = self.links
        check_blocks(self.n, self._width, f"n = {self.n}, dim = {self.dim}")
        for name, count in (("lengths", self._link_count), ("g1", self._islands), ("g2", self._islands)):
            values = getattr(self, name)
            if values is None:
                continue
            array = np.asarray(values, dtype=float)
            if array.shape != (count,) or not np.isfinite(array).all():
                raise InputError(f"{name} takes {count} finite numbers, but has shape {array.shape}")
            object.__setattr__(self, name, tuple(array.tolist()))

    @property
    def links(self) -> Links:
        """The distribution of the links' lengths, and their conductance."""
        return Links(alpha=self.alpha, dim=self.dim, a=self.a, kappa=self.kappa0, gamma=self.gamma0)

    @property
    def _width(self) -> int:
        return 1 if self.dim == 1 else self.n

    @property
    def _islands(self) -> int:
        return self.n * self._width

    @property
    def _link_count(self) -> int:
        return (self.n - 1) * self._width + self.n * (self._width - 1)

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with lengths, then g1, then g2 drawn; all are drawn, but given values are kept."""
        lengths = self.links.draw(rng, self._link_count)
        g1 = self.gbar + rng.uniform(-self.dg1, self.dg1, self._islands)
        g2 = self.gbar + rng.uniform(-self.dg2, self.dg2, self._islands)
        drawn = {"lengths": lengths, "g1": g1, "g2": g2}
        return replace(self, **{k: tuple(v.tolist()) for k, v in drawn.items() if getattr(self, k) is None})

    def small(self) -> Self:
        """Return four islands along each direction."""
        return replace(self, n=min(self.n, 4), lengths=None, g1=None, g2=None)

    def problem(self) -> TransferChain:
        """Return the network; lengths and couplings must have been drawn or given."""
        if self.lengths is None or self.g1 is None or self.g2 is None:
            raise InputError("lengths, g1 and g2 are neither given nor drawn: draw(rng) sets them")
        return self.chain(np.array(self.lengths), np.array(self.g1), np.array(self.g2), self.eps)

    def chain(self, lengths: Array, g1: Array, g2: Array, eps: ArrayLike) -> TransferChain:
        """Return many realizations as one batch.

        Parameters
        ----------
        lengths: (..., link). g1, g2: (..., island). eps: broadcast against the leading axes.
        """
        eps = np.asarray(eps, dtype=float)[..., None]
        conductance = self.links.conductance(lengths, eps)
        split = (self.n - 1) * self._width
        along = conductance[..., :split].reshape(*conductance.shape[:-1], self.n - 1, self._width)
        across = conductance[..., split:].reshape(*conductance.shape[:-1], self.n, self._width - 1)
        shape = (self.n, self._width)
        sinks, sources = eps * g1, eps * (g1 * self.t0 + self.theta * g2)
        return resistor_chain(
            along,
            across,
            sinks=sinks.reshape(*sinks.shape[:-1], *shape),
            sources=sources.reshape(*sources.shape[:-1], *shape),
        )

    def observables(self) -> dict[str, Observable]:
        """Return the temperatures, their variation, and the mean and variance that make it up."""

        def temperatures(view: Any) -> Array:
            values = view.solution()
            return values[..., 0] if self.dim == 1 else values

        def variation(view: Any) -> float:
            return float(view.solution().std() / view.solution().mean())

        dims = ("site",) if self.dim == 1 else ("site", "site_2")
        return {
            "temperature": Observable(
                temperatures,
                dims=dims,
                unit="T0",
                description="temperature of each island",
                symbol=r"T_i",
                needs=("solution",),
            ),
            "temperature_variation": Observable(
                variation, description="standard deviation over mean of the islands", needs=("solution",)
            ),
            "temperature_mean": Observable(
                lambda view: view.solution().mean(), unit="T0", description="mean over islands", needs=("solution",)
            ),
            "temperature_variance": Observable(
                lambda view: view.solution().var(),
                unit="T0^2",
                description="mean square deviation over the islands",
                needs=("solution",),
            ),
        }
