"""One chain on two cores: wall time of a step against one core, and the critical path.

Run from the root, with nothing else running: `python -m benchmarks.cores`. Serial and parallel steps take turns; the
median of five ratios counts.
"""

import os
import time
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tnness import TEBD, find, identity_state
from tnness.engines.tebd_run import TEBDRun


def begun(n: int, chi: int, threads: int) -> TEBDRun:
    """A run of the MBL chain from a state on full bonds."""
    model = find("mbl-heisenberg")(n=n, h=2.0, eps=0.1, fields_z=(0.3,) * n, fields_x=(-0.5,) * n)
    generator = model.problem().generator()
    fill = TEBD(chi=chi, order=2, dt=0.4, schedule=(), block=12).init(generator, identity_state(generator.spaces))
    fill.step()
    return TEBD(chi=chi, dt=0.1, schedule=(), cutoff=0.0, threads=threads).init(generator, fill.state)


def seconds(run: TEBDRun) -> float:
    """Wall time of one step."""
    start = time.perf_counter()
    run.step()
    return time.perf_counter() - start


def compared(n: int, chi: int, repeats: int) -> str:
    """A line of the table: ratios of wall times, and the difference of the marginals after as many steps."""
    one, two = begun(n, chi, 1), begun(n, chi, 2)
    seconds(two)  # starts the second process
    seconds(one)
    taken = np.array([(seconds(one), seconds(two)) for _ in range(repeats)])
    ratios = taken[:, 0] / taken[:, 1]
    apart = float(np.abs(one.marginals() - two.marginals()).max())
    return (
        f"{n:4d} {chi:5d} {np.median(taken[:, 0]):9.3f} {np.median(taken[:, 1]):9.3f}"
        f" {np.median(ratios):6.2f} [{ratios.min():.2f}, {ratios.max():.2f}]  {apart:.1e}"
        f"  {one.discarded:.2e} {two.discarded:.2e}"
    )


def main(
    chis: Annotated[str, typer.Option(help="bond dimensions with commas between")] = "32,64,128",
    sizes: Annotated[str, typer.Option(help="lengths with commas between")] = "20,40",
    repeats: Annotated[int, typer.Option(min=1, help="pairs of steps")] = 5,
) -> None:
    """Seconds of a fourth-order step on one core and on two; ratio, its range; what differs; weights dropped."""
    typer.echo(f"{os.cpu_count()} cores\n   n   chi    one /s    two /s  ratio  [range]      differ   dropped by each")
    with threadpool_limits(1):
        for n in map(int, sizes.split(",")):
            for chi in map(int, chis.split(",")):
                typer.echo(compared(n, chi, repeats))


if __name__ == "__main__":
    typer.run(main)
