"""What the paper claims of phase III, what two-point equations give, and a picture of emission and escape."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from tnness import find
from tnness.model.protocol import generator_of
from tnness_models.replica_solutions import TwoPoint, two_point


def claimed(n: NDArray[np.float64], p1: float, p2: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Delta S / delta^2 of (38) and I / delta^2 of (39)."""
    alpha1, alpha2, alpha3 = 3 - p1, 2 + np.sqrt(2 * p2 / (2 - p2)), np.sqrt(2 * (2 - p2))
    return (alpha1 / p1 + alpha2 / p2) / n, alpha3 / (n**2 * p2**1.5)


def truncated(n: int, p1: float, p2: float) -> TwoPoint:
    """The lattice equations of order delta^2, cut off behind two-point functions."""
    return two_point(generator_of(find("replica-abc")(n=n, p1=p1, p2=p2, order="second")))


def escape(z: NDArray[np.float64], velocity: float) -> NDArray[np.float64]:
    """I(z) / delta^2 if pairs of fronts, emitted everywhere at the rate 2 delta^2/L, leave at this velocity."""
    return z * (1 - z) / velocity


END_BOND = 5 / 6
"""What an end bond emits, in units of delta^2/(n + 1)^2; an inner bond emits 2."""


def emitted(n: int) -> NDArray[np.float64]:
    """Rate at which bond k = 0..n feeds Delta S / delta^2 from local equilibrium: (n + 1,).

    2/(n + 1)^2 at an inner bond, (5/6)/(n + 1)^2 at an end bond. The chain itself emits the sum, (2 n - 1/3)/(n + 1)^2
    (test_the_rate_of_emission_is_the_chains); how the end bonds share what the inner ones leave is by symmetry.
    """
    rates = np.full(n + 1, 2.0)
    rates[[0, -1]] = END_BOND
    return rates / (n + 1) ** 2


def within(
    place: NDArray[np.float64], end: NDArray[np.float64], time: NDArray[np.float64], velocity: float, diffusivity: float
) -> NDArray[np.float64]:
    """Probability that a walk from 0 with drift is below `place` and has not met `end` >= place before."""
    width = np.sqrt(2 * diffusivity * time)
    image = np.exp(velocity * end / diffusivity + log_ndtr((place - 2 * end - velocity * time) / width))
    return ndtr((place - velocity * time) / width) - image


def escaping(n: int, velocity: float, diffusivity: float, offset: float = 0.5) -> tuple[float, float]:
    """Delta S and I of the halves, per delta^2, of a chain whose operators leave with the measured fronts; no fit.

    Every bond emits pairs at the chain's rate. Both ends of a pair drift outwards as walks of their own, and the first
    of them that meets its reservoir takes the pair with it; from bond k the way is k + offset or n - k + offset sites.
    I counts the pairs with an end in each half.
    """
    half, bonds = n // 2, np.arange(n + 1.0)[:, None]
    time = (4 * (n + 2) / velocity + 40) * np.linspace(0, 1, 1001)[1:] ** 2  # dense where short ways end
    left, right = bonds + offset, n - bonds + offset
    stays_left, stays_right = (within(end, end, time, velocity, diffusivity) for end in (left, right))
    # beyond the cut: right ends of the pairs from its left, left ends of those from its right
    there = np.where(bonds < half, half - bonds - 0.5, bonds - half - 0.5)
    far, near = np.where(bonds < half, right, left), np.where(bonds < half, stays_left, stays_right)
    crossed = within(far, far, time, velocity, diffusivity) - within(there, far, time, velocity, diffusivity)
    shared = np.where(bonds == half, stays_left * stays_right, near * crossed)
    lifetimes = np.trapezoid(np.stack([stays_left * stays_right, shared]), time, axis=-1)  # (quantity, bond)
    deviation, information = lifetimes @ emitted(n)
    return float(deviation), float(information)


def limit(
    n: NDArray[np.float64], values: NDArray[np.float64], powers: tuple[float, ...] = (1.0,)
) -> NDArray[np.float64]:
    """Coefficients of a fit a_0 + sum_k a_k n^(-powers_k), least squares: (1 + len(powers),)."""
    design = np.stack([np.ones_like(n), *[n**-power for power in powers]], axis=1)
    return np.linalg.lstsq(design, values, rcond=None)[0]
