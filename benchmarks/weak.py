"""Weak dissipation: CPU seconds to a steady state within 1 %, by plain evolution and by jumps.

Run from the root: `python -m benchmarks.weak`. Both run at one bond dimension and at their own time steps, and are held
against the value on which they themselves settle; seconds are steps times the seconds of a step, measured at the end on
the settled state. What truncation itself costs is the other table: one step, and the error of settled values against
the exact solution of a short chain, by truncation method.
"""

import time
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tnness import TEBD, Accelerated, find, steady_state
from tnness.model.protocol import draw, generator_of

COUPLINGS = [0.1, 0.03, 0.01, 0.003, 0.001]
OBSERVABLE = "beta_variation"


@dataclass(frozen=True)
class Settled:
    """A steady state: time and CPU seconds after which the observable stays within `within` of its end, and the end."""

    time: float
    seconds: float
    value: float
    settled: bool


def settle(model: object, engine: TEBD, tolerance: float, within: float, longest: float) -> Settled:
    """Run to the end of the first stage (the only bond dimension), and look back."""
    record = steady_state(model, engine=engine, tolerance=tolerance, max_time=longest)
    first = record.history.of(0)
    values = np.array([float(record.history.values[OBSERVABLE][i]) for i in first])
    far = np.flatnonzero(np.abs(values - values[-1]) > within * abs(values[-1]))
    steps = int(far[-1]) + 2 if len(far) else 1
    settled = not record.outcome.startswith(("not", "truncation keeps"))
    spent = steps * seconds_per_step(model, engine, record.state)
    return Settled(record.history.times[first[min(steps, len(first)) - 1]], spent, values[-1], settled)


def seconds_per_step(model: object, engine: TEBD, state: object, repetitions: int = 5) -> float:
    """The fastest of some steps from a state that has all its bonds."""
    run, found = engine.init(generator_of(model), state), []
    for _ in range(repetitions):
        start = time.process_time()
        run.step()
        found.append(time.process_time() - start)
    return min(found)


def couplings(
    n: int, h: float, chi: int, seed: int, plain_from: float, tolerance: float, within: float, eps: list[float]
) -> None:
    """Print the time and seconds to settle at each coupling."""
    print(f"N = {n}, h = {h:g}, chi = {chi}, seed {seed}: to {within:.0%} of the value on which a run settles")
    print(f"{'eps':>6} {'method':>12} {'time':>8} {'CPU s':>8} {OBSERVABLE:>15}")
    for one in eps:
        model = draw(find("mbl-heisenberg")(n=n, h=h, eps=one), seed)
        jumping = Accelerated(chi=chi, schedule=(), power=0)
        engines = {"accelerated": jumping} | ({"plain": TEBD(chi=chi, schedule=())} if one >= plain_from else {})
        for name, engine in engines.items():
            found = settle(model, engine, tolerance, within, 20 / one)
            end = "" if found.settled else "  not settled"
            told = f"{found.time:8.0f} {found.seconds:8.1f} {found.value:15.5f}{end}"
            print(f"{one:>6g} {name:>12} {told}", flush=True)


def truncations(n: int, h: float, eps: float, chi: int, seed: int, tolerance: float) -> None:
    """Print what a step costs, and how far settled values are from the exact ones, by truncation method."""
    model = draw(find("mbl-heisenberg")(n=n, h=h, eps=eps), seed)
    exact = steady_state(model, engine="exact")
    print(f"\nN = {n}, h = {h:g}, eps = {eps:g}, chi = {chi}: evolution at one time step, against the exact state")
    print(f"{'method':>24} {'s/step':>8} {'discarded/step':>15} {OBSERVABLE:>15} {'energy':>9}")
    start = TEBD(chi=chi, schedule=())
    dt = start.time_step(generator_of(model))
    variants = {
        "svd": replace(start, method="svd"),
        "cholesky-qr, power 1": start,
        "marginals, power 1": Accelerated(chi=chi, schedule=(), dt=dt),
        "marginals, power 0": Accelerated(chi=chi, schedule=(), dt=dt, power=0),
    }
    for name, engine in variants.items():
        record = steady_state(model, engine=engine, tolerance=tolerance, max_time=20 / eps)
        errors = [abs(float(record[key] / exact[key]) - 1) for key in (OBSERVABLE, "energy")]
        seconds = seconds_per_step(model, engine, record.state)
        run = engine.init(generator_of(model), record.state)
        dropped = run.step().discarded
        print(f"{name:>24} {seconds:8.4f} {dropped:15.1e} {errors[0]:15.1e} {errors[1]:9.1e}", flush=True)


def time_steps(n: int, h: float, eps: float, seed: int, tolerance: float) -> None:
    """Print the error of accelerated steady states as dt goes to 0, at a bond dimension that truncates nothing."""
    model = draw(find("mbl-heisenberg")(n=n, h=h, eps=eps), seed)
    exact, engine = steady_state(model, engine="exact"), Accelerated(chi=4 ** (n // 2), schedule=())
    print(f"\nN = {n}, h = {h:g}, eps = {eps:g}, chi = {engine.chi} (full): accelerated, against the exact state")
    print(f"{'dt':>7} {OBSERVABLE:>15} {'energy':>9}")
    for factor in (2.0, 2**0.5, 1.0, 2**-0.5, 0.5):
        dt = factor * engine.time_step(generator_of(model))
        record = steady_state(model, engine=replace(engine, dt=dt), tolerance=tolerance)
        errors = [abs(float(record[key] / exact[key]) - 1) for key in (OBSERVABLE, "energy")]
        print(f"{dt:7.3f} {errors[0]:15.1e} {errors[1]:9.1e}", flush=True)


def main(
    n: Annotated[int, typer.Option(help="sites")] = 12,
    h: Annotated[float, typer.Option(help="strength of the fields")] = 2.0,
    chi: Annotated[int, typer.Option(help="bond dimension")] = 32,
    seed: Annotated[int, typer.Option(help="of the disorder")] = 7,
    eps: Annotated[list[float], typer.Option(help="couplings (repeatable)")] = COUPLINGS,
    plain_from: Annotated[float, typer.Option(help="smallest coupling at which plain evolution is run")] = 0.001,
    tolerance: Annotated[float, typer.Option(help="relative, of both")] = 1e-2,
    within: Annotated[float, typer.Option(help="how close to the settled value")] = 0.01,
    short: Annotated[int, typer.Option(help="sites of the chain on which truncations are compared")] = 8,
    shortest: Annotated[int, typer.Option(help="sites of the chain without truncation")] = 6,
) -> None:
    """Print the three tables."""
    with threadpool_limits(1):
        couplings(n, h, chi, seed, plain_from, tolerance, within, eps)
        truncations(short, h, 0.05, 40, seed, tolerance)
        time_steps(shortest, h, 0.01, seed, 1e-5)


if __name__ == "__main__":
    typer.run(main)
