"""Our own engine's kernels, as contestants of the benchmark.

A kernel joins by giving `benchmarks.peers.Contestant`: a name, setup, step, tensors.
"""

from benchmarks.peers import Contestant


def kernels(chi: int) -> list[Contestant]:
    """Every kernel of tnness.engines.tebd at one bond dimension."""
    return []
