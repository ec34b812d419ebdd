"""Seconds per Trotter step: ours, TeNPy and quimb on the same gates and state, in one process.

Run from the root: `python -m benchmarks.steps --chi 50 --chi 100`.
"""

import time
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from benchmarks.contestants import Contestant, peers
from benchmarks.kernels import kernels
from benchmarks.workload import DrivenChain, SvdReference, full_state, local_observables

BOND_DIMENSIONS = [50, 100, 200]
DT = 0.1


@dataclass
class Timing:
    """One contestant's seconds per step, and where its state ended."""

    contestant: Contestant
    seconds: list[float] = field(default_factory=list)
    error: float = np.nan  # largest |difference| of a local observable from the SVD reference
    bonds: int = 0

    @property
    def best(self) -> float:
        """The fastest step: other work on the machine only ever adds time."""
        return min(self.seconds)


def measure(chi: int, steps: int, n: int) -> list[Timing]:
    """Steps every contestant in turn, so that all meet the same neighbours on the machine."""
    chain = DrivenChain(n=n)
    state, layers = full_state(chain, chi), chain.step(DT)
    reference = SvdReference(chi)
    timings = [Timing(c) for c in [*peers(chi), reference, *kernels(chi)]]
    for timing in timings:
        timing.contestant.setup(state, layers)
    for _ in range(steps):
        for timing in timings:
            start = time.perf_counter()
            timing.contestant.step()
            timing.seconds.append(time.perf_counter() - start)
    exact = local_observables(reference.tensors())
    for timing in timings:
        tensors = timing.contestant.tensors()
        timing.error = np.abs(local_observables(tensors) - exact).max()
        timing.bonds = max(t.shape[2] for t in tensors)
    return timings


def table(chi: int, steps: int, timings: list[Timing]) -> str:
    """Seconds per step, speed relative to the first contestant, error against the SVD reference."""
    width = max(len(t.contestant.name) for t in timings)
    lines = [
        f"chi = {chi}, {steps} steps of dt = {DT}, one BLAS thread",
        f"{'':{width}}  {'s/step':>8}  {'median':>8}  {'speed':>6}  {'error':>8}  bond",
    ]
    for t in timings:
        ratio = timings[0].best / t.best
        lines.append(
            f"{t.contestant.name:{width}}  {t.best:8.4f}  {np.median(t.seconds):8.4f}"
            f"  {ratio:5.2f}x  {t.error:8.1e}  {t.bonds:4d}"
        )
    return "\n".join(lines)


def main(
    chi: Annotated[list[int], typer.Option(help="bond dimension; repeatable")] = BOND_DIMENSIONS,
    steps: Annotated[int, typer.Option(min=1, help="steps of each; then errors are taken")] = 5,
    n: Annotated[int, typer.Option(min=4, help="sites")] = 20,
) -> None:
    """Time one second-order Trotter step of the driven MBL chain with full bonds."""
    with threadpool_limits(1):
        for bond_dimension in chi:
            typer.echo(table(bond_dimension, steps, measure(bond_dimension, steps, n)) + "\n")


if __name__ == "__main__":
    typer.run(main)
