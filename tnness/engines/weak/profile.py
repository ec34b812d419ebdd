r"""The profile of a density that a chain transports from end to end, and how it responds.

The currents of a diffusive chain follow the gradients of the density, g_b = n_b - n_{b+1}, within a short time:
j_b = D_b g_b. Only the profile itself is slow, with relaxation times of order n^2 / D. A burst of evolution shows the
densities, the currents and what the reservoirs do, d n / d t = sources - div j, and the conductances

    D_b = (sum_w j g + s D) / (sum_w g^2 + s),   D = sum j g / sum g^2,

from a window w of bonds around b (s is a small share of the mean of sum_w g^2). With the rates k of the reservoirs,
which the terms give exactly, the profile moves by L^{-1} (d n / d t) until it rests, L = k_ends - Laplacian[D].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.engines.weak.bursts import Burst
from tnness.engines.weak.transported import Transported
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.product_view import ProductView
from tnness.problems.generator import ChainGenerator

Real = NDArray[np.float64]

WINDOW = 3
"""Bonds on either side of a bond from which its conductance is measured."""
SMOOTH = 0.02
"""Share of the mean of sum_w g^2 with which the conductance of the whole chain counts in a window."""
TILTS = 12
"""Most rounds of gates in a jump; each corrects what correlations made the round before miss."""
REACHED = 1e-6
"""Distance from the densities wanted, relative to the difference of the reservoirs, at which a jump is complete."""
OUTSIDE = 0.05
"""Share of the difference of the reservoirs by which a diffusive profile may lie outside of their values."""
SOON_AT_REST = 0.5
"""Largest share of its relaxation time that a profile may go through in a burst: in more, jumps save nothing."""
STEADY_WITHIN = 0.1
"""Largest relative change of the conductance of the chain from burst to burst."""
FIRST_FALL = 0.3
"""Largest relative fall of the conductance from the first burst to the second: a product state has no correlations, and
its currents flow freely at first."""
FALLS = 1 / 3
"""Largest ratio of two proposed steps, one burst after the other, that is not noise."""


class Profile:
    """The profile of a density as the slow variables of a chain; it learns the conductances from bursts.

    generator: of the chain. transported: the density.
    """

    def __init__(self, generator: ChainGenerator, transported: Transported) -> None:
        self.generator, self.transported = generator, transported
        self.count = self.n = transported.n
        self.conductances = np.ones(self.n - 1)
        """D_b, by the latest burst."""

    @property
    def start(self) -> Real:
        """The linear profile between the reservoirs."""
        first, last = self.transported.targets
        return first + (last - first) * np.arange(1, self.n + 1) / (self.n + 1)

    @property
    def spread(self) -> float:
        """The difference of the reservoirs."""
        first, last = self.transported.targets
        return abs(last - first)

    def energies(self, view: ProductView) -> Real:
        """Return the densities, the currents and the sources: (2 n + 1,)."""
        return self.transported.read(view)

    def burst(self, times: Real, samples: Real) -> Burst:
        """Return what the late part of a burst shows: means, and the noise by the means of its two halves."""
        middle = len(times) // 2
        mean, early, late = (part.mean(axis=0) for part in (samples, samples[:middle], samples[middle:]))
        drift, noise = self._drift(mean), (self._drift(late) - self._drift(early)) / 2
        return Burst(float(times[-1]), mean[: self.n], drift, noise, mean[self.n : 2 * self.n - 1])

    def _drift(self, sample: Real) -> Real:
        currents, sources = sample[self.n : 2 * self.n - 1], sample[2 * self.n - 1 :]
        drift = np.r_[0.0, currents] - np.r_[currents, 0.0]
        drift[[0, -1]] += sources
        return drift

    # ------------------------------------------------------------------ the response

    def learn(self, burst: Burst) -> None:
        """Take the conductances from a burst."""
        gradients = burst.energies[:-1] - burst.energies[1:]
        window = np.ones(2 * WINDOW + 1)
        heat, squares = (
            np.convolve(values, window)[WINDOW : WINDOW + self.n - 1]
            for values in (burst.flows * gradients, gradients**2)
        )
        smooth = SMOOTH * max(float(squares.mean()), 1e-300)
        self.conductances = (heat + smooth * conductance(burst)) / (squares + smooth)

    @property
    def is_diffusive(self) -> bool:
        """True where every conductance is positive: currents flow down the gradient."""
        return bool((self.conductances > 0).all())

    @property
    def _bands(self) -> Real:
        """L as the upper bands of a symmetric matrix: (2, n)."""
        between = self.conductances
        diagonal = np.r_[between, 0.0] + np.r_[0.0, between]
        diagonal[[0, -1]] += np.maximum(self.transported.rates, 0.0)
        return np.array([np.r_[0.0, -between], diagonal])

    def newton(self, drift: Real) -> Real:
        """Return the change of the densities that makes their drift vanish."""
        return linalg.solveh_banded(self._bands, drift) if self.is_diffusive else np.full(self.n, math.inf)

    @property
    def rate(self) -> float:
        """The smallest rate at which the profile relaxes (1 / time)."""
        if not self.is_diffusive:
            return math.nan
        bands = self._bands
        return float(
            linalg.eigh_tridiagonal(bands[1], bands[0, 1:], eigvals_only=True, select="i", select_range=(0, 0))[0]
        )

    def lasts(self, drift: Real, least: float) -> Real:
        """Return what is still to come of a drift along the chain, of sites (n,) or of bonds (n - 1,).

        Patterns relax at their own rates: that of a mode of the profile by itself; pairs of modes, whose wave numbers
        add up to that of a pattern, at half of it or faster. least: the smallest rate of all (1 / time).
        """
        if len(drift) == self.n:
            weights, (off, diagonal) = np.ones(self.n), self._bands
        else:  # d j / d t = D grad(div j), with free ends
            weights = np.sqrt(self.conductances)
            off, diagonal = np.r_[0.0, -weights[1:] * weights[:-1]], 2 * weights**2
            diagonal[0], diagonal[-1] = (w**2 for w in (weights[0], weights[-1]))
        rates, modes = linalg.eigh_tridiagonal(diagonal, off[1:])
        return weights * (modes @ (modes.T @ (drift / weights) / np.maximum(least, rates / 2)))

    def product(self, changes: Real) -> Real:
        """Return the products of all pairs of changes of the densities (change, density): (change, change)."""
        return changes @ changes.T

    def distance(self, change: Real) -> float:
        """Return the length of a change of the densities."""
        return float(np.linalg.norm(change))

    # ------------------------------------------------------------------ jumps

    def moved(self, state: ChainState, target: Real) -> ChainState:
        """Return the state after gates exp(x_i q_i / 2) . exp(x_i q_i / 2) that give the densities wanted.

        x_i is the change of ln((n - a)/(b - n))/(b - a), where a and b are the smallest and largest values of q_i: of a
        site of two levels alone this is exact. The next rounds correct what correlations change.
        """
        for _ in range(TILTS):
            now = self.energies(ChainView(state, self.generator.spaces, self.generator.functionals))[: self.n]
            if np.abs(target - now).max() <= REACHED * self.spread:
                break
            maps = self.transported.tilts(self._logit(target) - self._logit(now))
            tensors = [np.matmul(m.astype(t.dtype), t) for m, t in zip(maps, state.tensors, strict=True)]
            state = ChainState(tensors, None, state.log_norm)
            state.canonicalise(0)
        return state

    def _logit(self, densities: Real) -> Real:
        low, high = self.transported.levels.T
        inside = np.clip(densities, low + 1e-9 * (high - low), high - 1e-9 * (high - low))
        return np.log((inside - low) / (high - inside)) / (high - low)

    # ------------------------------------------------------------------ where there is no normal diffusion

    def objection(self, end: Real, length: float = 0.0) -> str:
        """Return why the profile cannot be trusted to be diffusive; empty where it can.

        Parameters
        ----------
        end: the densities after the proposed jump. length: the time of a burst.
        """
        if not self.is_diffusive:
            return "a current flows up the gradient"
        if self.rate * length > SOON_AT_REST:
            return "the profile relaxes soon by itself"
        lowest, highest = sorted(self.transported.targets)
        low, high = self.transported.levels.T
        margin = OUTSIDE * self.spread
        if not np.isfinite(end).all() or ((end < lowest - margin) | (end > highest + margin)).any():
            return "the profile would leave the range of the reservoirs"
        if ((end <= low) | (end >= high)).any():
            return "the profile would leave the range of the density"
        return ""

    def unsteady(self, bursts: Sequence[Burst], first: bool = True) -> str:
        """Return how the conductance of the chain changes from the burst before the last to the last; empty if little.

        Parameters
        ----------
        bursts: as many as there are. first: whether the very first burst of a product state may be the one before.
        """
        if len(bursts) < 2:
            return ""
        before, now = (conductance(burst) for burst in bursts[-2:])
        falls = FIRST_FALL if first and len(bursts) == 2 else STEADY_WITHIN
        if -falls * before <= now - before <= STEADY_WITHIN * before:
            return ""
        return f"the conductance changes from {before:.3g} to {now:.3g}"


def conductance(burst: Burst) -> float:
    """Return the conductance of a whole chain, by the currents and gradients of a burst."""
    gradients = burst.energies[:-1] - burst.energies[1:]
    return float(burst.flows @ gradients) / max(float(gradients @ gradients), 1e-300)
