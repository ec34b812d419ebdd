"""What the `gaussian` engine is made of: quadratic problems, correlation matrices, their entropies, trajectories."""
