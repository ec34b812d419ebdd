"""Thermal states exp(-beta H)/Z of a chain, as matrix-product density matrices.

exp(-beta H/2) 1 exp(-beta H/2) is the imaginary-time evolution of the identity, d rho/d beta = -(H rho + rho H)/2. Its
two-site maps are real in a Hermitian basis; the Trotter layers and sweeps of time evolution apply them.
"""

from __future__ import annotations

import math

import numpy as np

from tnness.errors import InputError, NumericalError
from tnness.network.chain_state import ChainState, product_overlap
from tnness.network.factored import FactoredGates
from tnness.network.initial import identity_state
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates
from tnness.network.truncation import Truncation
from tnness.problems.lindbladian import Lindbladian
from tnness.streams import stream
from tnness.typed import typed

BETA_STEP = 0.25
"""Largest |beta step| times the norm of a bond's Hamiltonian: fourth order leaves an error below 1e-7."""
MOST_STEPS_DOWN = 100_000
"""Largest number of steps of imaginary time."""


@typed
def thermal_state(lindbladian: Lindbladian, beta: float, truncation: Truncation | None = None) -> ChainState:
    """Return exp(-beta H)/Z for the Hamiltonian of a Lindbladian; its jumps play no part.

    Parameters
    ----------
    lindbladian: the chain.
    beta: inverse temperature, in units of 1/energy; 0 gives the identity; negative values favour high energies.
    truncation: how bonds are truncated (default chi = 64).

    Raises
    ------
    InputError: beta is not finite.

    Examples
    --------
    >>> from tnness.operators.basis import spin_half as s
    >>> chain = Lindbladian([s] * 4)
    >>> for i in range(3):
    ...     chain.hamiltonian(s.Z(i) * s.Z(i + 1))
    >>> thermal_state(chain, beta=0.7).n
    4
    """
    if not math.isfinite(beta):
        raise InputError(f"beta = {beta!r}: the inverse temperature is a finite number")
    state = identity_state(lindbladian.spaces)
    gates, largest = _cooling_gates(lindbladian, state.dtype)
    steps = math.ceil(abs(beta) * largest / BETA_STEP)
    if steps > MOST_STEPS_DOWN:
        raise InputError(f"beta = {beta:g}: {steps:.3g} steps of imaginary time are more than {MOST_STEPS_DOWN:,}")
    rng = stream(0, "thermal")
    for layer in gates.layers(4, steps, beta / max(1, steps)):
        sweep_layer(state, layer, truncation or Truncation(), rng)
        state.normalise()
    state.move_centre(0)
    mantissa, logarithm = product_overlap(state, [space.trace for space in lindbladian.spaces])
    if not mantissa.real > 0:
        raise NumericalError(f"the thermal state at beta = {beta:g} lost its trace: raise chi")
    state.log_norm -= math.log(mantissa.real) + logarithm
    return state


def _cooling_gates(lindbladian: Lindbladian, dtype: np.dtype) -> tuple[Gates | FactoredGates, float]:
    """Return the gates of imaginary time, and the largest norm of a bond's Hamiltonian, or a bound of it."""
    if not lindbladian.is_factored:
        bonds = lindbladian.cooling_maps()
        return Gates(bonds, dtype), max(float(np.linalg.norm(bond, 2)) for bond in bonds)
    sites, bonds, coherent = lindbladian.factored_cooling()
    norms = [float(np.linalg.norm(matrix, 2)) for matrix in sites]
    sizes = [coherent[i].size if bond is None else float(np.linalg.norm(bond, 2)) for i, bond in enumerate(bonds)]
    pairs = [size + norms[i] + norms[i + 1] for i, size in enumerate(sizes)] or norms
    return FactoredGates(sites, bonds, coherent, dtype, cooling=True), max(pairs)
