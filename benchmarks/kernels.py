"""Our own engine's kernels, as contestants of the benchmark."""

from dataclasses import dataclass

import numpy as np

from benchmarks.peers import Contestant
from benchmarks.workload import Layer, Tensors
from tnness.network.chain_state import ChainState
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Truncation


@dataclass
class Kernel:
    """`tnness.engines.tebd.sweep` with one truncation method."""

    chi: int
    method: str
    power: int = 0
    dtype: str = "float64"

    def __post_init__(self) -> None:
        self.truncation = Truncation(chi=self.chi, method=self.method, power=self.power, cutoff=0.0)
        power = f" + {self.power} power iteration" if self.power else ""
        self.name = f"tnness {self.dtype} {self.method}{power}"

    def setup(self, tensors: Tensors, layers: list[Layer]) -> None:
        """Take the state, and the gates as matrices."""
        self.state = ChainState([np.array(t, dtype=self.dtype) for t in tensors])
        self.state.canonicalise(0)
        bonds = range(len(tensors) - 1)
        self.layers = [
            [layer[b].reshape(16, 16).astype(self.dtype) if b in layer else None for b in bonds] for layer in layers
        ]
        self.rng = np.random.default_rng(0)

    def step(self) -> None:
        """Apply every layer once."""
        for layer in self.layers:
            sweep_layer(self.state, layer, self.truncation, self.rng)

    def tensors(self) -> Tensors:
        """Return the state, double precision."""
        return [t.astype(float) for t in self.state.tensors]


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
