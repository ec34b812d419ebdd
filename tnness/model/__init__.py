"""Models: what a model is, its parameters, the checks of its values, and how it is found."""
