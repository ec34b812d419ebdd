"""The symmetric simple exclusion process."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from systems.dense import LOWER, OCCUPATION, RAISE, Array, bond_operator, site_operator


def ssep_exact(
    n: int,
    inject_left: float,
    remove_left: float,
    inject_right: float,
    remove_right: float,
    rate: float = 1.0,
) -> dict[str, Array]:
    """Steady state (Derrida 2007).

    Returns density (n,), current (n-1,), connected correlation (n, n) with <n_i> (1 - <n_i>) on its diagonal.
    With r_a, r_b the densities of the reservoirs, A = 1/(a_in + a_out), B = 1/(b_in + b_out) (rates over the
    hopping rate) and M = n + A + B - 1, sites from 1:
    <n_i> = [r_a (n + B - i) + r_b (i - 1 + A)]/M,  J = rate (r_a - r_b)/M,
    <n_x n_y>_c = -(r_a - r_b)^2 (x + A - 1)(n + B - y)/[M^2 (M - 1)]  for x < y.
    """
    left, right = (inject_left + remove_left) / rate, (inject_right + remove_right) / rate
    ra, rb = inject_left / rate / left, inject_right / rate / right
    a, b = 1 / left, 1 / right
    m = n + a + b - 1
    site = np.arange(1, n + 1)
    density = (ra * (n + b - site) + rb * (site - 1 + a)) / m
    x, y = np.minimum.outer(site, site), np.maximum.outer(site, site)
    correlation = -((ra - rb) ** 2) * (x + a - 1) * (n + b - y) / (m**2 * (m - 1))
    np.fill_diagonal(correlation, density * (1 - density))
    return {"density": density, "current": np.full(n - 1, rate * (ra - rb) / m), "correlation": correlation}


def ssep_jumps(
    n: int,
    inject_left: float,
    remove_left: float,
    inject_right: float,
    remove_right: float,
    rate: float = 1.0,
) -> list[Array]:
    """Jumps of the quantum process (H = 0): both hops on every bond, injection and removal at the ends."""
    hops = [bond_operator(LOWER, RAISE, i, n) for i in range(n - 1)]
    ends = [
        np.sqrt(inject_left) * site_operator(RAISE, 0, n),
        np.sqrt(remove_left) * site_operator(LOWER, 0, n),
        np.sqrt(inject_right) * site_operator(RAISE, n - 1, n),
        np.sqrt(remove_right) * site_operator(LOWER, n - 1, n),
    ]
    return [np.sqrt(rate) * hop for hop in hops] + [np.sqrt(rate) * hop.T for hop in hops] + ends


def dense_ssep_generator(
    n: int,
    inject_left: float,
    remove_left: float,
    inject_right: float,
    remove_right: float,
    rate: float = 1.0,
) -> NDArray[np.float64]:
    """Classical master equation dp/dt = G p; (2^n, 2^n), columns sum to zero; site basis (occupied, empty).

    The jumps take a configuration to a configuration, so that G = sum_L |L|^2 - diag(its column sums).
    """
    jumps = ssep_jumps(n, inject_left, remove_left, inject_right, remove_right, rate)
    gain = sum(np.abs(jump) ** 2 for jump in jumps)
    return gain - np.diag(gain.sum(axis=0))


def dense_stationary_probability(generator: NDArray[np.float64]) -> NDArray[np.float64]:
    """The p with G p = 0 and sum p = 1."""
    equations = generator.copy()
    equations[0] = 1.0
    return scipy.linalg.solve(equations, np.eye(len(generator))[0])


def ssep_observables(probability: Array, rate: float = 1.0) -> dict[str, Array]:
    """density, current = rate (n_i - n_{i+1}) and connected correlation of probabilities p (2^n,)."""
    n = round(np.log2(len(probability)))
    occupied = np.array([np.diag(site_operator(OCCUPATION, i, n)) for i in range(n)])  # (site, configuration)
    density = occupied @ probability
    correlation = (occupied * probability) @ occupied.T - np.outer(density, density)
    return {"density": density, "current": -rate * np.diff(density), "correlation": correlation}
