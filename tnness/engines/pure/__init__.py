"""Pure states of a chain as matrix-product states: ground states, trajectories, what can be read from them."""
