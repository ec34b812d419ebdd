"""Classical hopping with rates that factorise: every state exchanges with every other one through a single place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.digest.arrays import EIGENVECTOR_DIGITS, magnitudes, of_array
from tnness.digest.content import digest
from tnness.errors import ModelError
from tnness.typed import check_fields

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FactorisedHopping:
    """The master equation dp_a/dt = sum_b Gamma_ab (p_b - p_a) with Gamma_ab = g_a g_b, a matrix of rank one.

    Parameters
    ----------
    couplings: g (states,), >= 0; they may span hundreds of decades.
    initial: probabilities at time 0 (states,).
    shapes: density of each state on the sites (sites, states), columns adding to 1; None where states are sites.
    """

    couplings: Vector
    initial: Vector
    shapes: Vector | None = None

    def __post_init__(self) -> None:
        check_fields(self, "a hopping problem")
        g, p = self.couplings, self.initial
        if g.ndim != 1 or len(g) < 2 or not np.isfinite(g).all() or (g < 0).any() or not g.any():
            raise ModelError("the couplings of a hopping problem are two or more finite numbers >= 0, not all 0")
        if p.shape != g.shape or (p < 0).any() or abs(p.sum() - 1) > 1e-9:
            raise ModelError(f"the initial probabilities must be {len(g)} numbers >= 0 that add to 1")
        if self.shapes is not None and (self.shapes.ndim != 2 or self.shapes.shape[1] != len(g)):
            raise ModelError(f"the shapes of {len(g)} states must have shape (sites, {len(g)})")

    def summary(self) -> str:
        """Return what the problem is, in one line."""
        return f"classical hopping among {len(self.couplings)} states through one place"

    def digest(self) -> str:
        """Return a hash of the couplings, the start and the shapes.

        Without shapes the smallest couplings count as much as the largest. With shapes all of them come out of an
        eigensolver, whose round-off is of the size of the largest and is amplified by small gaps.
        """
        if self.shapes is None:
            return digest("hopping", magnitudes(self.couplings), self.initial)
        return digest(
            "hopping", *(of_array(array, EIGENVECTOR_DIGITS) for array in (self.couplings, self.initial, self.shapes))
        )
