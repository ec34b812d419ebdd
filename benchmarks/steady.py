"""Time to a steady state: ours, against TeNPy (complex SVD, dt = 0.1, chi = 100) run to the same accuracy's eps t = 10.

TeNPy's time is extrapolated from a few measured steps on full bonds, which favours it: its first steps are cheaper, and
it has no stopping rule. Run from the root: `python -m benchmarks.steady`.
"""

import time
from typing import Annotated

import typer
from threadpoolctl import threadpool_limits

from benchmarks.contestants import TenpyPeer
from benchmarks.workload import DrivenChain, full_state
from tnness import TEBD, find, steady_state

EPS_TIME = 10.0  # as the paper runs it
DT = 0.1
REFERENCE = 0.25866  # beta_variation at chi = 140, +- 2.7e-4 by its certificate: `--reference` computes it again


def tenpy_seconds(chi: int, steps: int, n: int, eps: float) -> float:
    """Seconds TeNPy takes to eps t = 10, from its fastest step."""
    chain = DrivenChain(n=n, eps=eps)
    peer = TenpyPeer(chi)
    peer.setup(full_state(chain, chi), chain.step(DT))
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        peer.step()
        seconds.append(time.perf_counter() - start)
    return min(seconds) * EPS_TIME / eps / DT


def main(
    chi: Annotated[int, typer.Option(help="bond dimension of both")] = 100,
    steps: Annotated[int, typer.Option(min=1, help="TeNPy steps measured")] = 5,
    reference: Annotated[bool, typer.Option(help="compute the reference value again (minutes)")] = False,
) -> None:
    """MBL chain, N = 20, h = 2, eps = 0.1, seed 7: seconds, ratio and error of beta_variation."""
    model = find("mbl-heisenberg")(n=20, h=2.0, eps=0.1)
    with threadpool_limits(1):
        exact = REFERENCE
        if reference:
            record = steady_state(model, engine=TEBD(chi=140, dt=0.3, schedule=(35, 70)), tolerance=3e-4, seed=7)
            exact = float(record["beta_variation"])
            typer.echo(f"reference beta_variation = {exact:.6f}")
        start = time.perf_counter()
        record = steady_state(model, engine=TEBD(chi=chi), seed=7)
        ours = time.perf_counter() - start
        theirs = tenpy_seconds(chi, steps, 20, 0.1)
    value = float(record["beta_variation"])
    claimed = float(record["beta_variation_error"])
    told = f"beta_variation = {value:.6f} +- {claimed:.1e} (true error {value - exact:+.1e}), {record.outcome}"
    typer.echo(f"tnness: {ours:.1f} s, {told}")
    typer.echo(f"TeNPy complex SVD, extrapolated to eps t = {EPS_TIME:g}: {theirs:.0f} s; ratio {theirs / ours:.0f}x")


if __name__ == "__main__":
    typer.run(main)
