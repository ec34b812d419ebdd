"""Whole steady states: tnness beside TeNPy, quimb, QuTiP and mqt-yaqs, all to the same error.

`python -m benchmarks.peers` prints one table. TeNPy and quimb evolve the vectorised density matrix from the identity at
a fixed bond dimension by TeNPy's Trotter formulas (order 2: its default; order 4: the expert's), with the largest dt
that reaches the goal, and stop at the first look at which no density and no current is off by more than the goal. A
user knows no reference, and waits longer. tnness is stopped by the same rule, and runs once as it is used: in stages,
with its certificate and kicks, to its own end.

What would take longer than `--limit` is not run whole: blocks of steps on full bonds are measured, and the time is that
of as many blocks as tnness' kernel needed with the same formula. Such rows are marked with `~`.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.special import eval_chebyt, eval_chebyu
from tenpy.algorithms.tebd import TEBDEngine
from threadpoolctl import threadpool_limits

from benchmarks.contestants import Contestant, QuimbPeer, TenpyPeer
from benchmarks.kernels import Kernel
from benchmarks.workload import (
    CACHE,
    DrivenChain,
    DrivenXXZ,
    Layer,
    Tensors,
    gates_of,
    identity_state,
    local_observables,
)
from tnness import TEBD, find, steady_state
from tnness import identity_state as mixed
from tnness.engines.ask import Ask

REFERENCE_CHI = 96
"""Bond dimension of the reference, where there is no exact one."""
LOOK = 2.0
"""Time from one look at the error to the next."""
WIDTH = 52
"""Of the column of names."""
FEW = 2
"""Blocks that are measured where a run is extrapolated."""


@dataclass(frozen=True)
class Case:
    """A chain, the error that all must reach, and how finely time is cut.

    Parameters
    ----------
    chain: the matrices. about: the parameters of the model `name`. goal: the largest error of a density or a current.
    tolerance: of the run with a certificate, relative.
    dt: for each order of the Trotter formula, the largest step that reaches the goal (`--tune` shows it).
    longest: the time at which a run is given up.
    """

    name: str
    chain: DrivenChain | DrivenXXZ
    about: dict[str, Any]
    chi: int
    goal: float
    tolerance: float
    dt: dict[int, float]
    longest: float

    @property
    def n(self) -> int:
        """The number of sites."""
        return self.chain.n

    def block(self, order: int, dt: float, steps: int) -> list[Layer]:
        """The layers of some steps by TeNPy's formula, shared layers merged."""
        made: dict[tuple[int, int], Layer] = {}
        fractions = TEBDEngine.suzuki_trotter_time_steps(order)
        sequence = TEBDEngine.suzuki_trotter_decomposition(order, steps)
        for fraction, parity in sequence:
            if (fraction, parity) not in made:
                bonds = range(parity, self.n - 1, 2)
                made[fraction, parity] = gates_of(self.chain.bond_generator, bonds, dt * fractions[fraction])
        return [made[key] for key in sequence]

    def watched(self, pairs: np.ndarray) -> np.ndarray:
        """<Z_i>, and of every bond the current 2 <X Y - Y X>, or for the chain in fields <S . S>.

        pairs: (n - 1, 4, 4), <sigma_a sigma_b> of neighbours.
        """
        z = np.append(pairs[:, 3, 0], pairs[-1, 0, 3])
        if self.name == "xxz-driven":
            return np.append(z, 2 * (pairs[:, 1, 2] - pairs[:, 2, 1]))
        return np.append(z, (pairs[:, 1, 1] + pairs[:, 2, 2] + pairs[:, 3, 3]) / 4)

    def of_record(self, record: Any) -> np.ndarray:
        """The same numbers of a record."""
        if self.name == "xxz-driven":
            return np.append(record["z"].values, record["current"].values)
        return np.append(2 * record["sz"].values, record["ss"].values)

    @cached_property
    def reference(self) -> tuple[np.ndarray, str]:
        """The numbers of the steady state, and in words where they come from."""
        if self.name == "xxz-driven":
            return prosen(self.n, self.about["delta"]), "Prosen's exact state"
        path = CACHE / f"{self.name}_n{self.n}_chi{REFERENCE_CHI}_seed{self.chain.seed}.npz"
        if not path.exists():
            record = self.solved(TEBD(chi=REFERENCE_CHI, schedule=(24, 48)), self.goal)
            claim = np.append(2 * record["sz_error"].values, record["ss_error"].values)
            CACHE.mkdir(exist_ok=True)
            np.savez(path, values=self.of_record(record), claim=claim, outcome=record.outcome)
        with np.load(path) as stored:
            told = f"chi = {REFERENCE_CHI}, {stored['outcome']}, claimed error {stored['claim'].max():.1e}"
            return stored["values"], told

    @cached_property
    def model(self) -> Any:
        """The model of tnness, with the fields of the matrices."""
        return find(self.name)(n=self.n, **self.about, **self.drawn)

    @property
    def drawn(self) -> dict[str, tuple[float, ...]]:
        """The fields, as the model takes them."""
        fields = dict(zip(("fields_z", "fields_x"), getattr(self.chain, "fields", None) or (), strict=False))
        return {name: tuple(values[: self.n].tolist()) for name, values in fields.items()}

    def error(self, pairs: np.ndarray) -> float:
        """The largest error of a density or a current."""
        return float(np.abs(self.watched(pairs) - self.reference[0]).max())

    def solved(self, engine: Any, tolerance: float) -> Any:
        """The record of a run as it is used; judged by the numbers that are watched here."""
        judged = ["z", "current"] if self.name == "xxz-driven" else ["sz", "ss"]
        return steady_state(self.model, engine=engine, tolerance=tolerance, watch=judged)


def cases(quick: bool = False) -> list[Case]:
    """The chains of the table; quick: short ones, for a test."""
    xxz = Case("xxz-driven", DrivenXXZ(20, 0.5), {"delta": 0.5}, 32, 1e-2, 1e-2, {2: 0.1, 4: 0.3}, 150.0)
    mbl = Case("mbl-heisenberg", DrivenChain(n=12), {"h": 2.0, "eps": 0.1}, 64, 3e-3, 1e-2, {2: 0.2, 4: 0.7}, 150.0)
    if not quick:
        return [xxz, mbl]
    return [replace(xxz, chain=DrivenXXZ(4, 0.5), chi=16), replace(mbl, chain=DrivenChain(n=4), chi=16)]


def prosen(n: int, delta: float) -> np.ndarray:
    """<Z_i> and the current at maximal driving, rate 1, from the transfer matrices of Prosen's ansatz.

    With T_k, U_k Chebyshev polynomials at delta and e = 1/2: a = T_k - i e U_{k-1} / 2, p = U_k,
    m = -i e T_k - (1 - delta^2 + e^2/4) U_{k-1}; V_kk = 2 |a|^2, V_{k,k+1} = |p|^2 = W_{k,k+1},
    V_{k+1,k} = |m|^2 = -W_{k+1,k}; <Z_i> = (V^{i-1} W V^{n-i})_00 / (V^n)_00, j = 2 (V^{n-1})_00 / (V^n)_00.
    """
    depth, e = n // 2 + 1, 0.5
    k = np.arange(depth)
    first, second, before = eval_chebyt(k, delta), eval_chebyu(k, delta), eval_chebyu(k - 1, delta)
    a = np.abs(first - 0.5j * e * before) ** 2
    up = np.abs(second) ** 2
    down = np.abs(-1j * e * first - (1 - delta**2 + e**2 / 4) * before) ** 2
    upper, lower = np.diag(up[:-1], 1), np.diag(down[:-1], -1)
    transfer, insertion = 2 * np.diag(a) + upper + lower, upper - lower
    powers = [np.linalg.matrix_power(transfer, j) for j in range(n + 1)]
    z = [(powers[i] @ insertion @ powers[n - 1 - i])[0, 0] for i in range(n)]
    current = 2 * powers[n - 1][0, 0]
    return np.append(z, np.full(n - 1, current)) / powers[n][0, 0]


@dataclass
class Row:
    """A line of the table.

    seconds: of the CPU. wall: by the clock. error: against the reference, at the end. ended: time of the evolution.
    about: what else is to be said. extrapolated: whether the run was not whole.
    """

    name: str
    seconds: float
    wall: float = math.nan
    error: float = math.nan
    ended: float = math.nan
    about: str = ""
    extrapolated: bool = False
    threads: str = "1"


@dataclass(eq=False)
class Race:
    """Contestants of one case: each is run to the goal, or measured and extrapolated.

    limit: CPU seconds of a contestant, beyond which it is extrapolated. needed: for each order the blocks
    that the first contestant needed. full: its state at the end, on full bonds.
    """

    case: Case
    limit: float
    needed: dict[int, int] = field(default_factory=dict)
    full: dict[int, Tensors] = field(default_factory=dict)

    def steps(self, order: int) -> int:
        """The Trotter steps in a block."""
        return max(1, round(LOOK / self.case.dt[order]))

    def run(self, contestant: Contestant, order: int, *, threads: int | None = 1) -> Row:
        """Evolve the identity in blocks, and look after each; only blocks are timed."""
        case, dt, steps = self.case, self.case.dt[order], self.steps(order)
        if order in self.needed:
            predicted = self.extrapolated(contestant, order, threads)
            if predicted.seconds > self.limit:
                return predicted
        contestant.setup(identity_state(case.n), case.block(order, dt, steps))
        row = Row(self.named(contestant, order), 0.0, 0.0, threads=words(threads))
        with threadpool_limits(threads):
            for block in range(math.ceil(case.longest / (steps * dt))):
                timed(row, contestant.step)
                tensors = contestant.tensors()
                row.error, row.ended = case.error(local_observables(tensors)), (block + 1) * steps * dt
                if row.error <= case.goal:
                    self.needed.setdefault(order, block + 1)
                    self.full.setdefault(order, tensors)
                    return row
        row.about = "did not reach the goal"
        return row

    def extrapolated(self, contestant: Contestant, order: int, threads: int | None) -> Row:
        """The time of as many blocks as another contestant needed, from a few on full bonds."""
        dt, steps, blocks = self.case.dt[order], self.steps(order), self.needed[order]
        contestant.setup(self.full[order], self.case.block(order, dt, steps))
        row = Row(self.named(contestant, order), 0.0, 0.0, ended=blocks * steps * dt, threads=words(threads))
        with threadpool_limits(threads):
            for _ in range(FEW):
                timed(row, contestant.step)
        share, about = blocks / FEW, f"{FEW} of {blocks} blocks measured"
        return replace(row, seconds=row.seconds * share, wall=row.wall * share, about=about, extrapolated=True)

    def named(self, contestant: Contestant, order: int) -> str:
        """The contestant's name with its formula."""
        return f"{contestant.name}, order {order}, dt = {self.case.dt[order]:g}"

    def ours(self, **settings: Any) -> Row:
        """A run of tnness at the bond dimension from the beginning, stopped by the same rule."""
        case = self.case
        generator = case.model.problem().generator()
        engine = TEBD(chi=case.chi, schedule=(), **settings)
        factor = engine.step_factor(generator, Ask(tolerance=case.tolerance))  # as in a steady state
        run = engine.init(generator, mixed(generator.spaces), step_factor=factor)
        dt = run.stages[0].dt
        row = Row(f"tnness, symmetry {settings['symmetry']}, order {run.settings.order}, dt = {dt:.2g}", 0.0, 0.0)

        def look() -> None:
            for _ in range(max(1, round(LOOK / dt))):
                run.step()

        with threadpool_limits(1):
            while run.time < case.longest:
                timed(row, look)
                row.error, row.ended = case.error(local_observables(run.chain_state().tensors)), run.time
                if row.error <= case.goal:
                    return row
        row.about = "did not reach the goal"
        return row

    def certified(self, **settings: Any) -> Row:
        """A run of tnness as it is used, to its own end."""
        case, row = self.case, Row("tnness as it is used: stages, certificate, kicks", 0.0, 0.0)
        with threadpool_limits(1):
            record = timed(row, lambda: case.solved(TEBD(chi=case.chi, **settings), case.tolerance))
        error = float(np.abs(case.of_record(record) - case.reference[0]).max())
        return replace(row, error=error, ended=record.time, about=record.outcome)

    def rows(self, threads: int | None, only: str = "") -> Iterator[Row]:
        """Yield all lines. threads: of BLAS in the peers; None: as many as they take."""
        if threads is not None:
            yield self.ours(symmetry="none")
            yield self.ours(symmetry="none", order=2, dt=self.case.dt[2])
            if self.case.name == "xxz-driven":
                yield self.ours(symmetry="charges")
            yield self.certified()
            for order in (2, 4):
                self.run(Kernel(self.case.chi, "cholesky-qr", power=1), order)  # for the number of blocks
        chi = self.case.chi
        for contestant, orders in (
            (TenpyPeer(chi), (2,)),
            (TenpyPeer(chi, dtype=np.float64, qr=True), (2, 4)),
            (QuimbPeer(chi), (2,)),
            (QuimbPeer(chi, dtype=np.float64, method="svd:rand"), (2, 4)),
        ):
            for order in orders:
                if only in contestant.name:
                    yield self.run(contestant, order, threads=threads)


def words(threads: int | None) -> str:
    """The number of BLAS threads as a text."""
    return "default" if threads is None else str(threads)


def timed(row: Row, work: Callable[[], Any]) -> Any:
    """Do some work, and add its seconds to a row."""
    cpu, wall = time.process_time(), time.perf_counter()
    done = work()
    row.seconds, row.wall = row.seconds + time.process_time() - cpu, row.wall + time.perf_counter() - wall
    return done


def small(python: str) -> Iterator[Row]:
    """Steady states of six sites by QuTiP's direct solver and by the engine `exact`; the second is the reference."""
    with threadpool_limits(1):
        for case in (replace(c, chain=replace(c.chain, n=6)) for c in cases()):
            ours, values = [], np.zeros(0)
            while sum(row.seconds for row in ours) < REPEATED:
                ours.append(Row(f"tnness exact, {case.name}, n = 6", 0.0, 0.0, 0.0))
                values = case.of_record(timed(ours[-1], partial(steady_state, case.model, engine="exact")))
            yield min(ours, key=lambda row: row.seconds)
            for threads in ("1", "default"):
                surroundings = {k: v for k, v in os.environ.items() if k not in THREADS} | (
                    dict.fromkeys(THREADS, "1") if threads == "1" else {}
                )
                about = json.dumps({"n": 6, "repeated": REPEATED, **case.about, **case.drawn})
                told = subprocess.run(
                    [python, "-c", QUTIP, about], capture_output=True, text=True, check=True, env=surroundings
                )
                answer = json.loads(told.stdout)
                error = float(np.abs(np.array(answer["values"]) - values).max())
                yield Row(
                    f"QuTiP, steadystate, {case.name}, n = 6", answer["cpu"], answer["wall"], error, threads=threads
                )


REPEATED = 2.0
"""CPU seconds for which a small solve is repeated, by us and by QuTiP: the fastest counts."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
QUTIP = """
import json, sys, time
import numpy as np, qutip as q
p = json.loads(sys.argv[1]); n = p["n"]
def at(o, i): return q.tensor([o if k == i else q.qeye(2) for k in range(n)])
x, y, z = ([at(o, i) for i in range(n)] for o in (q.sigmax(), q.sigmay(), q.sigmaz()))
flip = q.basis(2, 0) * q.basis(2, 1).dag()
up, down = ([at(o, i) for i in range(n)] for o in (flip, flip.dag()))
bonds, one = range(n - 1), q.tensor([q.qeye(2)] * n)
if "delta" in p:
    h = sum(x[i] * x[i + 1] + y[i] * y[i + 1] + p["delta"] * z[i] * z[i + 1] for i in bonds)
    jumps, reads = [up[0], down[-1]], [2 * (x[i] * y[i + 1] - y[i] * x[i + 1]) for i in bonds]
else:
    reads = [(x[i] * x[i + 1] + y[i] * y[i + 1] + z[i] * z[i + 1]) / 4 for i in bonds]
    h = sum(reads) + p["h"] / 2 * sum(p["fields_z"][i] * z[i] + p["fields_x"][i] * x[i] for i in range(n))
    jumps = [z[i] / 2 for i in range(n)]
    for i in bonds:
        for a, b in ((i, i + 1), (i + 1, i)):
            jumps += [up[a] * (one - z[b]) / 8**0.5, down[a] * (one + z[b]) / 8**0.5]
    jumps = [p["eps"] ** 0.5 * c for c in jumps]
best, begun = None, time.process_time()
while best is None or time.process_time() - begun < p["repeated"]:
    cpu, wall = time.process_time(), time.perf_counter()
    rho = q.steadystate(h, jumps)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    best = spent if best is None else min(best, spent)
values = [float(q.expect(o, rho).real) for o in z + reads]
print(json.dumps({"values": values, "cpu": best[0], "wall": best[1]}))
"""
"""Both chains in QuTiP, from its own matrices."""


def trajectories(python: str, case: Case, ended: float) -> Row:
    """The tensor jump method of mqt-yaqs, extrapolated: to the time, and to as many trajectories as the goal needs.

    Its error is that of sampling: the standard error of the worst <Z_i>. ended: the time of the evolution.
    """
    count, span = 8, 4.0
    asked = {"n": case.n, "exchange": 1.0, "dephasing": 0.0, "ends": 1.0, "time": span, "dt": 0.1, "seed": 1}
    asked |= {"trajectories": count, "chi": case.chi, "cutoff": 1e-6, "krylov": 1e-6, "order": 2, "mode": "2site"}
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.json", Path(folder) / "found.json"
        given.write_text(json.dumps([asked | case.about]))
        surroundings = os.environ | dict.fromkeys(THREADS, "1")
        script = Path(__file__).with_name("yaqs_chain.py")
        subprocess.run([python, script, given, found], check=True, env=surroundings)
        (answer,) = json.loads(found.read_text())
    spread = float(np.std(answer["z"], axis=0, ddof=1).max())
    needed = max(1, math.ceil((spread / case.goal) ** 2))
    seconds = answer["seconds"] / count * needed * ended / span
    about = f"{count} trajectories to t = {span:g} measured; {needed} to t = {ended:.0f} are needed"
    return Row("mqt-yaqs, trajectories, dt = 0.1", seconds, math.nan, case.goal, ended, about, True)


HEAD = f"{'':{WIDTH}}  threads    CPU s   wall s    ratio    error      t"


def told(rows: Iterable[Row], first: Row | None = None) -> list[Row]:
    """Print the lines as they come, and return them. first: to whom the ratios are; default: the first line."""
    typer.echo(HEAD)
    found: list[Row] = []
    for row in rows:
        found.append(row)
        typer.echo(line(row, first or found[0]))
    return found


def line(row: Row, first: Row) -> str:
    """A line of the table."""
    mark = "~" if row.extrapolated else " "
    return (
        f"{row.name:{WIDTH}}  {row.threads:>7} {mark}{row.seconds:7.3g} {row.wall:8.3g}"
        f" {row.seconds / first.seconds:7.3g}x  {row.error:8.1e}  {row.ended:5.1f}  {row.about}"
    )


def interpreter(given: str, module: str) -> str | None:
    """The interpreter that has a package: the one given, or this one; None, with a line, where there is none."""
    python = given or sys.executable
    asked = subprocess.run([python, "-c", f"import {module}"], capture_output=True)
    if asked.returncode == 0:
        return python
    typer.echo(f"skipped: {python} has no {module}")
    return None


def main(
    only: Annotated[str, typer.Option(help="one case: xxz-driven, mbl-heisenberg or small")] = "",
    chi: Annotated[int, typer.Option(help="bond dimension of all; 0: that of the case")] = 0,
    limit: Annotated[float, typer.Option(help="CPU seconds beyond which a peer is extrapolated")] = 600.0,
    default_threads: Annotated[bool, typer.Option(help="peers with their default number of threads too")] = True,
    qutip: Annotated[str, typer.Option(help="an interpreter that has QuTiP; default: this one")] = "",
    yaqs: Annotated[str, typer.Option(help="an interpreter that has mqt-yaqs; default: this one")] = "",
) -> None:
    """Print a table of whole steady states; ratios are to tnness without symmetry, stopped by the same rule."""
    for case in cases():
        if only not in ("", case.name):
            continue
        race = Race(replace(case, chi=chi or case.chi), limit)
        case = race.case
        typer.echo(f"{case.name}, n = {case.n}, {case.about}, chi = {case.chi}, error <= {case.goal:g}")
        typer.echo(f"reference: {case.reference[1]}")
        rows = told(race.rows(1))
        python = interpreter(yaqs, "mqt.yaqs") if case.name == "xxz-driven" else None
        if python:
            typer.echo(line(trajectories(python, case, rows[0].ended), rows[0]))
        if default_threads:
            load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
            typer.echo(f"default threads, {os.cpu_count()} cores, load {load}; ratios to the first line above")
            told(race.rows(None), rows[0])
        typer.echo("")
    python = interpreter(qutip, "qutip") if only in ("", "small") else None
    if python:
        told(small(python))


if __name__ == "__main__":
    typer.run(main)
