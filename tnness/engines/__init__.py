"""Engines: each solves one kind of problem and knows no model."""
