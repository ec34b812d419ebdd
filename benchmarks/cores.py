"""One chain on two cores: wall time of a step against one core, and the critical path on more of them.

Run from the root, with nothing else running: `python -m benchmarks.cores`. Serial and parallel steps take turns; the
median of five ratios counts. `--segments 2,16,64` simulates the scheme of `tnness.network.halves` for a chain in P
segments, from measured times of its parts: see `Schedule`.
"""

import os
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Annotated, Any, Self

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tnness import TEBD, find, identity_state
from tnness.engines.tebd_run import TEBDRun
from tnness.network.halves import Halves
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Truncation


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


@dataclass(frozen=True)
class Parts:
    """CPU seconds of what a sweep is made of, on full bonds.

    gate: with its split. move: of the centre over a bond without a gate. merge: two borders, the division, and a gate
    across. send: an edge tensor to another process and back.
    """

    gate: float
    move: float
    merge: float
    send: float

    @classmethod
    def measured(cls, chi: int, repeats: int = 3) -> Self:
        """Measure them on a chain of twelve sites, of which the inner ones have full bonds."""
        run = begun(12, chi, 1)
        truncation, rng = Truncation(chi=chi, cutoff=0.0, power=1), np.random.default_rng(0)
        layer, none = run.gates.layer(1, 0.02), [None] * 11
        full = [4 ** min(bond + 1, 11 - bond) >= chi for bond in range(11)]
        inner = [gate if deep else None for gate, deep in zip(layer, full, strict=True)]
        state = run.state
        state.move_centre(0)
        with_gates, without = [], []
        for gates, kept in ((inner, with_gates), (none, without)) * (2 * repeats):
            kept.append(spent(lambda gates=gates: sweep_layer(state, gates, truncation, rng)))
        moves = min(without) / sum(full)  # the bonds that are not full cost next to nothing
        gate = (min(with_gates) - min(without)) / sum(g is not None for g in inner) + moves
        halves, merges = Halves(state, truncation), []
        for _ in range(repeats):
            halves.sweep(none, [rng] * 3)
            merges.append(spent(lambda: halves.sweep(none, [rng] * 3)))
        merge = max(0.0, min(merges) - min(without)) + gate
        edge = np.zeros((chi, 4, chi))
        send = min(spent(lambda: pickle.loads(pickle.dumps(edge, protocol=5))) for _ in range(repeats))  # noqa: S301
        return cls(gate, moves, merge, 2 * send)


@dataclass(frozen=True)
class Schedule:
    """A chain in P segments, each swept by a process of its own, with centres on the bonds between them.

    The state is L C_1 M C_2 ... R. In two layers every segment sweeps over its sites and back, and gives the factors
    at its borders; an inner one moves its centre over all its sites once more, for the second of them. A merge
    Y C^-1 Y' needs both neighbours, and carries the gate on its bond; the next two layers of a segment need its merges.
    Merges are exact whatever the gauge, but gates are no isometries: beside a segment that has changed, the other
    centres are those of an earlier state. To restore them is a sweep without gates over the whole chain, one site after
    the other, every `restored` pairs of layers. Two halves need none.
    """

    n: int
    chi: int
    segments: int
    parts: Parts
    restored: int = 6

    def share(self, bond: int) -> float:
        """The cost at a bond, relative to a full one."""
        return min(1.0, 4 ** min(bond + 1, self.n - 1 - bond) / self.chi) ** 3

    def sweep(self, bonds: range, passes: float) -> float:
        """Two layers over some bonds: each has a gate once, and is passed without once; `passes` further ones."""
        return sum(self.share(bond) * (self.parts.gate + (1 + passes) * self.parts.move) for bond in bonds)

    def seconds(self, pairs: int = 24) -> float:
        """The time of a pair of layers when so many follow one another; 24 are four steps of fourth order."""
        cuts = np.linspace(0, self.n, self.segments + 1).round().astype(int)
        inside = [range(first, last - 1) for first, last in pairwise(cuts)]
        work = [self.sweep(bonds, 1.0 if 0 < k < self.segments - 1 else 0.0) for k, bonds in enumerate(inside)]
        merges = [self.share(cut - 1) * (self.parts.merge + self.parts.send) for cut in cuts[1:-1]]
        whole = sum(self.share(bond) * self.parts.move for bond in range(self.n - 1)) if self.segments > 2 else 0.0
        ready = np.zeros(self.segments)  # when each segment may begin its next two layers
        for pair in range(1, pairs + 1):
            done = ready + np.array(work)
            merged = [max(done[k], done[k + 1]) + merge for k, merge in enumerate(merges)]
            ends = [done[0], *merged, done[-1]]
            ready = np.array([max(ends[k], ends[k + 1], done[k]) for k in range(self.segments)])
            if pair % self.restored == 0 and whole:
                ready[:] = ready.max() + whole
        return float(ready.max()) / pairs


def spent(work: Callable[[], Any]) -> float:
    """CPU seconds of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def simulated(chis: list[int], sizes: list[int], segments: list[int]) -> Iterator[str]:
    """Yield a table: for each length, bond dimension and number of segments how many times shorter the path is."""
    for chi in chis:
        parts = Parts.measured(chi)
        told = ", ".join(f"{name} {1e3 * value:.2f}" for name, value in asdict(parts).items())
        yield f"chi = {chi}, ms: {told}"
        for n in sizes:
            serial = Schedule(n, chi, 1, parts).seconds()
            for count in (count for count in segments if 3 * count <= n):
                plain, once = (serial / Schedule(n, chi, count, parts, restored).seconds() for restored in (6, 1))
                yield f"  n = {n:4d}, {count:3d} segments: {plain:6.2f} times; centres restored every pair {once:6.2f}"


def main(
    chis: Annotated[str, typer.Option(help="bond dimensions with commas between")] = "32,64,128",
    sizes: Annotated[str, typer.Option(help="lengths with commas between")] = "20,40",
    repeats: Annotated[int, typer.Option(min=1, help="pairs of steps")] = 5,
    segments: Annotated[str, typer.Option(help="simulate so many segments instead, with commas between")] = "",
) -> None:
    """Seconds of a fourth-order step on one core and on two; ratio, its range; what differs; weights dropped."""
    if segments:
        with threadpool_limits(1):
            for line in simulated(*([int(x) for x in given.split(",")] for given in (chis, sizes, segments))):
                typer.echo(line)
        return
    typer.echo(f"{os.cpu_count()} cores\n   n   chi    one /s    two /s  ratio  [range]      differ   dropped by each")
    with threadpool_limits(1):
        for n in map(int, sizes.split(",")):
            for chi in map(int, chis.split(",")):
                typer.echo(compared(n, chi, repeats))


if __name__ == "__main__":
    typer.run(main)
