"""Trajectories of an XXZ chain with dephasing and driven ends: against TEBD of the density operator, and mqt-yaqs.

H = J/4 sum (X X + Y Y + delta Z Z), J = 1; jumps Z on every site at the rate `dephasing`, sigma^+ on the first and
sigma^- on the last site at the rate `ends`; from the Neel state. Run from the root:
`python -m benchmarks.trajectories tebd --chis 16,32`, `... chain`, `... yaqs PYTHON` or `... tuned PYTHON`, PYTHON the
interpreter of the environment that `benchmarks/yaqs_environment.sh` makes. Seconds are those of the CPU.
"""

import json
import math
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.linalg import expm
from threadpoolctl import threadpool_limits

from tnness import Lindbladian
from tnness import spin_half as s
from tnness.cli.fields import FieldOption, Group, with_options
from tnness.cli.grouped import ENGINE, OTHER, WHAT, GroupedCommand
from tnness.engines.exact import Exact
from tnness.engines.tebd import TEBD
from tnness.engines.trajectories import Trajectories
from tnness.network.trotter import layers
from tnness.typed import field_types

app = typer.Typer(add_completion=False, rich_markup_mode=None)
SHORT = 8
"""Most sites of a chain that is solved exactly as well."""


@dataclass(frozen=True)
class Case:
    """A chain and the time to which it evolves."""

    n: int = 40  # sites
    dephasing: float = 0.05  # rate of the jumps Z [J]
    ends: float = 0.0  # rate of the driving at both ends [J]
    delta: float = 0.5  # anisotropy
    time: float = 4.0  # time of the evolution [1/J]
    exchange: float = 0.25  # of the Pauli matrices [J]

    def __str__(self) -> str:
        return f"n = {self.n}, dephasing {self.dephasing:g}, ends {self.ends:g}, to t = {self.time:g}"

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
class Ours:
    """Settings of our trajectories."""

    realizations: int = 100  # trajectories
    dt: float = 0.2  # time step [1/J]
    chi: int = 64  # largest bond dimension
    cutoff: float = 1e-6  # weight dropped at a bond that is always acceptable
    unraveling: str = "jumps"  # jumps or diffusion


@dataclass(frozen=True)
class Theirs:
    """Settings of mqt-yaqs."""

    trajectories: int = 10  # trajectories of mqt-yaqs
    step: float = 0.2  # its time step [1/J]
    bond: int = 64  # its largest bond dimension
    threshold: float = 1e-6  # weight that it drops at a bond
    order: int = 2  # of the tensor jump method
    mode: str = "2site"  # of its TDVP: 2site or dynamic
    krylov: float = 1e-6  # tolerance of its matrix exponentials

    @property
    def settings(self) -> dict[str, Any]:
        """As `yaqs_chain.py` takes them."""
        named = {"dt": self.step, "chi": self.bond, "cutoff": self.threshold, "seed": 1}
        return named | {name: getattr(self, name) for name in ("trajectories", "order", "mode", "krylov")}


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


@cache
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


def fields(cls: type, title: str) -> Group:
    """Options made of the fields of a dataclass."""
    names = field_types(cls)
    flags = {name: f"--{name.replace('_', '-')}" for name in names}
    return Group(lambda **given: cls(**given), tuple(FieldOption(k, flags[k], title, k, {"": cls}) for k in names))


CASE, OURS = fields(Case, WHAT), fields(Ours, ENGINE)


@app.command("tebd", cls=GroupedCommand)
@with_options(case=CASE, ours=OURS)
def against_tebd(
    case: Case,
    ours: Ours,
    chis: Annotated[str, typer.Option(help="bond dimensions of TEBD, with commas between; the last is the reference")],
) -> None:
    """Trajectories and TEBD at several bond dimensions, and how far they are apart."""
    typer.echo(str(case))
    with threadpool_limits(1):
        runs = {each: density(case, chi=each, dt=ours.dt) for each in map(int, chis.split(","))}
        mine = sampled(case, **asdict(ours))
    reference = runs[max(runs)]
    for each, answer in runs.items():
        apart = np.abs(answer.values - reference.values).max()
        told(f"TEBD, chi = {each}, {apart:.1e} from the last", answer)
    told(f"{ours.realizations} trajectories ({ours.unraveling})", mine)
    typer.echo("  from TEBD in errors: rms {:.2f}, largest {:.2f}".format(*deviation(mine, reference)))


@app.command("chain", cls=GroupedCommand)
@with_options(case=CASE, ours=OURS)
def one_chain(case: Case, ours: Ours) -> None:
    """Trajectories alone: seconds, bond dimensions, errors."""
    with threadpool_limits(1):
        mine = sampled(case, **asdict(ours))
    told(f"{case}, {ours.realizations} trajectories", mine)


@app.command("yaqs", cls=GroupedCommand)
@with_options(case=CASE, ours=OURS, theirs=fields(Theirs, OTHER))
def against_yaqs(
    case: Case,
    ours: Ours,
    theirs: Theirs,
    python: Annotated[Path, typer.Argument(help="interpreter of an environment with mqt-yaqs")],
) -> None:
    """The tensor jump method of mqt-yaqs on the same chain; both against exact where it is short."""
    with threadpool_limits(1):
        peer = averaged(*by_yaqs(python, [asdict(case) | theirs.settings]))
        mine = sampled(case, **asdict(ours))
        reference = exact(case) if case.n <= SHORT else mine
    own = Answer(mine.values[: case.n], mine.errors[: case.n], mine.seconds, mine.figures)
    known = Answer(reference.values[: case.n], reference.errors[: case.n], 0.0, {})
    against = "exact" if case.n <= SHORT else "ours"
    for name, answer, number in (("mqt-yaqs", peer, theirs.trajectories), ("ours", own, ours.realizations)):
        told(f"{name}, {number} trajectories ({answer.seconds / number:.4f} s each)", answer)
        typer.echo(f"    from {against} in errors: " + "rms {:.2f}, largest {:.2f}".format(*deviation(answer, known)))


@app.command("tuned", cls=GroupedCommand)
@with_options(case=CASE, theirs=fields(Theirs, OTHER))
def tuned(
    case: Case,
    theirs: Theirs,
    python: Annotated[Path, typer.Argument(help="interpreter of an environment with mqt-yaqs")],
    steps: Annotated[str, typer.Option(help="time steps, with commas between")] = "0.05,0.1,0.2,0.4",
    cutoffs: Annotated[str, typer.Option(help="weights dropped, with commas between")] = "1e-6,1e-4,1e-3",
    modes: Annotated[str, typer.Option(help="TDVP of mqt-yaqs, with commas between")] = "2site,dynamic",
    errors: Annotated[str, typer.Option(help="errors wanted, with commas between")] = "0.02,0.005",
    realizations: Annotated[int, typer.Option(help="of ours, for seconds and truncation")] = 200,
) -> None:
    """Seconds to an error of <Z_i>, rms over the sites, at every setting of both: bias and spread together.

    The bias of ours is that of the splitting, by dense matrices, and of the truncation, by the same random numbers. The
    bias of the tensor jump method is that of its free evolution, by a run without jumps, and of its jumps: one at most
    in a time step, with the probability 1 - exp(-G dt), G the sum of all rates, where G dt would be due; the first and
    the last step are half as long. It is taken as that of a lower rate. The driving at the ends is 0.
    """
    if case.ends or case.n > SHORT:
        raise typer.BadParameter(f"at most {SHORT} sites, and no driving at the ends")
    grid = list(product(map(float, steps.split(",")), map(float, cutoffs.split(","))))
    goals = [float(each) for each in errors.split(",")]
    with threadpool_limits(1):
        known, still = z_of(exact(case), case), replace(case, dephasing=0.0)
        quiet = z_of(exact(still), still)
        spread, tries = 0.0, []
        for dt, cutoff in grid:
            about = {"realizations": realizations, "dt": dt, "unraveling": "jumps"}
            cut, whole = (sampled(case, cutoff=each, **about) for each in (cutoff, 1e-10))
            spread = float(np.sqrt(np.mean(z_of(whole, case, "errors") ** 2) * realizations))
            bias = split(case, dt) - known + z_of(cut, case) - z_of(whole, case)
            tries.append(Try(f"ours, dt {dt:g}, cutoff {cutoff:g}", cut.seconds / realizations, rms(bias)))
        asked = [
            theirs.settings | {"dt": dt, "cutoff": cut, "mode": m} for (dt, cut), m in product(grid, modes.split(","))
        ]
        free = [asdict(still) | each | {"trajectories": 1} for each in asked]
        answers = by_yaqs(python, [asdict(case) | each for each in asked] + free)
    for each, noisy, alone in zip(asked, answers[: len(asked)], answers[len(asked) :], strict=True):
        whole, steps_made = case.n * case.dephasing * each["dt"], round(case.time / each["dt"])
        happen = -2 * math.expm1(-whole / 2) - (steps_made - 1) * math.expm1(-whole)
        fewer = replace(case, dephasing=case.dephasing * happen / (steps_made * whole))
        bias = z_of(exact(fewer), fewer) - known + np.mean(alone["z"], axis=0) - quiet
        name = f"mqt-yaqs, dt {each['dt']:g}, cutoff {each['cutoff']:g}, {each['mode']}"
        tries.append(Try(name, noisy["seconds"] / each["trajectories"], rms(bias)))
    typer.echo(f"{case}: spread of one trajectory {spread:.3f}")
    typer.echo(f"{'':48} {'s each':>9} {'bias':>9}" + "".join(f" {f's to {goal:g}':>12}" for goal in goals))
    for each in tries:
        needed = [each.seconds_to(goal, spread) for goal in goals]
        typer.echo(f"{each.name:48} {each.seconds:9.5f} {each.bias:9.1e}" + "".join(f" {t:12.3g}" for t in needed))
    for goal in goals:
        best = [min(t.seconds_to(goal, spread) for t in tries if t.name.startswith(k)) for k in ("ours", "mqt")]
        typer.echo(f"to {goal:g}: {best[0]:.3g} s and {best[1]:.3g} s, ratio {best[1] / best[0]:.0f}")


@dataclass(frozen=True)
class Try:
    """One setting: CPU seconds of a trajectory, and the bias of the average."""

    name: str
    seconds: float
    bias: float

    def seconds_to(self, error: float, spread: float) -> float:
        """CPU seconds until bias^2 + spread^2 / count falls to error^2; infinite if the bias is above it."""
        rest = error**2 - self.bias**2
        return self.seconds * spread**2 / rest if rest > 0 else math.inf


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def z_of(answer: Answer, case: Case, what: str = "values") -> np.ndarray:
    """The part of an answer that belongs to <Z_i>."""
    return getattr(answer, what)[: case.n]


def split(case: Case, dt: float) -> np.ndarray:
    """<Z_i> of our splitting without truncation and statistics: dense amplitudes, dephasing on all sites at once."""
    chain, steps = case.problem(), round(case.time / dt)
    bonds = [chain.bond_hamiltonian_shared(i) for i in range(case.n - 1)]
    signs = 1 - 2 * ((np.arange(2**case.n)[:, None] >> np.arange(case.n)[::-1]) & 1)
    different = (signs[:, None] != signs[None]).sum(axis=2)
    start = int("".join("01"[i % 2] for i in range(case.n)), 2)
    rho = np.zeros((2**case.n,) * 2, complex)
    rho[start, start] = 1.0

    def free(matrix: np.ndarray, length: float) -> np.ndarray:
        for parity, fraction in layers(2, 1):
            for i in range(parity, case.n - 1, 2):
                gate = expm(-1j * fraction * length * bonds[i])
                shaped = matrix.reshape(2**i, 4, -1)
                matrix = np.matmul(gate, shaped).reshape(matrix.shape)
        return matrix

    for step in range(steps + 1):
        length = dt if 0 < step < steps else dt / 2
        rho = free(free(rho, length).conj().T, length)
        if step < steps:
            rho = rho * np.exp(-2 * case.dephasing * dt * different)
    return signs.T @ np.real(np.diag(rho))


def by_yaqs(python: Path, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run `yaqs_chain.py` with another interpreter, for one request after the other."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.json", Path(folder) / "found.json"
        given.write_text(json.dumps(asked))
        subprocess.run([python, Path(__file__).with_name("yaqs_chain.py"), given, found], check=True)
        return json.loads(found.read_text())


def averaged(answer: dict[str, Any]) -> Answer:
    """The average over the trajectories of one request."""
    z = np.array(answer["z"])
    return Answer(z.mean(axis=0), z.std(axis=0, ddof=1) / np.sqrt(len(z)), answer["seconds"], {"chi": answer["chi"]})


if __name__ == "__main__":
    app()
