"""Claims of Floquet steady states held against exact ones, on random periodic chains.

    python -m benchmarks.floquet --runs 40 --seed 1 --store floquet-1.jsonl   # compute what is missing, print the table
    python -m benchmarks.floquet --runs 0 --store floquet-1.jsonl             # only print
    python -m benchmarks.floquet --seed 1 --again 7                           # one run once more, in detail

Run k draws a chain of three to five sites, spins 1/2 or spinless fermions: couplings of neighbours and fields with
envelopes of one to three harmonics of the drive, or that jump; losses and gains with rates that move; pulses and noise
at given moments of each period. The engine `tebd` runs with its defaults at the bond dimension that truncates nothing,
or at half or three eighths of it; engine `exact` tells the truth. The columns are those of `benchmarks.calibration`; a
claim is wrong where an error is beyond 2 times it and 1 % of the scale of its observable.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from benchmarks.calibration import Result, append, row, stored
from tnness import TEBD, Lindbladian, Observable, Piecewise, TnnessError, expectation, spinless, steady_state
from tnness import spin_half as s
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import Operator

KIND = "floquet"
"""The kind of all its runs."""


@dataclass(frozen=True)
class DrawnDrive:
    """A random periodic chain: the same numbers give the same one."""

    seed: int
    index: int

    @property
    def rng(self) -> np.random.Generator:
        """The random numbers of the chain, from the beginning."""
        return np.random.default_rng([self.seed, self.index])

    @property
    def n(self) -> int:
        """Number of sites: one chain in four has three, one in thirty five, the others four."""
        return 3 if self.index % 4 == 0 else 5 if self.index % 30 == 5 else 4

    @property
    def space(self) -> LocalSpace:
        """One chain in three is of fermions."""
        return spinless if self.index % 3 == 2 else s

    @property
    def period(self) -> float:
        """The period: from fast to slow beside couplings of the order of 1."""
        return float(np.exp(self.rng.uniform(math.log(0.5), math.log(6.0))))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        rng, period = self.rng, self.period
        rng.uniform()  # that of the period
        chain = Lindbladian([self.space] * self.n)
        for i in range(self.n - 1):
            for operator in self._bonds(i):
                chain.hamiltonian(rng.uniform(0.2, 0.8) * operator, envelope=_envelope(rng, period))
        for i in range(self.n):
            for operator in self._fields(i):
                chain.hamiltonian(rng.uniform(0.2, 1.0) * operator, envelope=_envelope(rng, period))
            lower, raise_ = (s.Sm(i), s.Sp(i)) if self.space is s else (spinless.C(i), spinless.Cd(i))
            chain.jump(lower, rate=_rate(rng, period, 0.1, 0.8))
            if rng.random() < 0.5:
                chain.jump(raise_, rate=_rate(rng, period, 0.02, 0.3))
        for _ in range(rng.integers(0, 3)):
            site, moment = int(rng.integers(self.n)), float(rng.uniform(0, period))
            if rng.random() < 0.5:
                angle, turned = rng.uniform(0.1, 1.0), s.X if self.space is s else spinless.P
                chain.at(moment, turned.exp(-1j * angle)(site), every=period)
            else:
                p, sign = rng.uniform(0.05, 0.4), s.Z(site) if self.space is s else spinless.P(site)
                chain.at(moment, [math.sqrt(1 - p), math.sqrt(p) * sign], every=period)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return what is claimed: one-site operators, and products on neighbours."""
        sites, bonds = range(self.n), range(self.n - 1)
        if self.space is s:
            single = {"x": s.X, "y": s.Y, "z": s.Z}
            found = {name: expectation([o(i) for i in sites], "site") for name, o in single.items()}
            return found | {"zz": expectation([s.Z(i) * s.Z(i + 1) for i in bonds], "bond")}
        f = spinless
        hops = [f.Cd(i) * f.C(i + 1) for i in bonds]
        return {
            "n": expectation([f.N(i) for i in sites], "site"),
            "hop": expectation([hop + hop.dag() for hop in hops], "bond"),
            "current": expectation([1j * hop - 1j * hop.dag() for hop in hops], "bond"),
            "nn": expectation([f.N(i) * f.N(i + 1) for i in bonds], "bond"),
        }

    def _bonds(self, i: int) -> list[Operator]:
        if self.space is s:
            return [s.X(i) * s.X(i + 1), s.Y(i) * s.Y(i + 1), s.Z(i) * s.Z(i + 1)]
        hop, pair = spinless.Cd(i) * spinless.C(i + 1), spinless.Cd(i) * spinless.Cd(i + 1)
        return [hop + hop.dag(), 1j * hop - 1j * hop.dag(), pair + pair.dag(), spinless.N(i) * spinless.N(i + 1)]

    def _fields(self, i: int) -> list[Operator]:
        return [s.X(i), s.Z(i)] if self.space is s else [spinless.N(i)]


class Wave:
    """offset + sum of a few harmonics of a period."""

    def __init__(self, rng: np.random.Generator, period: float, offset: float, size: float) -> None:
        count = int(rng.integers(1, 4))
        self.offset, self.rate = offset, 2 * math.pi / period
        self.sizes = size * rng.dirichlet(np.ones(count))
        self.phases = rng.uniform(0, 2 * math.pi, count)

    def __call__(self, time: float) -> float:
        harmonics = range(1, len(self.sizes) + 1)
        waves = [math.cos(k * self.rate * time + phase) for k, phase in zip(harmonics, self.phases, strict=True)]
        return self.offset + float(self.sizes @ waves)


def _envelope(rng: np.random.Generator, period: float) -> Wave | Piecewise | None:
    """Return nothing, waves around a mean, or a function that jumps once in the period."""
    kind = rng.random()
    if kind < 0.3:
        return None
    if kind < 0.8:
        return Wave(rng, period, float(rng.uniform(-1, 1)), float(rng.uniform(0.5, 2.0)))
    at = period * float(rng.uniform(0.2, 0.8))
    return Piecewise({0.0: float(rng.uniform(-2, 2)), at: float(rng.uniform(-2, 2))}, period=period)


def _rate(rng: np.random.Generator, period: float, least: float, most: float) -> Wave | float:
    size = float(rng.uniform(least, most))
    return Wave(rng, period, size, float(rng.uniform(0, 0.95)) * size) if rng.random() < 0.6 else size


def computed(seed: int, index: int) -> Result:
    """Return one run with its exact answer."""
    model = DrawnDrive(seed, index)
    full = 4 ** (model.n // 2)
    chi = full if index % 4 < 2 else (full // 2, 3 * full // 8)[index // 4 % 2]
    result = Result(KIND, index, seed, model.n, chi, full, None, math.inf)
    with threadpool_limits(1):
        truth = steady_state(model, engine="exact", period=model.period)
        began = time.process_time()
        try:
            record = steady_state(model, engine=TEBD(chi=chi), period=model.period, seed=seed, name=KIND)
        except TnnessError as error:
            return replace(result, outcome=f"refused: {error}")
    names = [name for name in model.observables() if name in record.dataset]
    about: dict[str, Any] = {
        "outcome": record.outcome,
        "seconds": time.process_time() - began,
        "time": record.time,
        "forgets_in": record.certificate.further.get("forgets_in", math.nan),
        "values": {name: record[name].values.tolist() for name in names},
        "errors": {
            name: record[f"{name}_error"].values.tolist() for name in names if f"{name}_error" in record.dataset
        },
        "exact": {name: truth[name].values.tolist() for name in names},
    }
    return replace(result, **about)


def tables(results: list[Result]) -> list[str]:
    """Return the lines of the table, and what is wrong or refused in detail."""
    head = f"{'Floquet steady states':24} {'runs':>5} {'conv':>5} {'cut':>4} {'wrong':>6} {'alarms':>7} {'covered':>18}"
    lines = [f"{head} {'claim/true':>10} {'worst':>7} {'CPU s':>8} {'kicks':>6}", row("all", results)]
    for label, own in (
        ("full chi", [r for r in results if r.chi >= r.full]),
        ("too small chi", [r for r in results if r.chi < r.full]),
    ):
        lines += [row(label, own)] if own else []
    for r in results:
        worst = max((o.excess for o in r.judged), default=math.nan)
        mark = "WRONG" if r.wrong else ""
        lines.append(
            f"{r.index:4d} n={r.n} chi={r.chi}/{r.full} T={r.time:8.4g} worst {worst:5.2f} {r.outcome[:70]} {mark}"
        )
    return lines


def main(
    runs: Annotated[int, typer.Option(min=0, help="how many in all; 0 only prints")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="of everything that is drawn")] = 1,
    store: Annotated[Path | None, typer.Option(help="file of the runs; default floquet-SEED.jsonl")] = None,
    again: Annotated[int, typer.Option(help="only this run, with details, not stored")] = -1,
) -> None:
    """Run what is missing, and print the table."""
    if again >= 0:
        result = computed(seed, again)
        print(*tables([result]), sep="\n")
        for o in result.judged:
            print(
                o.name, "error", json.dumps(o.error.tolist()), "claim", json.dumps(o.claim.tolist()), "scale", o.scale
            )
        return
    path = store or Path(f"floquet-{seed}.jsonl")
    results = stored(path)
    done = {(r.seed, r.index) for r in results}
    for index in range(runs):
        if (seed, index) not in done:
            results.append(computed(seed, index))
            append(path, results[-1])
    print(*tables(results), sep="\n")


if __name__ == "__main__":
    typer.run(main)
