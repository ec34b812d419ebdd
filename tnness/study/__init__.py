"""Sweeps, convergence and statistics."""
