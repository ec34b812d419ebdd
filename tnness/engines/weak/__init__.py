"""The slow densities of a weakly dissipative chain, and how they respond."""
