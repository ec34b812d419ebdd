"""The program: every attack, one after the other."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import tnness
from benchmarks.attack import calls, damage, kills, lines
from benchmarks.attack.folder import prepared
from benchmarks.attack.tally import Answer, Journal, Tally

ATTACKS: dict[str, Callable[[Path, random.Random, int], Answer]] = {
    "lines": lambda folder, rng, number: lines.case(folder, rng),
    "calls": lambda folder, rng, number: calls.case(folder, rng),
    "records": lambda folder, rng, number: damage.case(folder, rng),
    "kills": kills.case,
}
"""By name: folder, random choices, number of the case -> the answer."""
CASES = {"lines": 2000, "calls": 2000, "records": 500, "kills": 300}


def loaded() -> None:
    """Load what a case would load: every case is a fork of this process."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot
    import quimb.tensor  # noqa: F401
    import tenpy  # noqa: F401

    tnness.models()


def attack(name: str, folder: Path, cases: int, seconds: float, seed: int, journal: Journal | None = None) -> Tally:
    """Return the tally of one attack, which ends after so many cases or seconds."""
    journal, ends = journal or Journal(None), time.monotonic() + seconds
    tally = journal.read(name, seed)
    while tally.cases < cases and time.monotonic() < ends:
        answer = tried(name, folder, seed, tally.tries)
        journal.write(name, seed, answer)
        tally.add(answer)
    return tally


def tried(name: str, folder: Path, seed: int, number: int) -> Answer:
    """Return the answer to the case of a number."""
    began = time.monotonic()
    answer = ATTACKS[name](folder, random.Random(f"{seed} {name} {number}"), number)
    return replace(answer, case=f"{number}: {answer.case}", seconds=round(time.monotonic() - began, 3))


def main(
    seconds: Annotated[float, typer.Option(help="for each of the four attacks")] = 300.0,
    seed: Annotated[int, typer.Option(help="of the random choices")] = 0,
    only: Annotated[str, typer.Option(help=f"one of {', '.join(ATTACKS)}")] = "",
    journal: Annotated[Path | None, typer.Option(help="file of the cases tried, to go on from")] = None,
    case: Annotated[int | None, typer.Option(help="this one alone (with --only)")] = None,
) -> None:
    """Attack, and end with status 1 if anything was not refused in one line, changed, or lost."""
    loaded()
    with tempfile.TemporaryDirectory() as folder:
        place, faults = prepared(Path(folder)), 0
        if case is not None:
            print(tried(only, place, seed, case))
            return
        for name in [only] if only else ATTACKS:
            tally = attack(name, place, CASES[name], seconds, seed, Journal(journal))
            print(tally, flush=True)
            for fault in tally.faults[:20]:
                print(f"    {fault}")
            faults += len(tally.faults)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(main)
