"""What can be stated, and what it costs: chains of any range and statistics, each against an answer known otherwise.

Run from the root: `python -m benchmarks.chains` (minutes on one core; `--only j1` for rows whose name holds "j1").
One row a chain: the engine, the sites, the bond dimension and time step; what was found, and what is wanted (`-` where
nothing is), both errors unless the name says otherwise; against what; CPU seconds without those of the reference. With
`--qutip PYTHON`, an interpreter that has QuTiP, two driven cavities are held against QuTiP.

The first five are quenches to t = 2 from down, up, down, up, ...; their error is the largest one of X, Y and Z of every
site, Z Z of neighbours, Z_0 Z_{n-1} and X_{n/2-1} X_{n/2+1}, against exact evolution.
"""

import json
import math
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import scipy.linalg
import typer
from threadpoolctl import threadpool_limits

from benchmarks.hopping import gate_times
from tnness import (
    TDVP,
    TEBD,
    Exact,
    Lindbladian,
    Operator,
    electron,
    evolve,
    find,
    ladder,
    periodic,
    spinless,
    steady_state,
)
from tnness import spin_half as s
from tnness.operators.basis import coefficients
from tnness.problems.mpo import mpo_of

UNTIL = 2.0
"""End of the quenches."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    chain: str
    engine: str
    n: int
    chi: int
    dt: float | None
    found: float
    against: str
    seconds: float
    wanted: float | None = None
    least: bool = False  # whether `wanted` is the least that will do, not the most

    @property
    def meets(self) -> bool:
        """Whether what was found is what is wanted."""
        if self.wanted is None:
            return True
        return self.found >= self.wanted if self.least else self.found <= self.wanted

    def __str__(self) -> str:
        step = "" if self.dt is None else f"{self.dt:.2g}"
        told = f"{self.chain:44} {self.engine:18} {self.n:4d} {self.chi or '':>4} {step:>5} {_number(self.found):>9}"
        wanted = "-" if self.wanted is None else f"{'>=' if self.least else '<='} {_number(self.wanted)}"
        return f"{told} {wanted:>10} {'' if self.meets else 'NO':3}{self.seconds:7.1f}  {self.against}"


def _number(value: float) -> str:
    return f"{value:.1e}" if abs(value) < 0.5 else f"{value:.1f}"


HEADER = (
    f"{'chain':44} {'engine':18} {'n':>4} {'chi':>4} {'dt':>5} {'found':>9} {'wanted':>10} {'':3}{'CPU s':>7}  against"
)


# ---------------------------------------------------------------- quenches


def exchange(i: int, j: int, x: float, z: float) -> Operator:
    """Return x (X X + Y Y) + z Z Z on two sites."""
    return x * (s.X(i) * s.X(j) + s.Y(i) * s.Y(j)) + z * s.Z(i) * s.Z(j)


def with_baths(chain: Lindbladian) -> Lindbladian:
    """Add the jumps of every site: sigma^- at the rate 0.3, Z at 0.1."""
    for i in range(chain.n):
        chain.jump(s.Sm(i), 0.3)
        chain.jump(s.Z(i), 0.1)
    return chain


def spin_ladder(rungs: int) -> Lindbladian:
    """Heisenberg rungs, legs of half the coupling of Z, rung after rung along the chain."""
    chain = Lindbladian([s] * (2 * rungs))
    legs = ladder(rungs)
    for a, b in zip(*legs, strict=True):
        chain.hamiltonian(exchange(a, b, 0.25, 0.25))
    for leg in legs:
        for a, b in pairwise(leg):
            chain.hamiltonian(exchange(a, b, 0.25, 0.125))
    for i in range(chain.n):
        chain.hamiltonian(0.2 * s.X(i))
    return with_baths(chain)


def ring(n: int) -> Lindbladian:
    """XXZ spins on a ring, folded so that no term reaches over more than three sites."""
    chain, at = Lindbladian([s] * n), periodic(n)
    for i in range(n):
        chain.hamiltonian(exchange(at[i], at[(i + 1) % n], 0.25, 0.175))
        chain.hamiltonian((0.2 + 0.1 * (i % 3)) * s.X(at[i]))
    return with_baths(chain)


def watched(n: int) -> list[Operator]:
    """Return the operators whose errors are looked at."""
    single = [operator(i) for i in range(n) for operator in (s.X, s.Y, s.Z)]
    pairs = [s.Z(i) * s.Z(i + 1) for i in range(n - 1)]
    return [*single, *pairs, s.Z(0) * s.Z(n - 1), s.X(n // 2 - 1) * s.X(n // 2 + 1)]


def quench(
    name: str, chain: Lindbladian, engine: TEBD | TDVP, order: Sequence[int] = (), wanted: float | None = None
) -> Row:
    """Evolve from down, up, down, up, ... along `order` (by default along the chain), and compare."""
    digits = np.empty(chain.n, int)
    digits[list(order or range(chain.n))] = 1 - np.arange(chain.n) % 2
    values, spent = [], []
    for one in (Exact(), engine):
        start = time.process_time()
        *_, (_, view) = one.solve(chain, initial=f"product:{''.join(map(str, digits))}", times=[UNTIL]).views
        spent.append(time.process_time() - start)
        values.append(np.array([view.expect(operator) for operator in watched(chain.n)]))
    error = float(np.abs(values[1] - values[0]).max())
    return Row(
        name, described(engine, chain), chain.n, engine.chi, engine.dt, error, "exact evolution", spent[1], wanted
    )


def described(engine: TEBD | TDVP, chain: Lindbladian) -> str:
    """Return the engine, and whether it joins sites in twos."""
    return f"{engine.name}{', sites in twos' if engine.name == 'tebd' and chain.reach > 1 else ''}"


def quenches(n: int = 8, chi: int = 32) -> Iterator[Callable[[], Row]]:
    """Yield the five quenches."""
    atoms = {"n": n, "decay": 0.3, "dephasing": 0.05, "omega": 1.2, "detuning": 0.3, "alpha": 3.0}
    blocked = {"n": n, "decay": 0.2, "dephasing": 0.1, "omega": 2.0, "detuning": 0.0, "blockade": True}
    frustrated, rydberg = find("j1-j2-dissipative")(n=n), find("rydberg-chain")
    yield lambda: quench("J1-J2 (j1-j2-dissipative)", frustrated.problem(), TEBD(chi=chi, dt=0.4), wanted=6e-4)
    yield lambda: quench("spin ladder", spin_ladder(n // 2), TEBD(chi=chi, dt=0.4), wanted=8e-4)
    yield lambda: quench(
        "PXP (rydberg-chain, blockade)", rydberg(**blocked).problem(), TEBD(chi=chi, dt=0.1), wanted=1e-6
    )
    yield lambda: quench("1/r^3 (rydberg-chain)", rydberg(**atoms).problem(), TDVP(chi=chi, dt=0.1), wanted=2e-5)
    yield lambda: quench("ring, folded, full chi", ring(6), TEBD(chi=64, dt=0.1), periodic(6), wanted=1e-6)


def swept(n: int, reach: int, is_driven: bool) -> Lindbladian:
    """Spins that exchange over `reach` sites, in fields, with loss; driven: all of these by waves."""
    chain = Lindbladian([s] * n)
    waves = [lambda t, k=k: 1 + 0.6 * math.cos((1.3 + 0.2 * k) * t + k) for k in range(n)]
    for i in range(n - reach):
        chain.hamiltonian(exchange(i, i + reach, 0.5, 0.3), waves[i] if is_driven else None)
    for i in range(n):
        chain.hamiltonian(0.4 * s.X(i) + 0.2 * i * s.Z(i), waves[-i] if is_driven and i % 2 else None)
        chain.jump(s.Sm(i), waves[i] if is_driven else 0.2 + 0.1 * i)
    return chain


def order_row(reach: int, is_driven: bool, dt: float) -> Row:
    """By what factor the error of dt falls at dt/2: 16 for fourth order; at full bond dimension, until t = 1."""
    chain, begun = swept(4 + (reach > 1), reach, is_driven), time.process_time()
    start = f"product:{'01' * 2}{'0' * (chain.n - 4)}"
    engines = [Exact(), *(TEBD(chi=64, dt=step, method="svd", cutoff=1e-28) for step in (dt, dt / 2))]
    values = []
    for engine in engines:
        *_, (_, view) = engine.solve(chain, initial=start, times=[1.0]).views
        values.append(np.array([view.expect(operator) for operator in watched(chain.n)]))
    errors = [float(np.abs(value - values[0]).max()) for value in values[1:]]
    name = f"order, {'driven' if is_driven else 'constant'}, {'blocks' if reach > 1 else 'neighbours'}: error falls by"
    spent = time.process_time() - begun
    return Row(name, described(engines[1], chain), chain.n, 64, dt, errors[0] / errors[1], "exact", spent, 14, True)


# ---------------------------------------------------------------- operators


def power_law_operator(n: int, of_width: bool = False, accuracy: float = 1e-10) -> Row:
    """Build the Lindbladian of 1/r^3 couplings as a matrix-product operator; error of its elements X_i Z_j -> Y_i.

    of_width: return its largest bond instead.
    """
    chain = find("long-range-ising")(n=n, alpha=3.0, decay=0.3).problem()
    start = time.process_time()
    operator = mpo_of(chain.generator(), accuracy)
    spent = time.process_time() - start
    one, x, y, z = (coefficients(matrix, [s]) for matrix in (s.I.matrix, s.X.matrix, s.Y.matrix, s.Z.matrix))
    x, y, z, one = (vector / np.linalg.norm(vector) for vector in (x, y, z, one))
    worst = 0.0
    for i, j in ((0, 1), (0, n - 1), (n // 2, n // 2 + 3), (1, n // 2)):
        value = np.ones(1)
        for site, tensor in enumerate(operator):
            into = x if site == i else z if site == j else one
            value = value @ np.einsum("abij,i,j->ab", tensor, y if site == i else one, into)
        worst = max(worst, abs(value.item() - 2 / (j - i) ** 3))
    width = max(tensor.shape[1] for tensor in operator[:-1])
    if of_width:
        return Row(
            "operator of 1/r^3 Z Z at 1e-10: width", "tdvp", n, 0, None, width, "", spent, 20 if n <= 40 else None
        )
    return Row("operator of 1/r^3 Z Z: its elements", "tdvp", n, 0, None, worst, "2/r^3, four pairs", spent, 1e-8)


# ---------------------------------------------------------------- steady states


def free_correlations(hopping: float, gain: Sequence[float], loss: Sequence[float]) -> Any:
    """<c^+_i c_j> of free fermions, by their covariance: i [h, C] - {G_+ + G_-, C}/2 + G_+ = 0."""
    n = len(gain)
    h = hopping * (np.eye(n, k=1) + np.eye(n, k=-1))
    drift = 1j * h - np.diag(np.add(gain, loss)) / 2
    return scipy.linalg.solve_continuous_lyapunov(drift, -np.diag(gain).astype(complex))


def free_densities(hopping: float, gain: Sequence[float], loss: Sequence[float]) -> Any:
    """<n_i> of free fermions."""
    return np.real(np.diag(free_correlations(hopping, gain, loss)))


Baths = tuple[list[float], list[float]]
"""Rates of gain and of loss, site by site."""


def spread_baths(n: int) -> Baths:
    """Gain of 0.05, 0.1 or 0.15 and loss of 0.075, 0.15 or 0.225 at every site."""
    gain, loss = ([rate * ((i + shift) % 3 + 1) for i in range(n)] for rate, shift in ((0.05, 0), (0.075, 1)))
    return gain, loss


def sparse_baths(n: int) -> Baths:
    """Three sources and three sinks, for twenty sites: long coherent stretches between baths."""
    gain, loss = np.zeros((2, n))
    sources, sinks = ([round(site * (n - 1) / 19) for site in sites] for sites in ((0, 6, 13), (4, 10, 19)))
    gain[sources], loss[sinks] = (0.5, 0.3, 0.4), (0.3, 0.5, 0.6)
    return gain.tolist(), loss.tolist()


def free_fermions(
    name: str,
    gain: Sequence[float],
    loss: Sequence[float],
    until: float,
    chi: int = 32,
    wanted: float | None = None,
) -> Row:
    """Free fermions of hopping 1 with gain and loss on their sites, from infinite temperature to their steady state."""
    f, n, engine = spinless, len(gain), TEBD(chi=chi, dt=0.3)
    chain = Lindbladian([f] * n)
    for i in range(n - 1):
        hop = f.Cd(i) * f.C(i + 1)
        chain.hamiltonian(hop + hop.dag())
    for i in range(n):
        chain.jump(f.Cd(i), gain[i])
        chain.jump(f.C(i), loss[i])
    start = time.process_time()
    *_, (_, view) = engine.solve(chain, times=[until]).views
    spent = time.process_time() - start
    error = np.abs([view.expect(f.N(i)) for i in range(n)] - free_densities(1.0, gain, loss)).max()
    return Row(name, "tebd", n, chi, engine.dt, float(error), "covariance equation", spent, wanted)


def spinless_chain(n: int = 20) -> Row:
    """Gain and loss at every site."""
    return free_fermions("spinless, gain and loss at every site", *spread_baths(n), 40.0, wanted=2e-4)


def spinless_sparse(chi: int, n: int = 20) -> Row:
    """Three sources and three sinks on twenty sites: a state that needs a larger chi (`benchmarks.schmidt`)."""
    return free_fermions("spinless, six baths: hard", *sparse_baths(n), 60.0, chi)


def electrons(n: int = 8, chi: int = 64, until: float = 60.0) -> Row:
    """The driven Hubbard chain without interaction, to its steady state."""
    chain, engine = find("fermi-hubbard-driven")(n=n, interaction=0.0).problem(), TEBD(chi=chi, dt=0.4)
    start = time.process_time()
    *_, (_, view) = engine.solve(chain, times=[until]).views
    spent = time.process_time() - start
    ends = np.eye(n)
    expected = free_densities(1.0, ends[0], ends[-1])
    values = np.array([[view.expect(number(i)) for i in range(n)] for number in (electron.Nu, electron.Nd)])
    error = float(np.abs(values - expected).max())
    return Row(
        "electrons, U = 0 (fermi-hubbard-driven)", "tebd", n, chi, 0.4, error, "covariance equation", spent, 1e-3
    )


def exclusion(n: int = 50, chi: int = 48) -> Row:
    """The totally asymmetric exclusion process with alpha = beta = 1."""
    engine = TEBD(chi=chi)
    start = time.process_time()
    record = steady_state(find("tasep")(n=n), engine=engine, tolerance=1e-3, watch=("current",))
    spent = time.process_time() - start
    error = float(np.abs(record["current"].values - (n + 2) / (2 * (2 * n + 1))).max())
    return Row("tasep, alpha = beta = 1: J", "tebd", n, chi, record.used["dt"], error, "(n+2)/(2(2n+1))", spent, 2e-4)


def contact(n: int = 60, chi: int = 24) -> Row:
    """The critical contact process from the full chain: slope of ln density over ln t, t = 2 to 16, in the middle.

    The average over the sites falls faster, as the ends do.
    """
    times, engine = np.geomspace(2.0, 16.0, 10), TEBD(chi=chi)
    start = time.process_time()
    record = evolve(find("contact-process")(n=n), times.tolist(), engine=engine, errors=False)
    spent = time.process_time() - start
    middle = record["density"].values[:, n // 2]
    slope = float(np.polyfit(np.log(times), np.log(middle), 1)[0])
    name = f"contact-process, critical: slope {slope:.4f}"
    return Row(name, "tebd", n, chi, record.used["dt"], abs(slope + 0.1595), "-0.1595", spent, 0.01)


# ---------------------------------------------------------------- bosons


def hopping_gate(d: int, chi: int = 32) -> Row:
    """By what factor a hopping gate on ket and bra apart is faster than as a matrix; its time where there is none."""
    apart, whole = gate_times(d, chi, 0.5, 3)
    if d > 8:
        name = f"hopping of bosons, d = {d}: CPU s"
        return Row(name, "tebd", 2, chi, None, apart, f"no matrix of {8e-9 * d**8:.2g} GB", apart)
    name = f"hopping of bosons, d = {d}: faster by"
    return Row(name, "tebd", 2, chi, None, whole / apart, "its matrix", apart, 2.5, True)


def cavities(python: str, cutoff: int = 12, until: float = 3.0) -> Row:
    """Two driven cavities with up to twelve photons each, from the vacuum to t = 3, held against QuTiP."""
    model = find("bose-hubbard-driven")(n=2, cutoff=cutoff, drive=1.5)
    start = time.process_time()
    record = evolve(model, [until], engine="exact", initial="product:0,0")
    spent = time.process_time() - start
    found = np.concatenate([record[name].values[-1] for name in ("occupation", "field_real", "field_imag", "pairs")])
    about = {name: getattr(model, name) for name in ("hopping", "interaction", "drive", "loss")}
    about |= {"levels": cutoff + 1, "until": until}
    told = subprocess.run([python, "-c", QUTIP, json.dumps(about)], capture_output=True, text=True, check=True)
    error = float(np.abs(found - np.array(json.loads(told.stdout))).max())
    name = f"two driven cavities, cutoff {cutoff}"
    return Row(name, "exact", 2, 0, None, error, "QuTiP, mesolve", spent, 1e-6)


QUTIP = """
import json, sys
import numpy as np, qutip as q
p = json.loads(sys.argv[1])
b, one = q.destroy(p["levels"]), q.qeye(p["levels"])
b = [q.tensor(b, one), q.tensor(one, b)]
h = -p["hopping"] * (b[0].dag() * b[1] + b[1].dag() * b[0]) + p["drive"] * (b[0] + b[0].dag())
h += sum(p["interaction"] / 2 * (n * n - n) for n in (x.dag() * x for x in b))
vacuum = q.tensor(q.basis(p["levels"], 0), q.basis(p["levels"], 0))
options = {"atol": 1e-11, "rtol": 1e-9, "nsteps": 100000}
rho = q.mesolve(h, q.ket2dm(vacuum), [0, p["until"]], [p["loss"] ** 0.5 * x for x in b], options=options).states[-1]
n, fields = [x.dag() * x for x in b], [q.expect(x, rho) for x in b]
values = [q.expect(x, rho) for x in n] + [f.real for f in fields] + [f.imag for f in fields]
print(json.dumps([float(np.real(v)) for v in values + [q.expect(x * x - x, rho) for x in n]]))
"""
"""The same two cavities in QuTiP, from its own matrices."""


def rows(qutip: str = "") -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield (name, what makes the row). qutip: an interpreter that has QuTiP."""
    for reach, is_driven, dt in ((1, False, 0.25), (1, True, 0.25), (2, False, 0.5), (2, True, 0.5)):
        yield "order", lambda about=(reach, is_driven, dt): order_row(*about)
    yield from zip(("j1-j2", "ladder", "pxp", "power-law", "ring"), quenches(), strict=True)
    for n in (40, 100):
        yield f"operator-{n}", lambda n=n: power_law_operator(n, of_width=True)
        yield f"operator-{n}", lambda n=n: power_law_operator(n)
    yield "spinless", spinless_chain
    yield "spinless-sparse", lambda: spinless_sparse(32)
    yield "spinless-sparse-64", lambda: spinless_sparse(64)
    yield "electrons", electrons
    yield "tasep", exclusion
    yield "contact-process", contact
    for d in (8, 12, 17):
        yield f"bosons-{d}", lambda d=d: hopping_gate(d)
    if qutip:
        yield "bosons-qutip", lambda: cavities(qutip)


def main(
    only: Annotated[str, typer.Option(help="rows whose name contains this")] = "",
    qutip: Annotated[str, typer.Option(help="a Python interpreter that has QuTiP, to compare with")] = "",
) -> None:
    """Print the table."""
    typer.echo(HEADER)
    with threadpool_limits(1):
        for name, made in rows(qutip):
            if only in name:
                typer.echo(str(made()))


if __name__ == "__main__":
    typer.run(main)
