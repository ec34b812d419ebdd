"""Pure states of a chain as matrix-product states: ground states, trajectories, and their views."""
