"""What answers questions: importing this module registers it."""

from tnness.engines.beyond import dense, growth, networks, quadratics, regression

__all__ = ["dense", "growth", "networks", "quadratics", "regression"]
