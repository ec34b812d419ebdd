"""A disordered bar without end: localisation lengths from Lyapunov exponents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from tnness import InputError, Observable, register
from tnness.model.checks import check_blocks
from tnness.observables.observable import Estimate
from tnness.problems.transfer import RandomBar, Real, ring_hamiltonian
from tnness.typed import check_fields


@register("anderson-bar")
@dataclass(frozen=True, kw_only=True)
class AndersonBar:
    """An endless bar with a periodic cross-section of width x width sites and a potential uniform in [-W/2, W/2].

    The smallest Lyapunov exponent of its transfer matrices is the inverse localisation length at this width; scaling of
    Lambda = 1 / (gamma_min width) with the width locates the transition of the three-dimensional Anderson model. The
    slices are drawn when they are needed and are not kept; the same seed gives the same slices.

    K. Slevin, T. Ohtsuki, Phys. Rev. Lett. 82, 382 (1999), doi:10.1103/PhysRevLett.82.382: Lambda_c = 0.576(2),
    nu = 1.57.

    Agrees
    ------
    - the localisation length of a chain at strong disorder with 1/(ln(W/2) - 1) (Thouless), relative, to 0.01:
      test_strong_disorder_localises_on_the_scale_of_the_logarithm
    """

    width: int = 4  # sites across, in both directions
    length: int = 200_000  # slices in all, shared by independent bars
    disorder: float = 16.5  # width W of the potential's distribution
    energy: float = 0.0  # energy

    engines: ClassVar[tuple[str, ...]] = ("transfer",)

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("width", "length"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: at least 1 is needed")
        check_blocks(1, self.width**2, f"width = {self.width}")
        if not self.disorder > 0:
            raise InputError(
                f"disorder = {self.disorder:g}: a clean bar has no localisation length; a number > 0 is needed"
            )

    def small(self) -> Self:
        """Return a short bar of width 2."""
        return replace(self, width=min(self.width, 2), length=min(self.length, 20_000))

    def problem(self) -> RandomBar:
        """Return the bar: the distribution of its slices."""
        return RandomBar(ring_hamiltonian((self.width, self.width)), self._potential, self.energy, self.length)

    def _potential(self, rng: np.random.Generator, count: int) -> Real:
        return rng.uniform(-self.disorder / 2, self.disorder / 2, (count, self.width**2))

    def observables(self) -> dict[str, Observable]:
        """Return the exponents and Lambda, with their statistical errors."""
        return {
            "lyapunov": Observable(
                lambda view: Estimate(view.lyapunov().values, view.lyapunov().errors),
                dims=("exponent",),
                coordinates={"exponent": np.arange(self.width**2)},
                unit="1/slice",
                description="Lyapunov exponents, decreasing; the last is gamma_min",
                symbol=r"\gamma_i",
                needs=("lyapunov",),
            ),
            "localization_ratio": Observable(
                self._ratio, description="Lambda = 1 / (gamma_min width)", symbol=r"\Lambda", needs=("lyapunov",)
            ),
        }

    def _ratio(self, view: Any) -> Estimate:
        exponents = view.lyapunov()
        rate, error = exponents.values[-1], exponents.errors[-1]
        return Estimate(1 / (rate * self.width), error / (rate**2 * self.width))
