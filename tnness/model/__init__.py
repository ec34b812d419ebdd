"""Models: their protocol, their parameters, checks of values, and the registry that finds a model by name."""
