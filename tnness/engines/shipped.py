"""The engines of the package: importing this module registers them."""

from tnness.engines import accelerated, exact, gaussian, spectral, tdvp, tebd, trajectories, transfer

__all__ = ["accelerated", "exact", "gaussian", "spectral", "tdvp", "tebd", "trajectories", "transfer"]
