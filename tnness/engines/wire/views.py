"""The views of transfer chains, of their decay, and of random bars."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.engines.fermions.view import GaussianView
from tnness.engines.wire import equilibrium, lyapunov, scattering
from tnness.engines.wire.decay import Decay
from tnness.engines.wire.elimination import Elimination
from tnness.engines.wire.poles import find_poles, refined
from tnness.engines.wire.quadrature import energy_panels
from tnness.engines.wire.window import Integral, Quadrature, integrate
from tnness.errors import InputError
from tnness.observables.views import View
from tnness.operators.basis import spinless
from tnness.problems.transfer import RandomBar, TransferChain

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Report = Callable[[str, float], None]


class TransferView(View):
    """The view of a transfer chain. Each quantity is computed once.

    Parameters
    ----------
    chain: the problem. quadrature: how energy integrals are done.
    figures: dictionary for the certificate's figures. report: called with the present task and the fraction done.
    """

    def __init__(self, chain: TransferChain, quadrature: Quadrature, figures: dict[str, float], report: Report) -> None:
        super().__init__()
        self.chain, self.quadrature, self.figures, self.report = chain, quadrature, figures, report
        self._computed: dict[Any, Any] = {}

    def decayed(self) -> Real:
        """Refuse: only a time evolution gives a decay.

        Raises
        ------
        InputError: always.
        """
        raise InputError("a decay is asked for at times: give --time")

    def solution(self) -> Real:
        """Return u of H u = source between the ends: (..., slice, m)."""
        return self._once("solution", self._solved)

    def _solved(self) -> Real:
        source = self.chain.fixed_source()
        columns = np.moveaxis(source, -2, 0)[..., None]  # (slice, ..., m, 1)
        solution = np.moveaxis(Elimination(self.chain).solve(-columns)[..., 0], 0, -2)
        residual = _applied(self.chain, solution) - source
        scale = np.abs(_applied(self.chain, solution, absolute=True)).max() + np.abs(source).max()
        self._worst("linear_residual", float(np.abs(residual).max() / scale) if scale else 0.0)
        return solution

    def transmission(self, energies: ArrayLike) -> Real:
        """Return T(E): (..., energy). Unitarity is checked at the energy that is farthest from any threshold."""
        grid = np.atleast_1d(np.asarray(energies, dtype=float))
        self.report("transmission", 0.0)
        transmitted = scattering.transmission(self.chain, grid)
        if not self.chain.batch:
            distance = np.abs(grid[:, None] - self.chain.thresholds()).min(axis=1)
            self.check_unitarity(float(grid[int(np.argmax(distance))]))
        return transmitted

    def states(self, energy: float) -> scattering.ScatteringStates:
        """Return the scattering states of one energy."""
        return self._once(("states", energy), lambda: scattering.scattering_states(self.chain, energy))

    def resonances(self, levels: ArrayLike) -> Complex:
        """Return the pole of G that belongs to each level of the chain without leads: (level,).

        It is the pole closest to the level, refined with the full self-energy; NaN if none is within a distance of 1.
        """
        resonances = []
        for level in np.asarray(levels, dtype=float):
            poles = find_poles(self.chain, float(level), 1.0)
            if not len(poles.values):
                resonances.append(complex(math.nan, math.nan))
                continue
            closest = int(np.argmin(np.abs(poles.values - level)))
            resonances.append(refined(self.chain, poles.values[closest], poles.vectors[..., closest], 1.0)[0])
        return np.array(resonances)

    def check_unitarity(self, energy: float) -> None:
        """Put the largest element of S^+ S - 1 into the certificate."""
        matrix = self._once(("S", energy), lambda: scattering.scattering_matrix(self.chain, energy))
        if len(matrix):
            self._worst("unitarity", float(np.abs(matrix.conj().T @ matrix - np.eye(len(matrix))).max()))

    def nonequilibrium(self, bias: float, rule: str = "auto", matrix: bool = False) -> Integral:
        """Return G^d for mu_L - mu_R = bias, between -bias / 2 and bias / 2."""
        return self._once(("nonequilibrium", bias, rule, matrix), lambda: self._integrated(bias, rule, matrix))

    def _integrated(self, bias: float, rule: str, matrix: bool) -> Integral:
        integral = integrate(self.chain, -bias / 2, bias / 2, self.quadrature, rule, matrix, self.report)
        self.check_unitarity(energy_panels(-bias / 2, bias / 2, self.chain.thresholds())[0].centre)
        self._worst("quadrature", integral.relative_error)
        self.figures |= {"energies": float(integral.energies), "poles": integral.poles, "plain_share": integral.plain}
        current = integral.coherence.current
        size = float(np.abs(current).max(initial=0))
        self._worst("current_spread", float(np.ptp(current)) / size if size else 0.0)
        return integral

    def equilibrium(self, bias: float) -> Real:
        """Return G^s, the mean of the filled levels below bias / 2 and below -bias / 2: (sites, sites), real."""
        return self._once(("equilibrium", bias), lambda: self._filled(bias))

    def _filled(self, bias: float) -> Real:
        below, above = equilibrium.bound_states(self.chain)
        self.figures |= {"bound_states_below": float(below), "bound_states_above": float(above)}
        self.report("filled levels", 0.0)
        lower = equilibrium.filled_correlations(self.chain, -bias / 2)
        self.report("filled levels", 0.5)
        return (lower + equilibrium.filled_correlations(self.chain, bias / 2)) / 2

    def filled(self, bias: float, rule: str = "auto") -> GaussianView:
        """Return the view of the state with all levels filled, by its correlation matrix G = G^s + G^d."""
        return self._once(("filled", bias, rule), lambda: self._state(bias, rule))

    def _state(self, bias: float, rule: str) -> GaussianView:
        matrix = self.nonequilibrium(bias, rule, matrix=True).coherence.matrix
        assert matrix is not None
        return GaussianView(self.equilibrium(bias) + matrix, [spinless] * (self.chain.slices * self.chain.m))

    def _once(self, key: Any, compute: Callable[[], Any]) -> Any:
        if key not in self._computed:
            self._computed[key] = compute()
        return self._computed[key]

    def _worst(self, name: str, value: float) -> None:
        self.figures[name] = max(value, self.figures.get(name, 0.0))


class DecayView(View):
    """The view of a chain's source after some time.

    decay: the modes of the chain. time: time since the decay began.
    """

    def __init__(self, decay: Decay, time: float) -> None:
        super().__init__()
        self.decay, self.time = decay, time

    def decayed(self) -> Real:
        """Return u(t): (..., slice)."""
        return self.decay.at(self.time)


class BarView(View):
    """The view of a random bar.

    bar: the problem. rng: draws its slices. blocks: independent bars. figures: dictionary for the certificate's
    figures.
    """

    def __init__(self, bar: RandomBar, rng: np.random.Generator, blocks: int, figures: dict[str, float]) -> None:
        super().__init__()
        self.bar, self.rng, self.blocks, self.figures = bar, rng, blocks, figures
        self._exponents: lyapunov.Exponents | None = None

    def lyapunov(self) -> lyapunov.Exponents:
        """Return the exponents, with errors."""
        if self._exponents is None:
            self._exponents = lyapunov.lyapunov(self.bar, self.rng, self.blocks)
            smallest, error = self._exponents.values[-1], self._exponents.errors[-1]
            self.figures |= {"slices": float(self._exponents.slices), "statistical": float(error / smallest)}
        return self._exponents


def _applied(chain: TransferChain, vector: Real, absolute: bool = False) -> Real:
    """Return H v, or |H| |v| as the scale of its round-off: (..., slice, m)."""
    blocks, couplings = chain.onsite, chain.coupling
    if absolute:
        chain = TransferChain(np.abs(blocks), np.abs(couplings))
        vector = np.abs(vector)
    product = (chain.onsite @ vector[..., None])[..., 0]
    for x in range(chain.slices - 1):
        product[..., x, :] += chain.couple(x, vector[..., x + 1, :, None])[..., 0]
        product[..., x + 1, :] += chain.couple(x, vector[..., x, :, None], back=True)[..., 0]
    return product
