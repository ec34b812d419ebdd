"""Initial states as vectorised density operators, or as amplitudes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tnness.engines.initial import Initial
from tnness.engines.limits import check_ket
from tnness.engines.pure.ground import ground_state
from tnness.engines.thermal import thermal_state
from tnness.errors import InputError
from tnness.interop.states import amplitudes_of, density_of
from tnness.network.chain_state import ChainState
from tnness.network.doubling import density_from_pure
from tnness.network.initial import ghz_amplitudes, identity_state, product_state, random_amplitudes
from tnness.network.operator_state import density_from_matrix, density_from_operator
from tnness.operators.basis import LocalSpace
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian


def density_operator(initial: Initial, generator: ChainGenerator) -> ChainState:
    """Return an initial state as a vectorised density operator (or probabilities): a matrix-product state.

    A thermal or ground state belongs to the Hamiltonian from which the generator was made.
    """
    if initial.kind == "thermal":
        return thermal_state(_hamiltonian_of(generator, initial, "thermal:BETA takes"), initial.value)
    if initial.kind == "ground":
        chain = _hamiltonian_of(generator, initial, "ground:N takes a number of particles, and")
        return density_from_pure(ground_state(chain, initial.value), generator.spaces)
    return density_on(initial, generator.spaces)


def density_on(initial: Initial, spaces: Sequence[LocalSpace]) -> ChainState:
    """Return an initial state that no Hamiltonian defines as a vectorised density operator (or probabilities).

    Raises
    ------
    InputError: a state that does not fit the sites, or is none.
    """
    dims = tuple(space.dim for space in spaces)
    if initial.kind == "network" and initial.value.dims == dims and initial.value.dtype.kind != "c":
        return initial.value
    if initial.kind == "identity":
        return identity_state(spaces)
    if initial.kind == "product":
        return product_state(spaces, initial.populations(spaces))
    pure = amplitudes_on(initial, spaces)
    if pure is not None:
        return density_from_pure(pure, spaces)
    if initial.kind == "foreign":
        return density_of(initial.value, spaces)
    if initial.kind == "tensors":
        return density_from_operator(initial.value, spaces)
    if initial.kind == "array":
        return _from_numbers(initial, spaces)
    if initial.kind == "network":
        levels = tuple(space.levels for space in spaces)
        raise InputError(
            f"the initial state has local dimensions {initial.value.dims}, the problem {dims}, "
            f"or {levels} for the amplitudes of a pure state"
        )
    raise initial.refused()


def amplitudes_on(initial: Initial, spaces: Sequence[LocalSpace]) -> ChainState | None:
    """Return the amplitudes of a pure initial state that no Hamiltonian defines; None of any other.

    Raises
    ------
    InputError: the levels do not fit.
    """
    levels = tuple(space.levels for space in spaces)
    if initial.kind == "ghz":
        return ghz_amplitudes(spaces)
    if initial.kind == "random":
        return random_amplitudes(spaces, *initial.value)
    if initial.kind == "foreign":
        return amplitudes_of(initial.value, spaces)
    if initial.kind == "network":
        return initial.value if initial.value.dims == levels and not initial.recorded else None
    if initial.kind == "tensors" and all(np.ndim(tensor) == 3 for tensor in initial.value):
        given = ChainState([np.asarray(tensor) for tensor in initial.value])
        if given.dims != levels:
            raise initial.refused(f"tensors (left, d, right) with d = {levels} are needed, got d = {given.dims}")
        given.canonicalise(0)
        return given
    if initial.kind == "array" and _ndim(initial) == 1:
        ket = np.asarray(initial.value)
        if ket.shape != (math.prod(levels),) or ket.dtype.kind not in "fciu" or not np.linalg.norm(ket) > 0:
            raise initial.refused(
                f"amplitudes of this chain are {math.prod(levels)} numbers, not all 0, got shape {ket.shape}"
            )
        check_ket(levels)
        state = ChainState.from_dense(ket.astype(complex), levels)
        state.canonicalise(0)
        return state
    return None


def _from_numbers(initial: Initial, spaces: Sequence[LocalSpace]) -> ChainState:
    """Return a density matrix of the whole chain, or a product of states of the sites."""
    size, shape = math.prod(space.levels for space in spaces), _shape(initial)
    if shape == (size, size):
        return density_from_matrix(np.asarray(initial.value), spaces)
    if len(initial.value) != len(spaces):
        raise initial.refused(
            f"amplitudes ({size},), a density matrix ({size}, {size}), or a state for each of {len(spaces)} sites is "
            f"needed, got {'shape ' + str(shape) if shape else str(len(initial.value)) + ' of them'}"
        )
    return product_state(spaces, list(initial.value))


def _shape(initial: Initial) -> tuple[int, ...]:
    """Return the shape of the given numbers; () of states of sites of different sizes."""
    try:
        return np.shape(initial.value)
    except ValueError:
        return ()


def _ndim(initial: Initial) -> int:
    return len(_shape(initial))


def _hamiltonian_of(generator: ChainGenerator, initial: Initial, takes: str) -> Lindbladian:
    if generator.origin is None:
        raise initial.refused(f"{takes} a model with a Hamiltonian")
    return generator.origin
