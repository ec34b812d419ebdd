"""Our own kernels: contestants of `benchmarks.steps`, and their speed beside that of an earlier revision.

Run from the root, in a clone that has the earlier revision: `python -m benchmarks.kernels`. Every ratio is of CPU
seconds in one process, with one BLAS thread, the two sides in turn; the error of local observables stands beside it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Literal

import numpy as np
import scipy.sparse as sparse
import typer
from scipy.sparse.linalg import spsolve
from threadpoolctl import threadpool_limits

from benchmarks.baseline import REVISION, load_baseline
from benchmarks.contestants import Contestant
from benchmarks.workload import DrivenChain, Layer, SvdReference, Tensors, full_state, local_observables
from tnness import Lindbladian, find, spin_half
from tnness.engines.exact import steady_vector
from tnness.network.chain_state import ChainState
from tnness.network.sector_state import SectorState
from tnness.network.sectors import Rules
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation
from tnness.operators.charges import Charges

DT = 0.1


@dataclass
class Kernel:
    """`tnness.network.sweep` with one truncation method."""

    chi: int
    method: str
    power: int = 0
    dtype: str = "float64"
    subspace: Literal["auto", "float64"] = "auto"

    def __post_init__(self) -> None:
        about = {"method": self.method, "power": self.power, "subspace": self.subspace}
        self.truncation = Truncation(chi=self.chi, cutoff=0.0, **about)
        self.sweep, self.of_tensors = sweep_layer, ChainState
        power = f" + {self.power} power iteration" if self.power else ""
        within = "" if self.subspace == "auto" else f", subspace in {self.subspace}"
        self.name = f"tnness {self.dtype} {self.method}{power}{within}"

    def setup(self, tensors: Tensors, layers: list[Layer]) -> None:
        """Take the state, and the gates as matrices."""
        self.state: Any = self.of_tensors([np.array(t, dtype=self.dtype) for t in tensors])
        self.state.canonicalise(0)
        bonds = range(len(tensors) - 1)
        self.layers = [
            [layer[b].reshape(16, 16).astype(self.dtype) if b in layer else None for b in bonds] for layer in layers
        ]
        self.rng, self.discarded = np.random.default_rng(0), 0.0

    def step(self) -> None:
        """Apply every layer once."""
        for layer in self.layers:
            self.discarded += self.sweep(self.state, layer, self.truncation, self.rng)[0]

    def tensors(self) -> Tensors:
        """Return the state, double precision."""
        return [t.astype(float) for t in self.state.tensors]


class EarlierKernel(Kernel):
    """The same kernel of the earlier revision."""

    def __post_init__(self) -> None:
        super().__post_init__()
        package = load_baseline()
        truncation = import_module(f"{package}.network.truncation").Truncation
        self.truncation = truncation(chi=self.chi, cutoff=0.0, method=self.method, power=self.power)
        self.sweep = import_module(f"{package}.engines.tebd").sweep
        self.of_tensors = import_module(f"{package}.network.chain_state").ChainState
        self.name = f"revision {REVISION}"


def kernels(chi: int) -> list[Contestant]:
    """Every kernel of tnness.engines.tebd at one bond dimension."""
    return [
        Kernel(chi, "svd"),
        Kernel(chi, "randomized"),
        Kernel(chi, "qr"),
        Kernel(chi, "cholesky-qr", power=1),
        Kernel(chi, "cholesky-qr"),
        Kernel(chi, "cholesky-qr", dtype="float32"),
    ]


def in_turn(steps: list[Callable[[], None]], rounds: int) -> np.ndarray:
    """Return CPU seconds (side, round) of functions that are called in turn."""
    seconds = np.empty((len(steps), rounds))
    for number in range(rounds):
        for side, step in enumerate(steps):
            begin = time.process_time()
            step()
            seconds[side, number] = time.process_time() - begin
    return seconds


def dense(chi: int, power: int, rounds: int) -> str:
    """Return a table of the dense kernel on the MBL chain with full bonds."""
    chain = DrivenChain()
    state, step = full_state(chain, chi), chain.step(DT)
    about = {"method": "cholesky-qr", "power": power}
    sides = [EarlierKernel(chi, **about), Kernel(chi, **about, subspace="float64"), Kernel(chi, **about)]
    reference = SvdReference(chi)
    for side in (reference, *sides):
        side.setup(state, step)
    seconds = in_turn([side.step for side in sides], rounds)
    for _ in range(rounds):
        reference.step()
    exact = local_observables(reference.tensors())
    lines = [f"chi = {chi}, power = {power}, {rounds} steps of dt = {DT}"]
    lines += [f"  {'':72} {'ms/step':>8} {'ratio':>6} {'error':>8} {'discarded':>10}"]
    for side, times in zip(sides, seconds, strict=True):
        error = np.abs(local_observables(side.tensors()) - exact).max()
        ratio = np.median(seconds[0] / times)
        lines.append(f"  {side.name:72} {1e3 * times.min():8.2f} {ratio:5.2f}x {error:8.1e} {side.discarded:10.3e}")
    return "\n".join(lines)


@dataclass
class Sectors:
    """The kernel in blocks of one kind of charges."""

    charges: Charges
    chi: int
    kind: str

    def __post_init__(self) -> None:
        self.name, self.rng, self.discarded = f"blocks of {self.kind}", np.random.default_rng(0), 0.0
        self.truncation = Truncation(chi=self.chi, power=1)

    def start(self, state: ChainState) -> None:
        """Take a state of definite charge."""
        state_in_blocks = SectorState.adapted(state, Rules(self.charges), 1e-20)
        assert state_in_blocks is not None
        self.state = state_in_blocks

    def step(self, layers: list[list[Any]]) -> None:
        """Apply every layer once."""
        for layer in layers:
            self.discarded += self.state.sweep(layer, self.truncation, self.rng)[0]
        self.state.normalise()

    def tensors(self) -> Tensors:
        """Return the state in the real basis."""
        return self.state.real().tensors


class Dense(EarlierKernel):
    """The dense kernel of the earlier revision on the same layers."""

    def start(self, state: ChainState) -> None:
        """Take a state."""
        self.setup(state.tensors, [])
        self.state.move_centre(self.state.n - 1)

    def step(self, layers: list[list[Any]]) -> None:
        """Apply every layer once."""
        for layer in layers:
            self.discarded += self.sweep(self.state, layer, self.truncation, self.rng)[0]
        self.state.normalise()


class DenseNow(Dense):
    """The dense kernel of today on the same layers."""

    def __post_init__(self) -> None:
        Kernel.__post_init__(self)


def blocks(chi: int, n: int, rounds: int) -> str:
    """Return a table of the kernels on the driven XXZ chain, from a state that three steps have filled.

    The error is the largest difference of a local observable from that of the earlier kernel.
    """
    generator = find("xxz-driven")(n=n, delta=0.7).problem().generator()
    assert generator.conserved is not None
    assert generator.parities is not None
    gates = Gates(generator.merged_bonds, np.dtype(float))
    start = ChainState.product([np.array([1, 0, 0, 0.5 - i / (n - 1)]) / 2 for i in range(n)])
    charged = Sectors(generator.conserved, chi, "charges")
    charged.start(start)
    for parity, fraction in layers(4, 3):
        charged.step([gates.layer(parity, 0.18 * fraction)])
    full = charged.state.real()
    full.move_centre(n - 1)
    about = {"method": "cholesky-qr", "power": 1}
    sides = [Dense(chi, **about), DenseNow(chi, **about), Sectors(generator.parities, chi, "parity")]
    sides.append(Sectors(generator.conserved, chi, "charges"))
    for side in sides:
        side.start(full)
    both = [gates.layer(parity, 0.18) for parity in (0, 1)]
    seconds = in_turn([lambda side=side: side.step(both) for side in sides], rounds)
    lines = [f"driven XXZ chain, n = {n}, chi = {chi}, {rounds} steps", f"  {'':52} ms/step  ratio    error  discarded"]
    expected = local_observables(sides[0].tensors())
    for side, times in zip(sides, seconds, strict=True):
        error, ratio = np.abs(local_observables(side.tensors()) - expected).max(), np.median(seconds[0] / times)
        lines.append(f"  {side.name:52} {1e3 * times.min():7.2f} {ratio:5.2f}x {error:8.1e} {side.discarded:10.3e}")
    return "\n".join(lines)


def small(n: int = 6) -> str:
    """Return the seconds of the exact XXX chain, and of a sparse LU factorisation of the Liouvillian in |a><b|."""
    chain = Lindbladian([spin_half] * n)
    for i in range(n - 1):
        for name in "XYZ":
            chain.hamiltonian(spin_half.operators[name](i) * spin_half.operators[name](i + 1))
    chain.jump(spin_half.Sp(0))
    chain.jump(spin_half.Sm(n - 1))
    generator = chain.generator()
    one, drift = sparse.eye_array(2**n), chain.effective_generator()
    matrix = sparse.kron(drift, one) + sparse.kron(one, drift.conj())
    for jump in chain.jumps:
        whole = chain._embedded(jump.operator.sites, chain.jump_matrix(jump.operator))
        matrix = matrix + sparse.kron(whole, whole.conj())
    right = np.zeros(4**n, complex)
    right[0] = 1
    diagonal = np.arange(2**n) * (2**n + 1)
    trace = sparse.csr_array((np.ones(2**n), (np.zeros(2**n, int), diagonal)), shape=matrix.shape)
    system = sparse.csc_matrix(matrix + trace)
    plain, ours = in_turn([lambda: spsolve(system, right), lambda: steady_vector(generator)], 3).min(axis=1)
    residual = np.linalg.norm(generator.apply(steady_vector(generator).vector))
    return f"XXX, n = {n}: exact {ours:.3f} s (residual {residual:.0e}), plain sparse LU {plain:.3f} s of CPU"


def main(
    chi: Annotated[list[int], typer.Option(help="bond dimension; repeatable")] = [16, 32, 64, 100],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=3, help="steps of each side")] = 15,
) -> None:
    """Print the speed of the kernels relative to an earlier revision, with their accuracy."""
    with threadpool_limits(1):
        typer.echo(small())
        for bond_dimension in chi:
            for power in (1, 0):
                typer.echo(dense(bond_dimension, power, rounds))
        for bond_dimension, n in ((32, 20), (64, 20), (100, 40), (128, 20), (256, 12)):
            typer.echo(blocks(bond_dimension, n, max(3, min(rounds, 1500 // bond_dimension))))


if __name__ == "__main__":
    typer.run(main)
