"""A random circuit without conservation law, driven by pure qudits at one end: averaged strings of operators."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tnness import ChainGenerator, InputError, Observable, register
from tnness.model.checks import check_sites
from tnness.operators.basis import LocalSpace, operator_space
from tnness.problems.ensembles import haar_replica_map
from tnness.typed import check_fields

Real = NDArray[np.float64]

MOST_LEVELS = 8
"""Most levels of a site."""


@cache
def strings(levels: int = 2) -> LocalSpace:
    """Return two states a site, on two replicas: trivial operators and all others.

    1 x 1 and the sum of S x S^+ over the d^2 - 1 operators S that are orthogonal to 1, both normalised: what survives
    the average over Haar gates.

    >>> strings(3).dim
    2
    """
    trivial = np.eye(levels**2) / levels
    rest = (swap(levels) - trivial) / np.sqrt(levels**2 - 1)
    name = "string" if levels == 2 else f"string of {levels} levels"
    return operator_space(name, [trivial, rest], {"Swap": swap(levels)})


def swap(levels: int) -> Real:
    """Return the swap of two replicas of a site: (d^2, d^2)."""
    return np.eye(levels**2).reshape([levels] * 4).swapaxes(0, 1).reshape(levels**2, levels**2)


def classes(levels: int) -> Real:
    """Return factors from coefficients to populations: sums of |a_S|^2 over the strings of a class: (2,).

    rho = d^-n sum_S a_S S with Tr S^+ S = d a site.
    """
    return levels * np.array([1.0, np.sqrt(levels**2 - 1)])


PRINTED = np.array([[1, 0, 0, 0], *[[0, 1 / 3, 1 / 3, 1 / 3]] * 3])
"""The bulk map of (F6), on populations of 00, 01, 10, 11."""


@register("haar-circuit")
@dataclass(frozen=True, kw_only=True)
class HaarCircuit:
    """Random circuit of Haar gates on neighbours, whose first site meets fresh pure qudits: its average purity.

    A gate at the left end acts on a fresh qudit in level 0 and on site 0, and the qudit is discarded; the right end is
    closed. The averaged replica is a chain of trivial and nontrivial operators. Exact steady states, d = levels:

        E Tr rho^2 = (d + 1) d^n / (d^(2n + 1) + 1)  (Haar gates),   2 / (2^n + 1)  (the paper's printed bulk map),

    so that the entropy lacks log2(1 + 1/d) bit, or one bit, of its maximum. The purity P_x of the sites from x on obeys
    P_x = k (P_(x-1) + P_(x+1)) with k = d/(d^2 + 1), P_0 = k (P_0 + P_1) and P_n = 1: P_x ~ d^x + d^(-x-1).
    M. J. Gullans, D. A. Huse, Phys. Rev. X 9,
    021007 (2019), doi:10.1103/PhysRevX.9.021007, App. F; its eq. (F6) is not the average over the Haar measure.

    Agrees
    ------
    - the purity of two to ten sites, of two to four levels, with both closed forms, relative, to 1e-9:
      test_purity_is_the_closed_form
    - the purity of circuits of spins and of three levels that are drawn, within 4 standard errors; the printed map is
      more than 6 of them away: test_drawn_circuits_have_this_purity
    - the deficit of forty sites with log2(3/2), to 1e-4: test_forty_sites_are_certified
    """

    n: int = 6  # number of sites
    bulk: Literal["haar", "printed"] = "haar"  # the average over U(d^2), or the matrix that the paper prints
    levels: int = 2  # of a site, d

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        if self.bulk not in ("haar", "printed"):
            raise InputError(f"bulk = {self.bulk!r} is not one of haar, printed")
        if not 2 <= self.levels <= MOST_LEVELS:
            raise InputError(f"levels = {self.levels}: 2 to {MOST_LEVELS} levels a site are needed")
        if self.bulk == "printed" and self.levels != 2:
            raise InputError(f"levels = {self.levels}: the printed matrix is that of two levels")

    def small(self) -> Self:
        """Return a chain of three sites."""
        return replace(self, n=min(self.n, 3))

    def problem(self) -> ChainGenerator:
        """Return the chain; unit time is n gates."""
        sites = [self.end_map, *[np.zeros((2, 2))] * (self.n - 1)]
        bonds = [self._bulk_map - np.eye(4)] * (self.n - 1)
        space = strings(self.levels)
        purity = {"purity": [space.covector(swap(self.levels)).real] * self.n}
        # In the plain norm, the strings that make up the purity weigh d^-2n beside the trivial string.
        weights = np.array([1.0, 2.0 ** round(np.log2(self.levels))])
        return ChainGenerator([space] * self.n, sites, bonds, purity, metric=[weights] * self.n)

    def observables(self) -> dict[str, Observable]:
        """Return the purity, and for each site the weight of X, Y and Z on it."""

        def weights(view: Any) -> list[float]:
            return [view.contract({i: np.array([0.0, classes(self.levels)[1]])}).real for i in range(self.n)]

        def lost(view: Any) -> float:
            return self.n * float(np.log2(self.levels)) + float(np.log2(view.functional("purity")))

        return {
            "purity": Observable(
                lambda view: view.functional("purity"),
                description="E Tr rho^2",
                symbol=r"E\,\mathrm{Tr} \rho^2",
                needs=("functional",),
            ),
            "deficit": Observable(lost, unit="bit", description="n log2 d + log2 E Tr rho^2", needs=("functional",)),
            "weight": Observable(
                weights, ("site",), description="sum of |a_S|^2 over the nontrivial S on one site", needs=("contract",)
            ),
        }

    @cached_property
    def _bulk_map(self) -> Real:
        if self.bulk == "haar":
            return haar_replica_map(strings(self.levels))
        scale = np.kron(classes(2), classes(2))
        return PRINTED * scale[None, :] / scale[:, None]

    @property
    def end_map(self) -> Real:
        """The map of the left end minus 1: a gate acts on a fresh pure qudit, which is traced out again: (2, 2)."""
        space, pure = strings(self.levels), np.zeros((self.levels, self.levels))
        pure[0, 0] = 1.0
        fresh, bond = space.vector(np.kron(pure, pure)), haar_replica_map(space).reshape(2, 2, 2, 2)
        return np.einsum("a,abcd,c->bd", space.trace, bond, fresh) - np.eye(2)
