"""The engines of the package, and what answers questions with their settings: importing this module registers them."""

from tnness.engines import accelerated, exact, gaussian, spectral, tdvp, tebd, trajectories, transfer
from tnness.engines.beyond import answerers as answerers

__all__ = ["accelerated", "exact", "gaussian", "spectral", "tdvp", "tebd", "trajectories", "transfer"]
