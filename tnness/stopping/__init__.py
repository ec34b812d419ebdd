"""Stopping rules: when a run is over, and what may be claimed of its answer. No rule knows an engine."""
