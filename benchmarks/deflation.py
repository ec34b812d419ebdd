"""Mutual coherence of one localised sample: resonances in closed form against plain Gauss-Legendre at equal error.

Run from the root: `python -m benchmarks.deflation`. Both use the same scattering states. Gauss-Legendre gets the number
of points at which its true error falls below the target (found by raising it by a tenth, not counted); deflation is
timed with its error estimate, at four nodes.
"""

import time
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from benchmarks.scattering import wire
from tnness.engines.wire.coherence import plain
from tnness.engines.wire.quadrature import Panel
from tnness.engines.wire.window import Quadrature, integrate
from tnness.problems.transfer import TransferChain

BIAS = 0.0495
SEEDS = list(range(8))


def timed(chain: TransferChain, quadrature: Quadrature) -> tuple[float, float, int]:
    """Seconds, C_d and resonances by deflation, the faster of two."""
    seconds = []
    for _ in range(2):
        start = time.process_time()
        found = integrate(chain, -BIAS / 2, BIAS / 2, quadrature, "poles")
        seconds.append(time.process_time() - start)
    return min(seconds), found.coherence.mutual_coherence, int(found.poles)


def legendre(chain: TransferChain, exact: float, target: float, most: int) -> tuple[float, int, float]:
    """Seconds, points and error of the first plain rule that reaches the target, or of the largest tried."""
    panel, points = Panel(-BIAS / 2, BIAS / 2), 8
    while True:
        start = time.process_time()
        value = plain(chain, panel, points, matrix=False).mutual_coherence
        seconds = time.process_time() - start
        error = abs(value / exact - 1)
        if error <= target or points >= most:
            return seconds, points, error
        points = min(most, max(points + 1, int(1.25 * points)))


def main(
    size: Annotated[int, typer.Option(help="L0")] = 8,
    disorder: Annotated[float, typer.Option(help="W")] = 21.0,
    target: Annotated[float, typer.Option(help="relative error of C_d")] = 1e-6,
    seed: Annotated[list[int], typer.Option(help="samples (repeatable)")] = SEEDS,
    most: Annotated[int, typer.Option(help="Gauss-Legendre points after which to stop")] = 1500,
) -> None:
    """Print one row per sample and the totals."""
    print(f"L0 = {size}, W = {disorder:g}, relative error of C_d <= {target:g}; CPU seconds, one thread")
    names = ("seed", "C_d", "poles", "deflated", "error", "points", "Legendre", "error", "ratio")
    widths = (4, 12, 6, 9, 8, 7, 9, 8, 6)
    print(" ".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True)))
    total, ratios = np.zeros(2), []
    with threadpool_limits(1):
        for one in seed:
            chain = wire(np.random.default_rng(one).uniform(-disorder / 2, disorder / 2, (size,) * 3))
            exact = integrate(chain, -BIAS / 2, BIAS / 2, Quadrature(nodes=14), "poles").coherence.mutual_coherence
            ours, value, poles = timed(chain, Quadrature(nodes=4, tolerance=1.0))
            theirs, points, error = legendre(chain, exact, target, most)
            total += ours, theirs
            ratios.append(theirs / ours)
            reached = " " if error <= target else ">"
            print(
                f"{one:>4} {exact:>12.4e} {poles:>6} {ours:>9.4f} {abs(value / exact - 1):>8.0e} {reached}{points:>6} "
                f"{theirs:>9.4f} {error:>8.0e} {theirs / ours:>6.1f}",
                flush=True,
            )
    spread = f"per sample {min(ratios):.1f} to {max(ratios):.1f}"
    print(
        f"all samples: {total[0]:.2f} against {total[1]:.2f} seconds, {total[1] / total[0]:.1f} times less ({spread})"
    )


if __name__ == "__main__":
    typer.run(main)
