"""Observables, and the views of a state from which they are read."""
