"""Questions beyond the steady state, by engine `tebd`, each against an answer known otherwise.

Run from the root: `python -m benchmarks.beyond figures` for the table (`--only noise` for rows whose name holds
"noise"), `python -m benchmarks.beyond chains --seed 7` for the slowest rates of random chains. CPU seconds do without
those of the reference.

A random chain has Hermitian terms and jumps with complex normal elements on every site and every bond, or is one of the
kinds of `benchmarks.calibration_models`. Its slowest rate is within its claim, flagged as no result, or wrong.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import sparse
from scipy.integrate import quad
from scipy.sparse import linalg
from threadpoolctl import threadpool_limits

from benchmarks.calibration_models import KINDS, Rng
from tnness import (
    TEBD,
    Ask,
    ChainState,
    Lindbladian,
    Start,
    charge_distribution,
    correlation,
    counting,
    find,
    logarithmic_negativity,
    modes,
    renyi2_of_sites,
    spectrum,
    steady_state,
    structure_factor,
    transposed_moment,
)
from tnness import spin_half as s
from tnness.engines.beyond.counting import Counting
from tnness.engines.beyond.modes import Modes
from tnness.engines.exact import Exact
from tnness.network.chain_view import ChainView
from tnness.operators.basis import coefficients
from tnness.operators.terms import LocalOperator
from tnness.problems.tilted import tilted
from tnness.streams import stream

Array = NDArray[Any]

# ---------------------------------------------------------------- random chains

SIZES = (3, 3, 3, 4, 4, 4, 5, 6)
"""Lengths of random chains."""
PHYSICAL = ("xyz-fields", "any-pairs", "xxz-ends", "dephasing")
"""Kinds that are drawn besides chains of any terms, of three and four sites."""
CHAIN_CHI = 16
"""Bond dimension for random chains: all there is up to five sites, not enough for six."""


def any_terms(n: int, rng: Rng) -> Lindbladian:
    """Return a chain of any terms on sites and bonds."""

    def matrix() -> LocalOperator:
        return LocalOperator("A", rng.standard_normal((2, 2)) + 1j * rng.standard_normal((2, 2)))

    chain = Lindbladian([s] * n)
    for i in range(n):
        one = matrix()(i)
        chain.hamiltonian((one + one.dagger()) / 2)
        chain.jump(matrix()(i), rate=rng.uniform(0, 2))
    for i, j in pairwise(range(n)):
        pair = matrix()(i) * matrix()(j)
        chain.hamiltonian((pair + pair.dagger()) / 2)
        chain.jump(matrix()(i) * matrix()(j), rate=rng.uniform(0, 2))
    return chain


def random_chain(seed: int, number: int) -> tuple[str, Lindbladian]:
    """Return a random chain and its name."""
    rng = stream(seed, "chains for modes", number)
    if rng.random() < 0.7:
        n = int(rng.choice(SIZES))
        return f"any terms, n = {n}", any_terms(n, rng)
    kind, n = str(rng.choice(PHYSICAL)), int(rng.choice([3, 4]))
    return f"{kind}, n = {n}", KINDS[kind].build(n, rng)


@dataclass(frozen=True)
class Judged:
    """The slowest rate of a chain: exact, as found, and its claim; NaN where it is flagged."""

    chain: str
    exact: complex
    rate: float
    claim: float
    candidate: float
    seconds: float

    @property
    def word(self) -> str:
        """`within`, `flagged` or `wrong`."""
        if not np.isfinite(self.rate):
            return "flagged"
        return "within" if abs(self.rate + self.exact.real) <= self.claim + 1e-9 else "wrong"

    def __str__(self) -> str:
        exact = f"{-self.exact.real:.6f}{f' +-{abs(self.exact.imag):.4f}i' if abs(self.exact.imag) > 1e-9 else ''}"
        told = f"{self.rate:.6f} +- {self.claim:.1e}" if np.isfinite(self.rate) else f"({self.candidate:.6f})"
        return f"{self.chain:24} {exact:20} {told:22} {self.word:8} {self.seconds:7.1f}"


def judged(name: str, chain: Lindbladian) -> Judged:
    """Return how the slowest rate of a chain compares with the exact one."""
    tables, spent = [], []
    for engine in (Exact(), TEBD(chi=CHAIN_CHI)):
        start = time.process_time()
        run = Modes(count=1).solver(engine).begin(chain, Start(ask=Ask()))
        while not run.step().finished:
            pass
        tables.append(run.view().modes)
        spent.append(time.process_time() - start)
    exact, found = tables
    rate = found.rate
    return Judged(
        name, complex(exact.values[0]), float(rate.value[0]), float(rate.error[0]), float(found.candidate[0]), spent[1]
    )


# ---------------------------------------------------------------- figures


@dataclass(frozen=True)
class Figure:
    """One line of the table: the largest error, and the one that is asked for."""

    name: str
    error: float
    wanted: float
    seconds: float
    told: str = ""

    def __str__(self) -> str:
        word = "" if self.error <= self.wanted else "  NOT REACHED"
        return f"{self.name:52} {self.error:9.1e} {self.wanted:9.1e} {self.seconds:8.1f}  {self.told}{word}"


HEADER = f"{'what':52} {'error':>9} {'wanted':>9} {'CPU s':>8}  found"
SSEP, XX, XXZ, TASEP = find("ssep"), find("xx-dephasing"), find("xxz-driven"), find("tasep")


@dataclass
class Clock:
    """CPU seconds since it was made."""

    start: float = field(default_factory=time.process_time)

    @property
    def seconds(self) -> float:
        """CPU seconds so far."""
        return time.process_time() - self.start


def gap(name: str, model: Any, engine: TEBD, exact: float, wanted: float) -> Figure:
    """Return the relative error of the slowest rate; infinite where it is flagged."""
    clock = Clock()
    record = modes(model, 1, engine=engine)
    rate, candidate = (float(record[of].values[0]) for of in ("rate", "candidate"))
    if not np.isfinite(rate):
        return Figure(name, np.inf, wanted, clock.seconds, f"({candidate:.8g}: no result)")
    claim = float(record["rate_error"].values[0])
    return Figure(name, abs(rate / exact - 1), wanted, clock.seconds, f"{rate:.8g} +- {claim:.1e}")


@dataclass(frozen=True, kw_only=True)
class AtFields(Counting):
    """The statistics of a counter at given fields."""

    at: tuple[float, ...]

    @property
    def fields(self) -> Array:
        """The fields."""
        return np.array(self.at)


def thetas(chain: Lindbladian, counter: str, at: tuple[float, ...], chi: int, tolerance: float = 1e-4) -> Array:
    """Return theta at some fields, by engine `tebd`."""
    run: Any = AtFields(counter=counter, at=at).solver(TEBD(chi=chi)).begin(chain, Start(ask=Ask(tolerance=tolerance)))
    while not run.step().finished:
        pass
    return run.table.theta


def one_body(n: int) -> float:
    """Return the slowest rate of one-body operators of `xx-dephasing` with dephasing 1, in closed form."""
    return float(modes(XX(n=n, dephasing=1.0), 1, engine="gaussian")["rate"].values[0])


def levitov(at: tuple[float, ...], n: int, mu: float, gamma: float) -> Array:
    """Return theta of the XX chain without dephasing, by the integral of Levitov."""
    hopping = 2.0 * (np.eye(n, k=1) + np.eye(n, k=-1)) - 0.5j * gamma * np.diag([1.0, *[0.0] * (n - 2), 1.0])
    left, right = (1 + mu) / 2, (1 - mu) / 2

    def integrand(angle: float, value: float) -> float:
        energy = np.tan(angle)
        green = np.linalg.solve(energy * np.eye(n) - hopping, np.eye(n)[:, -1])[0]
        part = left * (1 - right) * np.expm1(value) + right * (1 - left) * np.expm1(-value)
        return float(np.log1p(gamma**2 * abs(green) ** 2 * part) / (2 * np.pi) / np.cos(angle) ** 2)

    ends = [-np.pi / 2 + 1e-7, -np.arctan(4.0), 0.0, np.arctan(4.0), np.pi / 2 - 1e-7]
    parts = [[quad(integrand, a, b, args=(value,), limit=500)[0] for a, b in pairwise(ends)] for value in at]
    return np.array(parts).sum(axis=1)


def transmitted(chi: int = 32) -> Figure:
    """Return the error of theta of free fermions."""
    n, mu, gamma, at, clock = 12, 0.6, 1.3, (-0.4, 0.4), Clock()
    found = thetas(XX(n=n, dephasing=0.0, mu=mu, gamma=gamma).problem(), "left", at, chi)
    seconds, exact = clock.seconds, levitov(at, n, mu, gamma)
    error = float(np.abs(found - exact).max())
    return Figure(f"theta, XX n = 12, chi {chi}: Levitov", error, 2e-4, seconds, f"{found[1]:.6f}, {exact[1]:.6f}")


def at_any_place(chi: int = 16) -> Figure:
    """Return the largest difference of theta between counters at the ends and at a bond."""
    chain, clock = XX(n=6, dephasing=0.5, mu=0.6).problem(), Clock()
    found = np.array([thetas(chain, counter, (0.4,), chi)[0] for counter in ("left", "right", "bond:2")])
    told = ", ".join(f"{theta:.7f}" for theta in found)
    return Figure(f"theta, XX n = 6, chi {chi}: left, right, bond:2", float(np.ptp(found)), 1e-4, clock.seconds, told)


def dephased_xxz(n: int, delta: float, mu: float, dephasing: float) -> Lindbladian:
    """Return the XXZ chain of `xxz-driven` with dephasing."""
    chain = XXZ(n=n, delta=delta, mu=mu).problem()
    for i in range(n):
        chain.jump(s.Z(i), rate=dephasing / 2)
    return chain


def mirrored(chi: int = 24) -> Figure:
    """Return the relative difference of theta at a field and at its mirror: Gallavotti, Cohen."""
    mu, field_ = 0.2, 0.4
    mirror, clock = -field_ - 2 * np.log((1 + mu) / (1 - mu)), Clock()
    found = thetas(dephased_xxz(12, 0.5, mu, 0.5), "left", (mirror, field_), chi)
    error = float(abs(found[0] / found[1] - 1))
    told = f"{found[0]:.7f}, {found[1]:.7f}"
    return Figure(f"theta, XXZ n = 12, chi {chi}: Gallavotti, Cohen", error, 1e-3, clock.seconds, told)


def small_exclusion(chi: int = 16) -> Figure:
    """Return the error of theta of eight sites against all eigenvalues of the tilted matrix."""
    chain, at, clock = SSEP(n=8).problem(), (-0.5, 0.5), Clock()
    found = thetas(chain, "left", at, chi, 1e-6)
    seconds = clock.seconds
    matrices = [tilted(chain, "left", value, spread=False).matrix().toarray() for value in at]
    exact = np.array([np.linalg.eigvals(matrix).real.max() for matrix in matrices])
    told = f"{found[1]:.8f}, {exact[1]:.8f}"
    return Figure(f"theta, SSEP n = 8, chi {chi}: eigenvalues", abs(found - exact).max(), 1e-5, seconds, told)


@cache
def exclusion_counted(chi: int) -> tuple[float, float, float]:
    """Return mean and noise of the totally asymmetric process of 20 sites, and the CPU seconds."""
    clock = Clock()
    about: dict[str, Any] = {"points": 6, "largest": 0.3, "tolerance": 1e-6}
    record = counting(TASEP(n=20), engine=TEBD(chi=chi), **about)
    return float(record["mean"]), float(record["noise"]), clock.seconds


def asymmetric_flow(chi: int = 24) -> Figure:
    """Return the relative error of the mean current of the totally asymmetric process of 20 sites."""
    mean, _, seconds = exclusion_counted(chi)
    exact = 22 / (2 * 41)  # (n + 2) / (2 (2 n + 1))
    name = f"mean, TASEP n = 20, chi {chi}: Derrida, Evans, Mallick"
    return Figure(name, abs(mean / exact - 1), 1e-5, seconds, f"{mean:.8f}, {exact:.8f}")


def asymmetric(chi: int = 24) -> Figure:
    """Return the relative error of the noise of the totally asymmetric process of 20 sites."""
    n, f = 20, math.factorial
    _, noise, seconds = exclusion_counted(chi)
    exact = 3 * f(4 * n + 1) * (f(n) * f(n + 2)) ** 2 / (2 * f(2 * n + 1) ** 3 * f(2 * n + 3))
    name = f"noise, TASEP n = 20, chi {chi}: Derrida, Evans, Mallick"
    return Figure(name, abs(noise / exact - 1), 5e-4, seconds, f"{noise:.8f}, {exact:.8f}")


def pictures(chi: int = 16) -> Figure:
    """Return the largest difference of both pictures, in units of both errors together."""
    model, engine, clock = XX(n=20, dephasing=1.0, mu=0.5), TEBD(chi=chi), Clock()
    steady = steady_state(model, engine=engine)
    about: dict[str, Any] = {"engine": engine, "initial": steady}
    found = [
        correlation(model, "Z(10)", ["Z(10)", "Z(8)"], [0.5, 1.0, 2.0], picture=picture, **about)
        for picture in ("schroedinger", "heisenberg")
    ]
    apart = abs(found[0]["connected_real"].values - found[1]["connected_real"].values)
    errors = np.sum([record["connected_real_error"].values for record in found], axis=0)
    told = f"apart {apart.max():.1e}, errors {errors.max():.1e}"
    name = f"<Z(t) Z>, XX n = 20, chi {chi}: both pictures, in errors"
    return Figure(name, float((apart / (errors + 1e-10)).max()), 1.0, clock.seconds, told)


PAULI = {"X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1.0, -1.0])}


def on_site(matrix: Array, site: int, n: int) -> Any:
    """Return a matrix of one site among n spins, sparse."""
    return sparse.kron(sparse.kron(sparse.eye(2**site), sparse.csr_matrix(matrix)), sparse.eye(2 ** (n - site - 1)))


def from_the_formula(n: int, delta: float, mu: float, times: tuple[float, ...]) -> Array:
    """Return <Z_2(t) B>, B = Z_1 and S+_3 S-_4, of `xxz-driven`: Kronecker matrices of its formula: (time, B).

    H = sum X X + Y Y + delta Z Z; S+ at rates (1 + mu)/2, (1 - mu)/2 at the ends, S- with the other sign of mu.
    """
    pauli: dict[str, list[Any]] = {name: [on_site(matrix, i, n) for i in range(n)] for name, matrix in PAULI.items()}
    raising = [(pauli["X"][i] + 1j * pauli["Y"][i]) / 2 for i in range(n)]
    weights = {"X": 1.0, "Y": 1.0, "Z": delta}
    hamiltonian: Any = sum(w * pauli[name][i] @ pauli[name][i + 1] for name, w in weights.items() for i in range(n - 1))
    jumps = [
        math.sqrt((1 + sign * mu * side) / 2) * (raising[end] if sign > 0 else raising[end].T)
        for end, side in ((0, 1), (n - 1, -1))
        for sign in (1, -1)
    ]
    one: Any = sparse.eye(2**n)
    whole: Any = -1j * (sparse.kron(hamiltonian, one) - sparse.kron(one, hamiltonian.T))
    for jump in jumps:
        square = jump.conj().T @ jump
        whole += sparse.kron(jump, jump.conj()) - (sparse.kron(square, one) + sparse.kron(one, square.T)) / 2
    trace = one.toarray().ravel()
    bordered = sparse.vstack([sparse.csr_matrix(trace), whole.tocsr()[1:]]).tocsc()  # the first row follows from others
    rho = linalg.spsolve(bordered, np.eye(1, 4**n)[0].astype(complex)).reshape(2**n, 2**n)
    bras = pauli["Z"][2].T.toarray().ravel()
    values = []
    for operator in (pauli["Z"][1], raising[3] @ raising[4].T):
        start, per_time = (operator @ rho).ravel(), []
        for time_ in times:
            per_time.append(bras @ linalg.expm_multiply(time_ * whole, start))
        values.append(per_time)
    return np.array(values).T


def in_time(chi: int = 64) -> Figure:
    """Return the largest error of correlations in time, real and imaginary parts, at the full bond dimension."""
    n, delta, mu, times, clock = 6, 0.5, 0.5, (0.5, 1.5), Clock()
    model, second = XXZ(n=n, delta=delta, mu=mu), ["Z(1)", "Sp(3)*Sm(4)"]
    about: dict[str, Any] = {"initial": steady_state(model, engine="exact"), "errors": False}
    record = correlation(model, "Z(2)", second, times, engine=TEBD(chi=chi, dt=0.15), **about)
    seconds = clock.seconds
    found = record["correlation_real"].values[:, 0] + 1j * record["correlation_imag"].values[:, 0]
    apart = found - from_the_formula(n, delta, mu, times)
    told = f"real {np.abs(apart.real).max():.1e}, imaginary {np.abs(apart.imag).max():.1e}"
    error = float(max(np.abs(apart.real).max(), np.abs(apart.imag).max()))
    return Figure(f"<A(t) B>, XXZ n = 6, chi {chi}: exponential of the matrix", error, 1e-5, seconds, told)


def summed() -> Figure:
    """Return the error of int S(omega) d omega / 2 pi = <A A>, relative to it."""
    clock, times, frequencies = Clock(), np.linspace(0, 20, 401).tolist(), np.linspace(-40, 40, 641).tolist()
    model = XXZ(n=4, delta=0.5, mu=0.5)
    about: dict[str, Any] = {"initial": steady_state(model, engine="exact"), "errors": False}
    record = correlation(model, "Z(1)", "Z(1)", times, engine=TEBD(chi=16), **about)
    values = record["connected_real"].values[:, 0, 0] + 1j * record["connected_imag"].values[:, 0, 0]
    found = spectrum(times, values, frequencies, "gauss")
    total, exact = np.trapezoid(found, frequencies) / (2 * np.pi), values[0].real
    told = f"{total:.6f}, {exact:.6f}; least S {found.min():.0e}"
    return Figure("S(omega), XXZ n = 4: its integral", abs(total / exact - 1), 2e-3, clock.seconds, told)


def mixed_state(n: int = 6) -> Figure:
    """Return the largest error of quantities of a random mixed state against its density matrix."""
    rng = np.random.default_rng(11)
    root = rng.standard_normal((2**n, 2**n)) + 1j * rng.standard_normal((2**n, 2**n))
    rho = root @ root.conj().T
    rho /= np.trace(rho).real
    clock, chain = Clock(), [s] * n
    state = ChainState.from_dense(coefficients(rho, chain).ravel(), [4] * n)
    view, halves = ChainView(state, chain, {"trace": [space.trace for space in chain]}), (range(3), range(3, 6))
    found = [
        transposed_moment(*halves)(view),
        logarithmic_negativity(*halves)(view),
        renyi2_of_sites([0, 2, 3, 5])(view),
        *charge_distribution(s.N, range(n))(view),
        *structure_factor(s.Z, [0.4, np.pi])(view),
    ]
    seconds = clock.seconds
    turned = np.linalg.eigvalsh(rho.reshape(8, 8, 8, 8).swapaxes(0, 2).reshape(64, 64))
    kept = np.einsum("aibcjdxiyzjw->abcdxyzw", rho.reshape([2] * 12)).reshape(16, 16)
    signs, p = 1 - 2 * np.array(list(np.ndindex(*[2] * n))), np.real(np.diag(rho))
    pairs = np.einsum("s,si,sj->ij", p, signs, signs) - np.outer(p @ signs, p @ signs)
    waves = np.exp(1j * np.outer([0.4, np.pi], range(n)))
    exact = [
        np.sum(turned**3),
        np.log(np.abs(turned).sum()),
        -math.log(float(np.sum(kept * kept.T).real)),
        *(p[(signs > 0).sum(axis=1) == k].sum() for k in range(n + 1)),
        *(np.einsum("qj,jk,qk->q", waves, pairs, waves.conj()).real / n),
    ]
    told = "p_3, negativity, Renyi-2, charges, structure"
    error = float(np.abs(np.array(found) - np.array(exact)).max())
    return Figure("mixed state, n = 6: density matrix", error, 1e-12, seconds, told)


def figures() -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Return the lines of the table, by name."""
    exclusion = {n: 2 * (1 - math.cos(math.pi / (n + 1))) for n in (20, 100)}
    driven = XXZ(n=6, delta=0.5, mu=0.5)
    yield "gap, SSEP n = 20", lambda: gap("gap, SSEP n = 20, chi 8", SSEP(n=20), TEBD(chi=8), exclusion[20], 1e-6)
    yield (
        "gap, SSEP n = 100",
        lambda: gap("gap, SSEP n = 100, chi 4, dt 2", SSEP(n=100), TEBD(chi=4, dt=2.0), exclusion[100], 1e-3),
    )
    yield (
        "gap, XX n = 50",
        lambda: gap("gap, XX n = 50, dephasing 1, chi 8", XX(n=50, dephasing=1.0), TEBD(chi=8), one_body(50), 2e-4),
    )
    yield "gap, XXZ n = 6", lambda: gap("gap, XXZ n = 6, defaults", driven, TEBD(), 0.12152883, 1e-3)
    yield "theta, XX n = 12", transmitted
    yield "theta, XX n = 6", at_any_place
    yield "theta, XXZ n = 12", mirrored
    yield "theta, SSEP n = 8", small_exclusion
    yield "mean, TASEP n = 20", asymmetric_flow
    yield "noise, TASEP n = 20", asymmetric
    yield "<A(t) B>, XXZ n = 6", in_time
    yield "S(omega), XXZ n = 4", summed
    yield "mixed state, n = 6", mixed_state
    yield "<Z(t) Z>, XX n = 20", pictures


app = typer.Typer(add_completion=False, help="Questions beyond the steady state, against answers known otherwise.")


@app.command("figures")
def print_figures(only: Annotated[str, typer.Option(help="lines whose name contains this")] = "") -> None:
    """Print the table."""
    typer.echo(HEADER)
    with threadpool_limits(1):
        for name, made in figures():
            if only in name:
                typer.echo(str(made()))


@app.command("chains")
def print_chains(
    seed: Annotated[int, typer.Option(help="of the chains")],
    count: Annotated[int, typer.Option(help="number of chains")] = 40,
    first: Annotated[int, typer.Option(help="number of the first one")] = 0,
) -> None:
    """Judge the slowest rates of random chains, and count."""
    words: Counter[str] = Counter()
    typer.echo(f"{'chain':24} {'exact':20} {'found':22} {'':8} {'CPU s':>7}")
    with threadpool_limits(1):
        for number in range(first, first + count):
            one = judged(*random_chain(seed, number))
            words[one.word] += 1
            typer.echo(str(one))
    typer.echo(", ".join(f"{words[word]} {word}" for word in ("within", "flagged", "wrong")))


if __name__ == "__main__":
    app()
