"""Observables: what is measured, and the views of a state through which it is read."""
