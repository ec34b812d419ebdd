"""The parts of the `transfer` engine: elimination, scattering states, energy integrals, exponents, decay."""
