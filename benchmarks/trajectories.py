"""Trajectories of an XXZ chain with dephasing and driven ends: against TEBD of the density operator, and mqt-yaqs.

H = J/4 sum (X X + Y Y + delta Z Z), J = 1; jumps Z on every site at the rate `dephasing`, sigma^+ on the first and
sigma^- on the last site at the rate `ends`; from the Neel state. Run from the root:
`python -m benchmarks.trajectories tebd`, `... chain`, or `... yaqs PYTHON`, PYTHON the interpreter of the environment
that `benchmarks/yaqs_environment.sh` makes. Seconds are those of the CPU.
"""

import json
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tnness import Lindbladian
from tnness import spin_half as s
from tnness.engines.exact import Exact
from tnness.engines.tebd import TEBD
from tnness.engines.trajectories import Trajectories

app = typer.Typer(add_completion=False)
SHORT = 8
"""Most sites of a chain that is solved exactly as well."""


@dataclass(frozen=True)
class Case:
    """A chain and the time to which it evolves."""

    n: int = 40
    dephasing: float = 0.05
    ends: float = 0.0
    delta: float = 0.5
    time: float = 4.0
    exchange: float = 0.25

    def problem(self) -> Lindbladian:
        """The chain."""
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            hop = s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)
            chain.hamiltonian(self.exchange * (hop + self.delta * s.Z(i) * s.Z(i + 1)))
        for i in range(self.n):
            chain.jump(s.Z(i), rate=self.dephasing)
        chain.jump(s.Sp(0), rate=self.ends)
        chain.jump(s.Sm(self.n - 1), rate=self.ends)
        return chain

    @property
    def start(self) -> str:
        """The Neel state."""
        return "product:" + "".join("01"[i % 2] for i in range(self.n))

    def operators(self) -> list[Any]:
        """Z of every site and the current of every bond."""
        bonds = range(self.n - 1)
        currents = [0.5 * (s.X(i) * s.Y(i + 1) - s.Y(i) * s.X(i + 1)) for i in bonds]
        return [*(s.Z(i) for i in range(self.n)), *currents]


@dataclass(frozen=True)
class Answer:
    """Expectations with their errors (0 where they have none), CPU seconds, and figures of the certificate."""

    values: np.ndarray
    errors: np.ndarray
    seconds: float
    figures: dict[str, float]


def sampled(case: Case, seed: int = 1, **settings: Any) -> Answer:
    """Trajectories at the end of the time."""
    begun = time.process_time()
    solution = Trajectories(**settings).solve(case.problem(), initial=case.start, times=[case.time], seed=seed)
    ((_, view),) = solution.views
    estimate = view.with_error(lambda each: [each.expect(o) for o in case.operators()])
    spent = time.process_time() - begun
    return Answer(np.asarray(estimate.value), np.asarray(estimate.error), spent, dict(solution.figures))


def density(case: Case, **settings: Any) -> Answer:
    """TEBD of the density operator."""
    begun = time.process_time()
    solution = TEBD(**settings).solve(case.problem(), initial=case.start, times=[case.time])
    ((_, view),) = solution.views
    values = np.array([view.expect(o) for o in case.operators()])
    return Answer(values, np.zeros_like(values), time.process_time() - begun, dict(solution.figures))


def exact(case: Case) -> Answer:
    """The density matrix itself: short chains."""
    ((_, view),) = Exact().solve(case.problem(), initial=case.start, times=[case.time]).views
    values = np.array([view.expect(o) for o in case.operators()])
    return Answer(values, np.zeros_like(values), 0.0, {})


def deviation(found: Answer, reference: Answer) -> tuple[float, float]:
    """Root mean square and largest deviation, in errors."""
    z = (found.values - reference.values) / found.errors
    return float(np.sqrt(np.mean(z**2))), float(np.abs(z).max())


def told(name: str, answer: Answer) -> None:
    """Print one line."""
    figures = ", ".join(f"{key} {value:.3g}" for key, value in answer.figures.items() if value)
    error = f", errors {answer.errors.mean():.1e}" if answer.errors.any() else ""
    typer.echo(f"  {name}: {answer.seconds:.1f} s{error}; {figures}")


Sites = Annotated[int, typer.Option(help="sites")]
Dephasing = Annotated[float, typer.Option(help="rate of the jumps Z [J]")]
Ends = Annotated[float, typer.Option(help="rate of the driving at both ends [J]")]
Time = Annotated[float, typer.Option(help="time of the evolution [1/J]")]
Step = Annotated[float, typer.Option(help="time step [1/J]")]
Count = Annotated[int, typer.Option(help="trajectories")]
Chi = Annotated[int, typer.Option(help="largest bond dimension")]
Cutoff = Annotated[float, typer.Option(help="weight dropped at a bond that is always acceptable")]
Chis = Annotated[str, typer.Option(help="bond dimensions of TEBD, with commas between; the last is the reference")]


@app.command("tebd")
def against_tebd(
    n: Sites = 40,
    dephasing: Dephasing = 0.05,
    ends: Ends = 0.0,
    span: Time = 4.0,
    dt: Step = 0.2,
    realizations: Count = 100,
    chi: Chi = 64,
    cutoff: Cutoff = 1e-6,
    chis: Chis = "16,32",
    unraveling: Annotated[str, typer.Option(help="jumps or diffusion")] = "jumps",
) -> None:
    """Trajectories and TEBD at several bond dimensions, and how far they are apart."""
    case = Case(n=n, dephasing=dephasing, ends=ends, time=span)
    typer.echo(f"n = {n}, dephasing {dephasing:g}, ends {ends:g}, to t = {span:g}")
    with threadpool_limits(1):
        runs = {each: density(case, chi=each, dt=dt) for each in map(int, chis.split(","))}
        mine = sampled(case, realizations=realizations, dt=dt, chi=chi, cutoff=cutoff, unraveling=unraveling)
    reference = runs[max(runs)]
    for each, answer in runs.items():
        apart = np.abs(answer.values - reference.values).max()
        told(f"TEBD, chi = {each}, {apart:.1e} from the last", answer)
    told(f"{realizations} trajectories ({unraveling})", mine)
    typer.echo("  from TEBD in errors: rms {:.2f}, largest {:.2f}".format(*deviation(mine, reference)))


@app.command("chain")
def one_chain(
    n: Sites = 100,
    dephasing: Dephasing = 0.05,
    ends: Ends = 0.0,
    span: Time = 4.0,
    dt: Step = 0.2,
    realizations: Count = 20,
    chi: Chi = 64,
    cutoff: Cutoff = 1e-6,
) -> None:
    """Trajectories alone: seconds, bond dimensions, errors."""
    case = Case(n=n, dephasing=dephasing, ends=ends, time=span)
    with threadpool_limits(1):
        mine = sampled(case, realizations=realizations, dt=dt, chi=chi, cutoff=cutoff, unraveling="jumps")
    told(f"n = {n}, dephasing {dephasing:g}, ends {ends:g}, to t = {span:g}, {realizations} trajectories", mine)


@app.command("yaqs")
def against_yaqs(
    python: Annotated[Path, typer.Argument(help="interpreter of an environment with mqt-yaqs")],
    n: Sites = 20,
    dephasing: Dephasing = 0.05,
    ends: Ends = 0.0,
    span: Time = 4.0,
    dt: Step = 0.2,
    realizations: Count = 20,
    chi: Chi = 64,
    cutoff: Cutoff = 1e-6,
    order: Annotated[int, typer.Option(help="of the tensor jump method")] = 2,
    mode: Annotated[str, typer.Option(help="of its TDVP: 2site, 1site or dynamic")] = "2site",
    krylov: Annotated[float, typer.Option(help="tolerance of its matrix exponentials")] = 1e-6,
    more: Annotated[int, typer.Option(help="as many times more trajectories of ours")] = 10,
) -> None:
    """The tensor jump method of mqt-yaqs on the same chain; both against exact where it is short."""
    case = Case(n=n, dephasing=dephasing, ends=ends, time=span)
    about = {"dt": dt, "trajectories": realizations, "chi": chi, "cutoff": cutoff, "krylov": krylov, "order": order}
    with threadpool_limits(1):
        theirs = by_yaqs(python, asdict(case) | about | {"seed": 1, "mode": mode})
        count = more * realizations
        mine = sampled(case, realizations=count, dt=dt, chi=chi, cutoff=cutoff, unraveling="jumps")
        reference = exact(case) if n <= SHORT else mine
    own = Answer(mine.values[:n], mine.errors[:n], mine.seconds, mine.figures)
    known = Answer(reference.values[:n], reference.errors[:n], 0.0, {})
    against = "exact" if n <= SHORT else "ours"
    for name, answer, number in (("mqt-yaqs", theirs, realizations), ("ours", own, count)):
        told(f"{name}, {number} trajectories ({answer.seconds / number:.3f} s each)", answer)
        typer.echo(f"    from {against} in errors: " + "rms {:.2f}, largest {:.2f}".format(*deviation(answer, known)))


def by_yaqs(python: Path, asked: dict[str, Any]) -> Answer:
    """Run `yaqs_chain.py` with another interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.json", Path(folder) / "found.json"
        given.write_text(json.dumps(asked))
        subprocess.run([python, Path(__file__).with_name("yaqs_chain.py"), given, found], check=True)
        answer = json.loads(found.read_text())
    z = np.array(answer["z"])
    return Answer(z.mean(axis=0), z.std(axis=0, ddof=1) / np.sqrt(len(z)), answer["seconds"], {"chi": answer["chi"]})


if __name__ == "__main__":
    app()
