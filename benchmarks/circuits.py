"""Random circuits, one trajectory at a time: gates per second of density operators against TeNPy, and of free fermions.

Networks: L = 16, p1 = p2 = 1/2, bonds full at chi = 64; every contestant takes the same state and the next gates of the
same trajectory, in one process. TeNPy gets the maps of the ends as gates on the outermost bonds and applies one gate
after the other, as its TEBD does. Errors are those of local observables and of ln Tr rho^2 against four times the bond
dimension. Free fermions: Delta S / L at L = 200, p1 = 1, small bias, against the closed equations. Run from the root:
`python -m benchmarks.circuits` (a minute; `--steps 100000000` for Delta S to 1 %: five minutes).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from benchmarks.contestants import TenpyPeer
from benchmarks.workload import Tensors, local_observables
from tnness import TEBD, ChainState, Circuit, find, steady_state
from tnness.engines.circuits.network import NetworkState
from tnness.engines.circuits.states import GaussianState
from tnness.problems.circuit import GateSequence
from tnness_models.replica_solutions import phase_two

GROWTH, PIECE, PIECES = 40, 34, 6
"""Units of time until the state is shared; gates in a piece, and pieces that are timed."""


class Ours:
    """`NetworkState` with one truncation method."""

    def __init__(self, law: Circuit, chi: int, method: str = "cholesky-qr", power: int = 1) -> None:
        self.law, self.engine = law, TEBD(chi=chi, method=method, power=power)
        self.name = f"tnness {method}" + (f" + {power} power iteration" if power and method != "svd" else "")

    def setup(self, state: ChainState) -> None:
        """Take the state."""
        self.run = NetworkState(self.law, state, self.engine)

    def apply(self, gates: GateSequence) -> None:
        """Apply gates one after another."""
        self.run.apply(gates)

    def tensors(self) -> Tensors:
        """Return the state."""
        return self.run.state.tensors


class Tenpy(TenpyPeer):
    """TeNPy's engine, gate by gate."""

    def __init__(self, law: Circuit, chi: int, **about: Any) -> None:
        super().__init__(chi, **about)
        self.law = law

    def apply(self, gates: GateSequence) -> None:
        """Apply gates one after another; only TeNPy's own work is timed."""
        for layer in self._layers[: len(gates)]:
            for bond, gate in layer.items():
                self._engine.update_bond(bond + 1, gate)
        del self._layers[: len(gates)]

    def take(self, state: ChainState, gates: GateSequence) -> None:
        """Take the state and all gates that will come."""
        last, one, layers = self.law.n - 2, np.eye(4), []
        for bond, matrix in zip(gates.bonds.tolist(), self.law.maps(gates), strict=True):
            whole = np.kron(matrix, one) if bond == 0 else np.kron(one, matrix) if bond > last + 1 else matrix
            layers.append({min(max(bond - 1, 0), last): whole.reshape(4, 4, 4, 4)})
        self.setup([np.array(t) for t in state.tensors], layers)


@dataclass
class Timing:
    """Seconds of every piece, and where the state ended."""

    contestant: Ours | Tenpy
    seconds: list[float] = field(default_factory=list)
    local: float = np.nan
    purity: float = np.nan

    @property
    def rate(self) -> float:
        """Gates per second in the fastest piece: other work on the machine only ever adds time."""
        return PIECE / min(self.seconds)


def log_purity(tensors: Tensors) -> float:
    """ln Tr rho^2 of a state of any norm."""
    overlap, trace = np.ones((1, 1)), np.ones(1)
    for tensor in tensors:
        overlap = np.einsum("ab,apc,bpd->cd", overlap, tensor, tensor, optimize=True)
        trace = np.sqrt(2) * trace @ tensor[:, 0]
    return float(np.log(overlap.item() / trace.item() ** 2))


def networks(n: int, chi: int, p: float, m: float) -> list[Timing]:
    """Time everybody on the same gates, in turn."""
    law = find("random-circuit")(n=n, p1=p, p2=1 - p, m_left=m, m_right=-m).problem()
    grown, trajectory = NetworkState(law, None, TEBD(chi=chi)), law.trajectory(0)
    start = law.count(GROWTH)
    for gates in trajectory.gates(0, start):
        grown.apply(gates)
    (coming,) = trajectory.gates(start, start + PIECE * PIECES)
    peers = [
        Tenpy(law, chi),
        Tenpy(law, chi, qr=True),
        Tenpy(law, chi, dtype=float),
        Tenpy(law, chi, dtype=float, qr=True),
    ]
    own = [Ours(law, chi, "svd"), Ours(law, chi), Ours(law, chi, power=0)]
    reference = Ours(law, 4 * chi)
    for peer in peers:
        peer.take(grown.state, coming)
    for contestant in (*own, reference):
        contestant.setup(grown.state)
    timings = [Timing(contestant) for contestant in (*peers, *own)]
    for k in range(PIECES):
        piece = coming[k * PIECE : (k + 1) * PIECE]
        for timing in timings:
            timing.seconds.append(seconds(lambda timing=timing, piece=piece: timing.contestant.apply(piece)))
    reference.apply(coming)
    exact, purity = local_observables(reference.tensors()), log_purity(reference.tensors())
    for timing in timings:
        tensors = timing.contestant.tensors()
        timing.local = float(np.abs(local_observables(tensors) - exact).max())
        timing.purity = abs(log_purity(tensors) - purity)
    return timings


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def table(timings: list[Timing]) -> str:
    """Gates per second, speed relative to the first, errors."""
    width = max(len(t.contestant.name) for t in timings)
    lines = [f"{'':{width}}  {'gates/s':>8}  {'speed':>6}  {'local':>8}  ln Tr rho^2"]
    for t in timings:
        ratio = t.rate / timings[0].rate
        lines.append(f"{t.contestant.name:{width}}  {t.rate:8.0f}  {ratio:5.1f}x  {t.local:8.1e}  {t.purity:8.1e}")
    return "\n".join(lines)


def fermions(n: int, delta: float, steps: int) -> str:
    """Gates per second of a correlation matrix, and Delta S / (L delta^2) with its error by blocking."""
    model = find("random-circuit")(
        n=n, m_left=delta / 2, m_right=-delta / 2, steps=steps, settle=steps // 10, negativity=False
    )
    law = model.problem()
    state, trajectory = GaussianState(law, model.initial_state("gaussian")), law.trajectory(1)
    rate = 200_000 / seconds(lambda: [state.apply(gates) for gates in trajectory.gates(0, 200_000)])
    began, cpu = time.perf_counter(), time.process_time()
    record = steady_state(model, engine="gaussian")
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    unit = n * delta**2
    value, error = (
        float(record["entropy_deviation"]) / unit,
        float(record["entropy_deviation_error"]) / unit,
    )
    second = 2 * phase_two(n, 1.0, 0.5 + delta / 2, 0.5 - delta / 2).sum() / unit
    return (
        f"free fermions, L = {n}: {rate:,.0f} gates/s; {steps:,} gates in {wall:.0f} s ({cpu:.0f} s of CPU): "
        f"Delta S / (L delta^2) = {value:.5f} +- {error:.5f} at delta = {delta:g} ({record.outcome}); "
        f"to second order {second:.5f}"
    )


def main(
    n: Annotated[int, typer.Option(help="sites of the networks")] = 16,
    chi: Annotated[int, typer.Option(help="their bond dimension")] = 64,
    p1: Annotated[float, typer.Option(help="probability of a partial swap; p2 = 1 - p1")] = 0.5,
    m: Annotated[float, typer.Option(help="magnetisation of the reservoirs, +-m")] = 0.25,
    length: Annotated[int, typer.Option(help="sites of the free fermions")] = 200,
    delta: Annotated[float, typer.Option(help="their bias")] = 0.1,
    steps: Annotated[int, typer.Option(help="their gates")] = 2_000_000,
) -> None:
    """Time both on one BLAS thread."""
    with threadpool_limits(1):
        typer.echo(f"density operators, L = {n}, chi = {chi}, p1 = {p1:g}, p2 = {1 - p1:g}, m = +-{m:g}")
        typer.echo(table(networks(n, chi, p1, m)))
        typer.echo(fermions(length, delta, steps))


if __name__ == "__main__":
    typer.run(main)
