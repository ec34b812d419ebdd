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
import typer
from threadpoolctl import threadpool_limits

from benchmarks.baseline import REVISION, load_baseline
from benchmarks.peers import Contestant
from benchmarks.workload import DrivenChain, Layer, SvdReference, Tensors, full_state, local_observables
from tnness.network.chain_state import ChainState
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Truncation

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
    state, layers = full_state(chain, chi), chain.step(DT)
    about = {"method": "cholesky-qr", "power": power}
    sides = [EarlierKernel(chi, **about), Kernel(chi, **about, subspace="float64"), Kernel(chi, **about)]
    reference = SvdReference(chi)
    for side in (reference, *sides):
        side.setup(state, layers)
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


def main(
    chi: Annotated[list[int], typer.Option(help="bond dimension; repeatable")] = [16, 32, 64, 100],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=3, help="steps of each side")] = 15,
) -> None:
    """Print the speed of the kernels relative to an earlier revision, with their accuracy."""
    with threadpool_limits(1):
        for bond_dimension in chi:
            for power in (1, 0):
                typer.echo(dense(bond_dimension, power, rounds))


if __name__ == "__main__":
    typer.run(main)
