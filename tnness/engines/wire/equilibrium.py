"""Correlations of the filled levels of a chain between leads, at zero temperature.

All states of the infinite system below mu are filled, bound states included:

    theta(mu - H)_xy = 1/2 delta_xy + 1/pi int_0^oo dy Re G_xy(mu + i y),

on a line that meets no resonance. With y = e^s the trapezoidal rule of step h converges exponentially, as
e^(-pi^2 / h); its terms beyond both ends form geometric series, which are summed.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from tnness.engines.wire.elimination import inverse
from tnness.problems.transfer import TransferChain

Real = NDArray[np.float64]

LOG_STEP = 0.3
"""Step h of the trapezoidal rule: e^(-pi^2 / h) = 5e-15."""
LOWEST, HIGHEST = 1e-9, 1e6
"""Ends of the line in y. Below LOWEST, G is constant unless a level is as close to mu; above HIGHEST, G = 1/(i y)."""


def filled_correlations(chain: TransferChain, mu: float) -> Real:
    """Return <c^+_x c_y> with every state below mu filled: real, (slice m, slice m)."""
    dense = chain.matrix()
    size, m = len(dense), chain.m
    left, right = chain.leads
    total = np.zeros((size, size))
    points = np.arange(math.log(LOWEST), math.log(HIGHEST), LOG_STEP)
    beyond = 1 / math.expm1(LOG_STEP)  # sum of e^(-j h), j = 1, 2, ...
    for k, s in enumerate(points):
        energy = mu + 1j * math.exp(s)
        block = energy * np.eye(size) - dense
        block[:m, :m] -= left.self_energy(energy)
        block[-m:, -m:] -= right.self_energy(energy)
        weight = 1 + (beyond if k in (0, len(points) - 1) else 0)
        total += weight * math.exp(s) * np.real(inverse(block))
    return np.eye(size) / 2 + LOG_STEP / math.pi * (total + total.T) / 2


def bound_states(chain: TransferChain) -> tuple[int, int]:
    """Return how many bound states lie below and above the band of the leads.

    Outside the band E - H - Sigma(E) is real and its eigenvalues grow with E. So there are as many bound states as
    eigenvalues of H + Sigma(edge) beyond the edge.
    """
    edges = chain.thresholds()
    counts = []
    for edge, sign in ((edges[0] - 1e-9, 1), (edges[-1] + 1e-9, -1)):
        dense = chain.matrix().astype(complex)
        m = chain.m
        dense[:m, :m] += chain.leads[0].self_energy(edge)
        dense[-m:, -m:] += chain.leads[1].self_energy(edge)
        levels = scipy.linalg.eigvalsh(np.real(dense))
        counts.append(int(np.sum(sign * (edge - levels) > 0)))
    return counts[0], counts[1]
