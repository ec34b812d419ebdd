"""Steady states of MBL chains with fresh disorder: CPU seconds and true errors, beside those of an earlier revision.

Run from the root: `python -m benchmarks.ensemble --reference`. Every chain (N = 20, h = 2, eps = 0.1, chi = 100) is
solved by either package in turn, each with its default settings, certificate and, where it has them, kicks. Errors are
the largest of an element over the largest of its observable, against a run at chi = 144; without `--reference` (a
minute a chain) none is told.
"""

import importlib
import secrets
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer
from threadpoolctl import threadpool_limits

import tnness
from benchmarks.baseline import MODELS, load_baseline

CHAIN: dict[str, Any] = {"n": 20, "h": 2.0, "eps": 0.1}
OBSERVABLES = ("sz", "sx", "ss", "beta", "energy", "beta_variation")
REFERENCE: dict[str, Any] = {"chi": 144, "dt": 0.3}
FINE = 2e-3
"""Tolerance of the reference."""


def timed(solve: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a run, and its record."""
    start = time.process_time()
    record = solve()
    return time.process_time() - start, record


def error(record: Any, exact: Any) -> float:
    """Return the largest error of an element, relative to the largest of its observable."""
    pairs = [(np.asarray(record[name], float), np.asarray(exact[name], float)) for name in OBSERVABLES]
    return max(float(np.abs(ours - theirs).max() / np.abs(theirs).max()) for ours, theirs in pairs)


def claim(record: Any) -> float:
    """Return the largest claimed error, relative as above."""
    pairs = [(np.asarray(record[f"{name}_error"], float), np.asarray(record[name], float)) for name in OBSERVABLES]
    return max(float(claimed.max() / np.abs(value).max()) for claimed, value in pairs)


def main(
    chains: Annotated[int, typer.Option(min=1, help="chains")] = 8,
    seed: Annotated[int | None, typer.Option(help="root of their disorder; default: a fresh one")] = None,
    chi: Annotated[int, typer.Option(help="bond dimension of both")] = 100,
    reference: Annotated[bool, typer.Option(help="solve each chain to a fifth of the tolerance, too")] = False,
) -> None:
    """Print a row per chain, and the median of the ratios."""
    root = secrets.randbelow(10**9) if seed is None else seed
    before = importlib.import_module(load_baseline())
    model = importlib.import_module(f"{MODELS}.mbl_heisenberg").MBLHeisenberg(**CHAIN)
    ours = tnness.find("mbl-heisenberg")(**CHAIN)
    typer.echo(f"seed {root}\n{'disorder':>12}  before, s  now, s  ratio   error before   now   claimed   outcome")
    ratios = []
    with threadpool_limits(1):
        for own in np.random.SeedSequence(root).generate_state(chains).tolist():
            old, theirs = timed(lambda own=own: before.steady_state(model, engine=before.TEBD(chi=chi), seed=own))
            new, record = timed(lambda own=own: tnness.steady_state(ours, engine=tnness.TEBD(chi=chi), seed=own))
            ratios.append(old / new)
            row = f"{own:12d}  {old:9.1f}  {new:6.1f}  {old / new:5.2f}"
            if reference:
                exact = tnness.steady_state(ours, engine=tnness.TEBD(**REFERENCE), tolerance=FINE, seed=own)
                row += f"   {error(theirs, exact):12.1e}  {error(record, exact):.1e}"
            typer.echo(f"{row}   {claim(record):.1e}   {record.outcome}")
    typer.echo(f"median ratio {np.median(ratios):.2f}")


if __name__ == "__main__":
    typer.run(main)
