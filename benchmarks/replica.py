"""Averaged replica and exclusion process: seconds to a certified steady state, and how they grow with the length.

Order delta^2 at p1 = p2 = 1/2, six states a site; the exclusion process of 100 sites against its exact two-point
function. Run from the root: `python -m benchmarks.replica`.
"""

import time
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tnness import TEBD, find, steady_state

CHI = {12: 96, 20: 128, 40: 128}
CHAIN, REACH = 100, 16
"""Sites of the exclusion process and its bond dimension."""


def replica(n: int, chi: int) -> str:
    """Seconds, values with their errors, and the evolution's time of one length."""
    model = find("replica-abc")(n=n, order="second")
    began, cpu = time.perf_counter(), time.process_time()
    record = steady_state(model, engine=TEBD(chi=chi, dt=1.6), initial=model.initial_state("tebd"))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    errors = record.certificate.errors
    half = float(record["mutual_information"][n // 2 - 1])
    return (
        f"L = {n:3d}, chi = {chi}: {wall:6.1f} s ({cpu:.1f} s of CPU), time {record.time:g}, "
        f"Delta S = {float(record['entropy_deviation']):.4f}({errors['entropy_deviation']:.4f}), "
        f"I = {half:.4f}({errors['mutual_information'][n // 2 - 1]:.4f}), {record.outcome}"
    )


def exclusion() -> str:
    """Seconds until the two-point function is within 1e-4 and 2e-5 of Derrida's, from the product of its densities."""
    model = find("ssep")(n=CHAIN, density_left=1.0, density_right=0.0)
    i = np.arange(1, CHAIN + 1)
    exact = -np.minimum.outer(i, i) * (CHAIN + 1 - np.maximum.outer(i, i)) / ((CHAIN + 1) ** 2 * CHAIN)
    apart = ~np.eye(CHAIN, dtype=bool)
    run = TEBD(chi=REACH, dt=1.2, schedule=(), block=50).init(model.problem().generator(), model.local_equilibrium())
    observable, found = model.observables()["density_correlation"], []
    began, wanted = time.perf_counter(), [1e-4, 2e-5]
    while wanted:
        run.step()
        error = float(np.abs(observable(run.view()) - exact)[apart].max())
        if error < wanted[0]:
            found.append(f"{error:.1e} after {time.perf_counter() - began:.0f} s (t = {run.time:g})")
            wanted.pop(0)
    return f"exclusion process, n = {CHAIN}, chi = {REACH}: two-point function within " + ", ".join(found)


def main(longest: Annotated[int, typer.Option(help="longest replica chain: 12, 20 or 40")] = 20) -> None:
    """Time all of it on one BLAS thread."""
    with threadpool_limits(1):
        for n, chi in CHI.items():
            if n <= longest:
                typer.echo(replica(n, chi))
        typer.echo(exclusion())


if __name__ == "__main__":
    typer.run(main)
