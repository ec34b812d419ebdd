"""Mutual coherence of localised samples: resonances in closed form against plain Gauss-Legendre at equal error.

Run from the root: `python -m benchmarks.deflation`. All use the same scattering states. Deflation is asked for a
relative error of G between the halves and estimates it itself, which is in its time. Gauss-Legendre comes twice:
- told: the number of points from which its true error stays below the target is known beforehand (it is found by
  raising it by a fifth, which is not counted). No user knows it.
- doubled: 4, 8, 16, ... points until two values of C_d in a row agree to the target, all of them counted: what a user
  does who has to find the number. Where both miss a narrow resonance they agree and are wrong; these are counted.

What limits the ratio: at L0 = 8 one energy is 128 Mflop, 61 for the states and 67 for the block between the halves, for
both. Deflation takes three, 17 for an elimination next to each resonance in the window, and about 60 for the search;
samples without resonances in the window need no more than four to eight plain energies.
"""

import time
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from benchmarks.scattering import wire
from tnness.engines.wire.coherence import plain
from tnness.engines.wire.quadrature import Panel
from tnness.engines.wire.window import Integral, Quadrature, integrate
from tnness.problems.transfer import TransferChain

BIAS = 0.0495
WINDOW = Panel(-BIAS / 2, BIAS / 2)
WRONG = 10.0
"""Times the target that a doubled value is off to be counted as wrong."""


def deflated(chain: TransferChain, quadrature: Quadrature) -> tuple[float, Integral]:
    """CPU seconds, and the integral with resonances in closed form."""
    start = time.process_time()
    found = integrate(chain, WINDOW.start, WINDOW.stop, quadrature, "poles")
    return time.process_time() - start, found


def legendre(chain: TransferChain, points: int) -> tuple[float, float]:
    """CPU seconds, and C_d by plain nodes."""
    start = time.process_time()
    value = plain(chain, WINDOW, points, matrix=False).mutual_coherence
    return time.process_time() - start, value


def told(chain: TransferChain, exact: float, target: float, most: int) -> tuple[float, int]:
    """Seconds and points of the first rule below the target whose next is below it too, or of the largest tried."""
    points, first = 2, None
    while True:
        seconds, value = legendre(chain, points)
        if abs(value / exact - 1) > target:
            first = None
        elif first is not None:
            return first
        else:
            first = seconds, points
        if points >= most:
            return seconds, points
        points = min(most, max(points + 1, int(1.2 * points)))


def doubled(chain: TransferChain, target: float, most: int) -> tuple[float, int, float]:
    """Seconds and points of all rules together, and the last value."""
    points, total, used, last = 4, 0.0, 0, np.inf
    while True:
        seconds, value = legendre(chain, points)
        total, used = total + seconds, used + points
        if abs(value / last - 1) <= target or points >= most:
            return total, used, value
        points, last = 2 * points, value


def main(
    size: Annotated[int, typer.Option(help="L0")] = 8,
    disorder: Annotated[float, typer.Option(help="W")] = 21.0,
    target: Annotated[float, typer.Option(help="relative error")] = 1e-6,
    samples: Annotated[int, typer.Option(help="seeds 0, 1, ...")] = 30,
    most: Annotated[int, typer.Option(help="Gauss-Legendre points after which to stop")] = 2048,
) -> None:
    """Print one row per sample, totals and medians."""
    print(f"L0 = {size}, W = {disorder:g}, relative error {target:g}; CPU milliseconds, one thread")
    print("            deflated                     Gauss-Legendre, told       doubled")
    print("seed        C_d poles nodes     ms  error  points      ms  ratio  points      ms  ratio   error")
    rows, wrong = [], 0
    with threadpool_limits(1):
        for seed in range(samples):
            chain = wire(np.random.default_rng(seed).uniform(-disorder / 2, disorder / 2, (size,) * 3))
            exact = deflated(chain, Quadrature(nodes=12))[1].coherence.mutual_coherence
            trials = [deflated(chain, Quadrature(nodes=3, tolerance=target)) for _ in range(2)]
            ours, found = min(trials, key=lambda trial: trial[0])
            error = abs(found.coherence.mutual_coherence / exact - 1)
            best, points = told(chain, exact, target, most)
            adaptive, used, value = doubled(chain, target, most)
            off = abs(value / exact - 1)
            wrong += off > WRONG * target
            rows.append((ours, best, adaptive))
            print(
                f"{seed:>4} {exact:>10.4e} {found.poles:>5.0f} {found.energies:>5} {1e3 * ours:>6.1f} {error:>6.0e} "
                f"{points:>7} {1e3 * best:>7.1f} {best / ours:>6.1f} "
                f"{used:>7} {1e3 * adaptive:>7.1f} {adaptive / ours:>6.1f} {off:>7.0e}",
                flush=True,
            )
    seconds = np.array(rows)
    for name, column in (("told", 1), ("doubled", 2)):
        ratio = seconds[:, column] / seconds[:, 0]
        theirs, ours = seconds[:, column].sum(), seconds[:, 0].sum()
        spread = f"per sample median {np.median(ratio):.1f}, {ratio.min():.1f} to {ratio.max():.1f}"
        print(f"{name}: {theirs:.2f} against {ours:.2f} seconds, {theirs / ours:.1f} times less; {spread}")
    print(f"doubled values more than {WRONG * target:.0e} off: {wrong} of {samples}")


if __name__ == "__main__":
    typer.run(main)
