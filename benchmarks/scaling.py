"""Cost against the length of the chain, and memory at large bond dimension, each in a process of its own.

Run from the root: `python -m benchmarks.scaling`.
"""

import resource
import subprocess
import sys
import time
from typing import Annotated

import typer
from threadpoolctl import threadpool_limits

from tnness import TEBD, find, identity_state


def seconds_per_step(n: int, chi: int, steps: int) -> float:
    """Fastest second-order step on full bonds."""
    generator = (
        find("mbl-heisenberg")(n=n, h=2.0, eps=0.1, fields_z=(0.3,) * n, fields_x=(-0.5,) * n).problem().generator()
    )
    fill = TEBD(chi=chi, order=2, dt=0.4, schedule=(), block=12).init(generator, identity_state(generator.spaces))
    fill.step()
    run = TEBD(chi=chi, order=2, dt=0.1, schedule=(), cutoff=0.0).init(generator, fill.state)
    best = float("inf")
    for _ in range(steps):
        start = time.perf_counter()
        run.step()
        best = min(best, time.perf_counter() - start)
    return best


def main(
    n: Annotated[int, typer.Option(help="measure this length alone, in this process")] = 0,
    chi: Annotated[int, typer.Option(help="bond dimension")] = 50,
    steps: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Seconds per step at N = 20, 40, 80 (chi = 50), and peak memory at chi = 200."""
    if n:
        with threadpool_limits(1):
            seconds = seconds_per_step(n, chi, steps)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        per_site = 1e3 * seconds / n
        typer.echo(f"N = {n:3d}  chi = {chi:3d}  {seconds:8.4f} s/step  {per_site:7.3f} ms/site  peak {peak:.0f} MB")
        return
    for length, bond in ((20, 50), (40, 50), (80, 50), (20, 200)):
        subprocess.run([sys.executable, "-m", "benchmarks.scaling", "--n", str(length), "--chi", str(bond)], check=True)


if __name__ == "__main__":
    typer.run(main)
