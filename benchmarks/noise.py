"""Free fermions with one noisy site, against the direct way: dense matrix products, one step of the noise at a time.

The direct way is what one writes first: a propagator expm(-i h dt), made once, applied to the orbitals at every step of
dt = 0.1, with the noise between (a dense expm at each step, as the paper's formula has it, is timed too). For the
average, it is the n^2 x n^2 equation, in its eigenbasis (small n only) or stepped. Run from the root:
`python -m benchmarks.noise`.
"""

import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import scipy.linalg
import typer
from threadpoolctl import threadpool_limits

from tnness.engines.fermions.quadratic import Quadratic
from tnness.engines.fermions.renewal import Renewal
from tnness.engines.fermions.trajectories import GaussianTrajectories
from tnness.engines.spectral import Spectrum
from tnness.engines.trajectories import Trajectories
from tnness.model.registry import find

DT = 0.1


def chain(n: int, disorder: float = 1.0, seed: int = 3) -> Quadratic:
    """The Anderson chain with noise of strength 1 on site n // 2 - 1."""
    potential = np.random.default_rng(seed).uniform(-disorder, disorder, n)
    dephasing = np.zeros(n)
    dephasing[n // 2 - 1] = 1.0
    h = (np.diag(potential) - np.eye(n, k=1) - np.eye(n, k=-1)).astype(complex)
    return Quadratic(h, np.zeros(n), np.zeros(n), dephasing)


def ground(form: Quadratic) -> np.ndarray:
    """The lower half of the orbitals: (n, n // 2)."""
    return np.linalg.eigh(form.hamiltonian)[1][:, : form.n // 2].astype(complex)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def prepared_steps(form: Quadratic, steps: int) -> np.ndarray:
    """Orbitals after some steps: half propagators made once, a kick between them."""
    half, state, rng = scipy.linalg.expm(-0.5j * DT * form.hamiltonian), ground(form), np.random.default_rng(0)
    for _ in range(steps):
        state = half @ state
        state[form.noisy[0]] *= np.exp(-1j * np.sqrt(DT) * rng.standard_normal())
        state = half @ state
    return state


def literal_steps(form: Quadratic, steps: int) -> np.ndarray:
    """Orbitals after some steps of the paper's (8): the exponential of h and the noise together, at every step."""
    state, rng = ground(form), np.random.default_rng(0)
    for _ in range(steps):
        exponent = DT * form.hamiltonian
        exponent[form.noisy[0], form.noisy[0]] += np.sqrt(DT) * rng.standard_normal()
        state = scipy.linalg.expm(-1j * exponent) @ state
    return state


def trajectories(n: int, steps: int) -> None:
    """Steps per second of one realization, ours and both direct ways, and that they agree."""
    form = chain(n)
    few = max(20, min(400, 2_000_000 // n**2))
    system = GaussianTrajectories(form, ground(form), [np.random.default_rng(0)])
    system.advance(few * DT, few)
    error = np.abs(system.orbitals()[0] - prepared_steps(form, few)).max()
    ours = steps / seconds(lambda: system.advance(steps * DT, steps))
    prepared = few / seconds(lambda: prepared_steps(form, few))
    literal = few / 10 / seconds(lambda: literal_steps(form, few // 10))
    single = GaussianTrajectories(form, np.eye(n)[:, form.noisy].astype(complex), [np.random.default_rng(0)])
    spreading = steps / seconds(lambda: single.advance(steps * DT, steps))
    typer.echo(f"L = {n}, {n // 2} orbitals, steps a second: {ours:,.0f} (differs by {error:.0e} after {few} steps)")
    typer.echo(f"  propagators made once: {prepared:,.0f} ({ours / prepared:.0f}x); expm each step: {literal:,.1f}")
    typer.echo(f"  ({ours / literal:,.0f}x); one orbital, as for the spreading: {spreading:,.0f}")


def average(n: int, count: int, tolerance: float) -> None:
    """Exact averages of two initial states at log-spaced times to 1e8."""
    form = chain(n)
    orbitals = ground(form)
    start = np.array([orbitals.conj() @ orbitals.T, np.diag(form.dephasing)])
    system = Renewal(form.hamiltonian, form.noisy[0], 1.0, tolerance)
    spent = seconds(lambda: [None for _ in system.evolve(start, [float(t) for t in np.geomspace(1, 1e8, count)])])
    told = f"{count} times to 1e8, tolerance {tolerance:g}: {spent:.1f} s, {system.steps} steps"
    typer.echo(f"L = {n}, exact average of two states at {told}")


def dense_average(n: int) -> None:
    """The n^2 x n^2 equation in its eigenbasis against ours at the same times."""
    form = chain(n)
    one, h, c = np.eye(n), form.hamiltonian, form.noisy[0]
    p = np.diag(one[c])
    orbitals = ground(form)
    start, times = orbitals.conj() @ orbitals.T, [float(t) for t in np.geomspace(1, 1e6, 60)]
    found: dict[str, np.ndarray] = {}

    def direct() -> None:
        generator = 1j * (np.kron(h.T, one) - np.kron(one, h)) + np.kron(p, p) - (np.kron(p, one) + np.kron(one, p)) / 2
        values, vectors = np.linalg.eig(generator)
        weights = np.linalg.solve(vectors, start.ravel())
        found["direct"] = np.array([((vectors * np.exp(values * t)) @ weights).reshape(n, n) for t in times])

    def ours() -> None:
        system = Renewal(h, c, 1.0)
        found["ours"] = np.array([g[0] for _, g in system.evolve(start[None], times)])

    slow, fast = seconds(direct), seconds(ours)
    error = np.abs(found["ours"] - found["direct"]).max()
    typer.echo(f"L = {n}, exact average at 60 times to 1e6: {fast:.2f} s; dense {n * n} x {n * n}: {slow:.1f} s")
    typer.echo(f"  ({slow / fast:.0f}x), largest difference {error:.0e}")


def networks(n: int, steps: int) -> None:
    """One realization as a matrix-product state: what it costs to know nothing of free fermions."""
    problem = find("noisy-anderson")(n=n, disorder=1.0).draw(np.random.default_rng(3)).problem()
    start = "product:" + "01" * (n // 2)
    found = {}
    for method in ("gaussian", "mps"):
        engine = Trajectories(realizations=1, dt=DT, method=method, chi=2 ** (n // 2), cutoff=1e-12)
        solution = engine.solve(problem, initial=start, times=[steps * DT])
        begun = time.perf_counter()
        ((_, view),) = solution.views
        found[method] = (time.perf_counter() - begun) / steps, view.realizations[0].entropy(slice(0, n // 2))
        figures = solution.figures
    (fast, exact), (slow, entropy) = found["gaussian"], found["mps"]
    told = f"bond dimension {figures['bond_dimension']:.0f}, S differs by {abs(entropy - exact):.0e}"
    typer.echo(
        f"L = {n}, one trajectory to t = {steps * DT:g} as a matrix-product state: {1 / slow:,.0f} steps a second,"
    )
    typer.echo(f"  {slow / fast:,.0f} times slower than Gaussian; {told}")


def hopping(n: int) -> None:
    """Classical hopping with xi = 1: the rank-one spectrum against dense eigenvectors."""
    distance = np.abs(np.arange(n) - (n // 2 - 1.0))
    g, start, times = np.exp(-distance), np.eye(n)[n // 2 - 1], np.geomspace(1, 1e10, 100)
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        spectrum = Spectrum(g)
        found["ours"] = np.array([spectrum.evolve(start, float(t)) for t in times])

    def direct() -> None:
        values, vectors = np.linalg.eigh(np.outer(g, g) - np.diag(g.sum() * g))
        found["direct"] = (np.exp(np.multiply.outer(times, values)) * vectors[n // 2 - 1]) @ vectors.T

    fast, slow = seconds(ours), seconds(direct)
    r = {name: np.sqrt(np.abs(p @ distance**2)) for name, p in found.items()}
    typer.echo(
        f"hopping, {n} states, 100 times to 1e10: {fast:.2f} s; dense eigenvectors {slow:.2f} s ({slow / fast:.1f}x),"
    )
    typer.echo(f"  whose R is off by {np.abs(r['direct'] / r['ours'] - 1).max():.0e}")


def main(
    n: Annotated[int, typer.Option(help="sites of the long chain")] = 100,
    steps: Annotated[int, typer.Option(help="steps that are timed")] = 20_000,
    count: Annotated[int, typer.Option(help="times of the exact average")] = 200,
    tolerance: Annotated[float, typer.Option(help="of the exact average")] = 1e-8,
) -> None:
    """Trajectories, exact averages, classical hopping: seconds, ratios and differences."""
    with threadpool_limits(1):
        trajectories(n, steps)
        average(n, count, tolerance)
        dense_average(24)
        networks(12, 60)
        hopping(1000)


if __name__ == "__main__":
    typer.run(main)
