"""Trajectories of random circuits: correlation matrices, matrix-product density operators, full density matrices."""
