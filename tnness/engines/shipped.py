"""The engines of the package: importing this module registers them."""

from tnness.engines import accelerated, exact, gaussian, spectral, tdvp, tebd, trajectories, transfer
from tnness.engines.beyond import (
    dense as dense,
)  # and what answers questions with their settings
from tnness.engines.beyond import (
    quadratics as quadratics,
)

__all__ = ["accelerated", "exact", "gaussian", "spectral", "tdvp", "tebd", "trajectories", "transfer"]
