"""The view of a particle that hops between states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.observables.views import View

Array = NDArray[Any]
Real = NDArray[np.float64]


class HoppingView(View):
    """A view of one particle that hops among many states.

    Parameters
    ----------
    probabilities: probability of every state, (states,). density: mean number of particles on every site, (sites,).
    """

    probabilities: Array

    def __init__(self, probabilities: Array, density: Array) -> None:
        super().__init__()
        self.probabilities, self._density = probabilities, density

    @property
    def density(self) -> Real:
        """<n_i> of the particle: (sites,)."""
        return self._density
