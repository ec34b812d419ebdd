"""The engines of the package, and what answers questions with their settings: importing this module registers them."""

from tnness.engines import accelerated, exact, gaussian, spectral, tdvp, tebd, trajectories, transfer
from tnness.engines.beyond import dense, growth, networks, quadratics, regression

__all__ = [
    "accelerated",
    "dense",
    "exact",
    "gaussian",
    "growth",
    "networks",
    "quadratics",
    "regression",
    "spectral",
    "tdvp",
    "tebd",
    "trajectories",
    "transfer",
]
