"""A random circuit without conservation law, driven by polarised spins at one end: averaged strings of operators."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tnness import ChainGenerator, InputError, Observable, register
from tnness.model.checks import check_sites
from tnness.operators.basis import operator_space
from tnness.problems.ensembles import haar_replica_map
from tnness.typed import check_fields

Real = NDArray[np.float64]

_PAULIS = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
_PAIRS = [np.eye(4) / 2, np.sum([np.kron(p, p) for p in _PAULIS], axis=0) / np.sqrt(12)]
SWAP = np.eye(4)[[0, 2, 1, 3]]
strings = operator_space("string", _PAIRS, {"Swap": SWAP})
"""Two states a site: 1 x 1 and (X x X + Y x Y + Z x Z), the operators on two replicas that survive the Haar average."""
_CLASSES = np.array([2.0, np.sqrt(12)])
"""Factors from coefficients to populations: sums of a_S^2 over the strings of a class, rho = 2^-n sum_S a_S S."""
WEIGHTS = np.array([1.0, 2.0])
"""Metric of truncation. In the plain norm, the strings that make up the purity weigh 4^-n beside the trivial string."""
PRINTED = np.array([[1, 0, 0, 0], *[[0, 1 / 3, 1 / 3, 1 / 3]] * 3])
"""The bulk map of (F6), on populations of 00, 01, 10, 11."""


@register("haar-circuit")
@dataclass(frozen=True, kw_only=True)
class HaarCircuit:
    """Random circuit of Haar gates on neighbours, whose first site meets fresh polarised spins: its average purity.

    A gate at the left end acts on a fresh spin up and on site 0, and the spin is discarded; the right end is closed.
    The averaged replica is a chain of trivial and nontrivial operators. Exact steady states:

        E Tr rho^2 = 3 2^n / (2 4^n + 1)  (Haar gates),   2 / (2^n + 1)  (the paper's printed bulk map),

    so that the entropy lacks log2(3/2) bit, or one bit, of its maximum. M. J. Gullans, D. A. Huse, Phys. Rev. X 9,
    021007 (2019), doi:10.1103/PhysRevX.9.021007, App. F; its eq. (F6) is not the average over the Haar measure.

    Agrees
    ------
    - the purity of two to ten sites with both closed forms, relative, to 1e-9: test_purity_is_the_closed_form
    - the purity of circuits that are drawn, within 4 standard errors; the printed map is more than 6 of them away:
      test_drawn_circuits_have_this_purity
    - the deficit of forty sites with log2(3/2), to 1e-4: test_forty_sites_are_certified
    """

    n: int = 6  # number of sites
    bulk: Literal["haar", "printed"] = "haar"  # the average over U(4), or the matrix that the paper prints

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        if self.bulk not in ("haar", "printed"):
            raise InputError(f"bulk = {self.bulk!r} is not one of haar, printed")

    def small(self) -> Self:
        """Return a chain of three sites."""
        return replace(self, n=min(self.n, 3))

    def problem(self) -> ChainGenerator:
        """Return the chain; unit time is n gates."""
        sites = [self.end_map, *[np.zeros((2, 2))] * (self.n - 1)]
        bonds = [self._bulk_map - np.eye(4)] * (self.n - 1)
        purity = {"purity": [strings.covector(SWAP).real] * self.n}
        return ChainGenerator([strings] * self.n, sites, bonds, purity, metric=[WEIGHTS] * self.n)

    def observables(self) -> dict[str, Observable]:
        """Return the purity, and for each site the weight of X, Y and Z on it."""

        def weights(view: Any) -> list[float]:
            return [view.contract({i: np.array([0.0, _CLASSES[1]])}).real for i in range(self.n)]

        def lost(view: Any) -> float:
            return self.n + float(np.log2(view.functional("purity")))

        return {
            "purity": Observable(
                lambda view: view.functional("purity"),
                description="E Tr rho^2",
                symbol=r"E\,\mathrm{Tr} \rho^2",
                needs=("functional",),
            ),
            "deficit": Observable(lost, unit="bit", description="n + log2 E Tr rho^2", needs=("functional",)),
            "weight": Observable(
                weights, ("site",), description="sum of a_S^2 over S = X, Y, Z on one site", needs=("contract",)
            ),
        }

    @cached_property
    def _bulk_map(self) -> Real:
        if self.bulk == "haar":
            return haar_replica_map(strings)
        scale = np.kron(_CLASSES, _CLASSES)
        return PRINTED * scale[None, :] / scale[:, None]

    @property
    def end_map(self) -> Real:
        """The map of the left end minus 1: a gate acts on a fresh spin up, which is traced out again: (2, 2)."""
        up = np.diag([1.0, 0.0])
        fresh, bond = strings.vector(np.kron(up, up)), haar_replica_map(strings).reshape(2, 2, 2, 2)
        return np.einsum("a,abcd,c->bd", strings.trace, bond, fresh) - np.eye(2)
