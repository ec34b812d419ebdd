"""The parts of the `gaussian` engine: quadratic problems, correlation matrices, their entropies, trajectories."""
