"""What the `transfer` engine is made of: elimination, scattering states, energy integrals, exponents, decay."""
