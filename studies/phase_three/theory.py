"""What the paper claims of phase III, what two-point equations give, and a picture of emission and escape."""

import numpy as np
from numpy.typing import NDArray

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


def limit(
    n: NDArray[np.float64], values: NDArray[np.float64], powers: tuple[float, ...] = (1.0,)
) -> NDArray[np.float64]:
    """Coefficients of a fit a_0 + sum_k a_k n^(-powers_k), least squares: (1 + len(powers),)."""
    design = np.stack([np.ones_like(n), *[n**-power for power in powers]], axis=1)
    return np.linalg.lstsq(design, values, rcond=None)[0]
