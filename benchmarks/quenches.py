"""Errors of time evolutions held against exact answers: random quenches, at bond dimensions from 4 to full.

    python -m benchmarks.quenches --runs 150 --seed 1     # some ten minutes; every seed draws other chains

Every run takes a random chain of `benchmarks.calibration_models`, a random product state, ten times up to a random last
one, a random bond dimension, and a Trotter formula of order 2 or 4. A point is one element of an observable at one time
after 0. The rows of the table are runs by their bond dimension over the full one, which truncates nothing:

- `points`; `covered`: share of them whose error is within its claim. `factor 2`: within twice its claim.
- `worst`: largest error over claim, of points whose error exceeds 1e-3. `claim/error`: median over the same.
- `complete`: runs with this outcome. `wrong`: of these, those with an error beyond twice the tolerance.
- `cost`: CPU time with companions over that without, of all runs together.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.calibration_models import KINDS, Drawn, draw
from tnness import TEBD, evolve
from tnness.engines.ask import TOLERANCE

ROUND, NOTED = 1e-9, 1e-3
"""An error that counts as round-off, and one from which on the worst ratio counts."""
TIMES = 10
CLASSES = ((0.26, "up to a quarter"), (0.51, "to a half"), (0.999, "below full"), (np.inf, "full"))


@dataclass(frozen=True)
class Quench:
    """One run, held against the exact evolution.

    share: bond dimension over the full one. error, claim: of all points. scale: of each point's observable.
    """

    kind: str
    index: int
    chi: int
    share: float
    outcome: str
    error: NDArray[np.float64]
    claim: NDArray[np.float64]
    scale: NDArray[np.float64]
    seconds: float
    bare: float

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Which points are within their claims."""
        return self.error <= self.claim + ROUND

    @property
    def noted(self) -> NDArray[np.bool_]:
        """Which points have an error that counts."""
        return self.error > NOTED

    @property
    def complete(self) -> bool:
        """Whether the outcome is `complete`."""
        return self.outcome.partition(",")[0] == "complete"

    @property
    def wrong(self) -> bool:
        """Whether it is, and an error is beyond twice the tolerance."""
        return self.complete and bool((self.error > 2 * TOLERANCE * self.scale + ROUND).any())


def quench(name: str, seed: int, index: int, cost: bool = True) -> Quench:
    """Run number `index` of a kind. cost: whether it is run a second time without companions."""
    model, rng = draw(name, seed, index)
    spaces = model.problem().spaces
    full = spaces[0].dim ** (model.n // 2)
    chi = round(float(np.exp(rng.uniform(np.log(4), np.log(max(4, full))))))
    chi = full if rng.random() < 0.2 else chi
    start = "product:" + "".join(str(rng.integers(space.levels)) for space in spaces)
    times = np.linspace(0, rng.uniform(1, 10), TIMES + 1)
    engine = TEBD(chi=chi, order=int(rng.choice([2, 4])))
    began = time.process_time()
    record = evolve(model, times, engine=engine, initial=start, seed=seed, name=name)
    seconds = time.process_time() - began
    began = time.process_time()
    if cost:
        evolve(model, times, engine=engine, initial=start, seed=seed, name=name, errors=False)
    bare = time.process_time() - began
    exact = evolve(model, times, engine="exact", initial=start, seed=seed, name=name)
    error, claim, scale = (np.concatenate(parts) for parts in zip(*_points(model, record, exact), strict=True))
    return Quench(name, index, chi, chi / full, record.outcome, error, claim, scale, seconds, bare)


def _points(model: Drawn, record: Any, exact: Any) -> Iterable[tuple[NDArray[np.float64], ...]]:
    """Return for every observable the error, the claim and the scale of each of its points."""
    for name in model.observables():
        known = exact[name].values
        error = np.abs(record[name].values - known)[1:].ravel()
        yield error, record[f"{name}_error"].values[1:].ravel(), np.full_like(error, np.abs(known).max(initial=1e-6))


def row(name: str, runs: Sequence[Quench]) -> str:
    """Return a line of the table."""
    if not runs:
        return f"{name:16} {0:4}"
    error, claim = (np.concatenate([getattr(run, part) for run in runs]) for part in ("error", "claim"))
    noted, covered = error > NOTED, error <= claim + ROUND
    ratio = error[noted] / np.maximum(claim[noted], ROUND)
    worst, loose = (f"{ratio.max():.2f}", f"{np.median(1 / ratio):.1f}") if noted.any() else ("-", "-")
    cost, bare = sum(run.seconds for run in runs), sum(run.bare for run in runs)
    return (
        f"{name:16} {len(runs):4} {len(error):7,} {covered.mean():8.1%} {(error <= 2 * claim + ROUND).mean():9.1%} "
        f"{worst:>6} {loose:>12} {sum(run.complete for run in runs):9} {sum(run.wrong for run in runs):6} "
        f"{cost / bare if bare > 0.01 else np.nan:6.1f}"
    )


def table(runs: Sequence[Quench]) -> Iterable[str]:
    """Return the table, and the runs with the worst points."""
    yield f"{'chi':16} runs  points  covered  factor 2  worst  claim/error  complete  wrong   cost"
    low = 0.0
    for high, name in CLASSES:
        yield row(name, [run for run in runs if low < run.share <= high])
        low = high
    yield row("all", runs)
    for run in runs:
        beyond = run.noted & (run.error > 2 * run.claim)
        if beyond.any() or run.wrong:
            place = int(np.argmax(np.where(run.noted, run.error / np.maximum(run.claim, ROUND), 0)))
            yield (
                f"  {run.kind}:{run.index} chi = {run.chi} ({run.share:.2f} of full), {run.outcome}: {beyond.sum()} of "
                f"{len(run.error)} points beyond 2x; error {run.error[place]:.1e}, claim {run.claim[place]:.1e}"
            )


def main(
    runs: Annotated[int, typer.Option(min=1, help="how many")] = 150,
    seed: Annotated[int, typer.Option(min=0, help="of everything that is drawn")] = 1,
    kinds: Annotated[str, typer.Option(help="names with commas between; default: all")] = "",
    cost: Annotated[bool, typer.Option(help="run everything once more without companions")] = True,
) -> None:
    """Run random quenches, and print the table."""
    chosen = [name.strip() for name in kinds.split(",") if name.strip()] or list(KINDS)
    unknown = [name for name in chosen if name not in KINDS]
    if unknown:
        raise typer.BadParameter(f"no kind {unknown[0]!r}; the kinds are {', '.join(KINDS)}")
    with threadpool_limits(1):
        found = [quench(chosen[k % len(chosen)], seed, k // len(chosen), cost) for k in range(runs)]
    typer.echo("\n".join(table(found)))


if __name__ == "__main__":
    typer.run(main)
