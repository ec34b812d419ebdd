"""Boundary-driven transport: CPU seconds to a certified steady state, by waiting and by jumps of the profile.

Run from the root: `python -m benchmarks.transport`. Every run is whole: schedule, kicks and certificate, one thread, on
the observables that are watched, densities and currents. Errors, true and claimed, are relative to the largest element;
the exact answers are those of the covariance equation for XX and dephasing, and Derrida's formulas for the symmetric
exclusion process.
"""

import time
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tnness import TEBD, Accelerated, Record, find, steady_state


@dataclass(frozen=True)
class Case:
    """A chain: the model and its parameters, its lengths, chi, what is watched; dt and schedule, None: the default."""

    model: str
    lengths: tuple[int, ...]
    chi: int
    watch: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    dt: float | None = None
    schedule: tuple[int, ...] | None = None

    def at(self, n: int) -> Any:
        """Return the model with n sites."""
        return find(self.model)(n=n, **self.parameters)


MAGNET, PARTICLES = ("z", "current"), ("density", "current")
CASES = {
    "xx": Case("xx-dephasing", (20, 40, 80, 160), 32, MAGNET),
    "ssep": Case("ssep", (40, 100), 16, PARTICLES),
    "open": Case(
        "ssep",
        (40, 100),
        16,
        PARTICLES,
        {"inject_left": 0.7, "remove_left": 0.2, "inject_right": 0.1, "remove_right": 0.5},
    ),
    "xxz": Case("xxz-driven", (20,), 128, MAGNET, {"delta": 1.5, "mu": 0.2}, dt=0.15, schedule=(96,)),
    "ballistic": Case("xxz-driven", (20,), 32, MAGNET, {"delta": 0.5, "mu": 0.2}),
    "superdiffusive": Case("xxz-driven", (20,), 32, MAGNET, {"delta": 1.0, "mu": 0.2}),
    "maximal": Case("xxz-driven", (12,), 32, MAGNET, {"delta": 1.0, "mu": 1.0}),
    "tasep": Case("tasep", (40,), 16, PARTICLES),
    "tasep-low": Case("tasep", (40,), 16, PARTICLES, {"alpha": 0.3, "beta": 0.7}),
    "tasep-shock": Case("tasep", (20,), 16, PARTICLES, {"alpha": 0.3, "beta": 0.3}),
}


def exact(case: Case, model: Any) -> dict[str, np.ndarray]:
    """Return the exact observables; none where no formula is known."""
    if case.model == "xx-dephasing":
        record = steady_state(model, engine="gaussian")
        return {name: record[name].values for name in case.watch}
    if case.model == "ssep":
        profile = model.profile()
        return {"density": profile, "current": model.rate * np.diff(-profile)}
    return {}


def errors(record: Record, answer: dict[str, np.ndarray], name: str) -> tuple[float, float]:
    """Return the true error (NaN if unknown) and the claim, relative to the largest element."""
    values = record[name].values
    scale = np.abs(answer.get(name, values)).max()
    claim = record[f"{name}_error"].values.max() if f"{name}_error" in record.dataset else np.nan
    true = np.abs(values - answer[name]).max() if name in answer else np.nan
    return float(true / scale), float(claim / scale)


def run(name: str, n: int, engine: Any, label: str, tolerance: float, answer: dict[str, np.ndarray]) -> float:
    """Run to the end, print a row, and return the CPU seconds."""
    case = CASES[name]
    began = time.process_time()
    record = steady_state(case.at(n), engine=engine, tolerance=tolerance, watch=case.watch)
    seconds = time.process_time() - began
    told = "".join(" {:8.1e} {:8.1e}".format(*errors(record, answer, watched)) for watched in case.watch)
    jumps = record.certificate.further.get("jumps", 0)
    print(
        f"{name:>14} {n:>4} {label:>6} {seconds:>8.1f} {record.time:>8.4g} {jumps:>5.0f}{told}  {record.outcome}",
        flush=True,
    )
    return seconds


def main(
    case: Annotated[list[str] | None, typer.Option(help="cases (repeatable); default: all")] = None,
    plain_to: Annotated[int, typer.Option(help="largest number of sites at which plain evolution is run")] = 40,
    tolerance: Annotated[float, typer.Option(help="of both, all kinds of error together")] = 1e-2,
    longest: Annotated[int, typer.Option(help="largest number of sites")] = 160,
) -> None:
    """Print a row per run."""
    print(f"tolerance {tolerance:g}; errors relative to the largest element: true and claimed")
    print(
        f"{'case':>14} {'n':>4} {'':>6} {'CPU s':>8} {'time':>8} {'jumps':>5} {'density':>17} {'current':>17}  outcome"
    )
    with threadpool_limits(1):
        for name in case or list(CASES):
            chosen = CASES[name]
            for n in (n for n in chosen.lengths if n <= longest):
                answer = exact(chosen, chosen.at(n))
                about: dict[str, Any] = {"chi": chosen.chi, "dt": chosen.dt, "schedule": chosen.schedule}
                jumping = run(name, n, Accelerated(**about), "jumps", tolerance, answer)
                if n <= plain_to:
                    waiting = run(name, n, TEBD(**about), "plain", tolerance, answer)
                    print(f"{'':>14} {'':>4} plain / jumps {waiting / jumping:.2f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
