"""Initial states as vectorised density operators."""

from __future__ import annotations

from tnness.engines.initial import Initial
from tnness.engines.pure.ground import ground_state
from tnness.engines.thermal import thermal_state
from tnness.network.chain_state import ChainState
from tnness.network.doubling import density_from_pure
from tnness.network.initial import identity_state, product_state
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian


def density_operator(initial: Initial, generator: ChainGenerator) -> ChainState:
    """Return an initial state as a vectorised density operator (or probabilities): a matrix-product state.

    A thermal or ground state belongs to the Hamiltonian from which the generator was made.
    """
    if initial.kind == "network":
        return initial.value
    if initial.kind == "identity":
        return identity_state(generator.spaces)
    if initial.kind == "product":
        return product_state(generator.spaces, initial.populations(generator.spaces))
    if initial.kind == "thermal":
        return thermal_state(_hamiltonian_of(generator, initial, "thermal:BETA takes"), initial.value)
    if initial.kind == "ground":
        chain = _hamiltonian_of(generator, initial, "ground:N takes a number of particles, and")
        return density_from_pure(ground_state(chain, initial.value), generator.spaces)
    raise initial.refused()


def _hamiltonian_of(generator: ChainGenerator, initial: Initial, takes: str) -> Lindbladian:
    if generator.origin is None:
        raise initial.refused(f"{takes} a model with a Hamiltonian")
    return generator.origin
