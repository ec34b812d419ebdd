"""What a steady state of weak dissipation is made of: slow densities, and how they answer."""
