"""Tests of a state against the equation it should solve: residual, local balance, energy balance, positivity.

None of these figures is an error bar. The residual is a poor judge: states with errors of 2e-4 and 2e-2 can have the
same residual.
"""

from __future__ import annotations

import math

import numpy as np

from tnness.errors import NumericalError
from tnness.network.chain_state import Array, ChainState
from tnness.network.product_view import ProductView
from tnness.network.variational import change_of
from tnness.operators.basis import coefficients
from tnness.problems.generator import ChainGenerator

LEAST_FLOW = 0.02
"""Smallest scale for the energy imbalance, as a share of the largest possible dissipative flows of energy.

The actual flows can be too small a scale: they vanish by symmetry in the driven XX and XXZ chains. In the driven MBL
chain they are 2 to 10 % of the largest possible flows at any eps.
"""


NEGATIVE = -1e-2
"""Smallest marginal probability or eigenvalue of a trusted state; below it, truncation has spoiled the state."""
UNBALANCED = 0.2
"""Largest imbalance of the total energy, relative to the dissipative flows, at which a state counts as steady."""


def checks(generator: ChainGenerator, view: ProductView, rate: float) -> dict[str, float]:
    """Return the figures of a state, by the names they have in a certificate. rate: its residual (1 / time)."""
    return {
        "residual": rate,
        "local_balance": local_balance(generator, view),
        "energy_balance": energy_balance(generator, view),
        "positivity": positivity(view),
        **last_level(view),
    }


def residual(generator: ChainGenerator, state: ChainState) -> float:
    """Return |G P| / |P| (1 / time), at the cost of about one Trotter layer.

    |G P|^2 is the sum over pairs of bonds of <G_b P|G_b' P>. With the centre at bond b, a diagonal pair (b' = b) is
    local, neighbouring pairs need three sites, and distant pairs share one left environment, summed over all earlier
    bonds.
    """
    state = state.copy(np.float64)
    state.canonicalise(0)
    if generator.is_factored:
        return change_of(generator.mpo_tensors(), state)
    bonds = generator.merged_bonds
    total = 0.0
    earlier: Array = np.zeros((1, 1))  # sum over bonds that end left of here of <P|G_b P>: (bra, ket)
    for i in range(state.n - 1):
        state.move_centre(i)
        pair = np.tensordot(state.tensors[i], state.tensors[i + 1], 1)  # (l, p, q, r)
        acted = _act(bonds[i], pair, 1)
        total += float(np.vdot(acted, acted)) + 2 * float(np.vdot(acted, np.tensordot(earlier, pair, 1)))
        if i + 2 < state.n:
            triple = np.tensordot(pair, state.tensors[i + 2], 1)
            total += 2 * float(np.vdot(_act(bonds[i], triple, 1), _act(bonds[i + 1], triple, 2)))
            state.move_centre(i + 1)
            earlier = _pass_site(earlier, state, bonds, i)
    return math.sqrt(max(0.0, total))


def _pass_site(earlier: Array, state: ChainState, bonds: tuple[Array, ...], i: int) -> Array:
    """Return the environment with site i (now left-isometric) and the bond that ends on it added: (bra, ket)."""
    tensor = state.tensors[i]
    if i == 0:
        return np.zeros((tensor.shape[2],) * 2)
    whole = np.tensordot(state.tensors[i - 1], tensor, 1)  # (l, p, q, r), left-isometric
    ended = np.tensordot(whole, _act(bonds[i - 1], whole, 1), ((0, 1, 2), (0, 1, 2)))
    return np.tensordot(tensor, np.tensordot(earlier, tensor, 1), ((0, 1), (0, 1))) + ended


def _act(bond: Array, tensor: Array, axis: int) -> Array:
    """Apply a two-site matrix to axes (axis, axis + 1) of a tensor."""
    p, q = tensor.shape[axis : axis + 2]
    gate = bond.reshape(p, q, p, q)
    return np.moveaxis(np.tensordot(gate, tensor, ((2, 3), (axis, axis + 1))), (0, 1), (axis, axis + 1))


def local_balance(generator: ChainGenerator, view: ProductView) -> float:
    """Return the worst rate of change |d<E>/dt| (1 / time) over sites, E running over the one-site operator basis.

    It vanishes in a steady state: the changes of a site by its two bonds cancel, as for any conserved current.
    """
    rates = [np.zeros(dim) for dim in generator.dims]
    trace = generator.functionals["trace"]
    for sites, matrix in generator.local_terms:
        shape = [generator.dims[site] for site in sites]
        flow = (matrix @ view.coefficients_of(sites).reshape(-1)).reshape(shape)
        for place, site in enumerate(sites):
            rate = flow
            for other in reversed(range(len(sites))):
                rate = rate if other == place else np.tensordot(rate, trace[sites[other]], (other, 0))
            rates[site] += rate
    for bond, hamiltonian in generator.coherent.items():
        pair = view.coefficients_of((bond, bond + 1))
        flow = hamiltonian.commuted(pair.reshape(1, -1, 1)).reshape(pair.shape)
        rates[bond] += flow @ trace[bond + 1]
        rates[bond + 1] += trace[bond] @ flow
    return max(float(np.linalg.norm(rate)) for rate in rates)


def energy_balance(generator: ChainGenerator, view: ProductView) -> float:
    """Return |d<H>/dt| over the sum of the absolute dissipative flows into H; NaN without a Hamiltonian and jumps.

    If the flows are smaller than `LEAST_FLOW` times the largest possible flows, the latter product is the scale.
    """
    origin = generator.origin
    if origin is None or not origin.hamiltonian_terms or not all(space.quantum for space in generator.spaces):
        return math.nan
    if generator.distant or generator.is_factored:
        return math.nan
    dissipator = origin.dissipator().merged_bonds
    flows, possible = [], 0.0
    for b in range(generator.n - 1):
        covector = _pair_covector(generator, b, origin.bond_hamiltonian_shared(b))
        strength = float(np.linalg.norm(covector)) / math.sqrt(math.prod(s.levels for s in generator.spaces[b : b + 2]))
        for other in range(max(0, b - 1), min(generator.n - 1, b + 2)):
            flows.append(_flow(generator, view, (b, covector), (other, dissipator[other])))
            possible += strength * float(np.linalg.norm(dissipator[other], 2))
    size = max(sum(abs(flow) for flow in flows), LEAST_FLOW * possible)
    return abs(sum(flows)) / size if size > 0 else math.nan


def _flow(generator: ChainGenerator, view: ProductView, energy: tuple[int, Array], bond: tuple[int, Array]) -> float:
    """Return the rate at which one bond's dissipator changes the energy of the same or a neighbouring bond."""
    (b, covector), (other, dissipator) = energy, bond
    start, stop = min(b, other), max(b, other) + 2
    flow = _act(dissipator, view.window(start, stop), other - start)
    for site in reversed(range(start, stop)):
        if site not in (b, b + 1):
            flow = np.tensordot(flow, generator.functionals["trace"][site], (site - start, 0))
    return float(np.vdot(covector, flow))


def _pair_covector(generator: ChainGenerator, bond: int, matrix: Array) -> Array:
    """Tr(h E_a x E_b) for a Hermitian two-site matrix: (D, D')."""
    return coefficients(matrix, generator.spaces[bond : bond + 2])


def last_level(view: ProductView) -> dict[str, float]:
    """Return the largest probability of a level next to a cutoff, `cutoff_weight`; nothing where no site has one.

    What a cutoff leaves out is about as large as what stands next to it.
    """
    weights = [np.real(view.expect(space.last(i))) for i, space in enumerate(view.spaces) if space.cut]
    return {"cutoff_weight": float(max(weights))} if weights else {}


def positivity(view: ProductView) -> float:
    """Return the smallest eigenvalue (quantum) or probability (classical) of the two-site marginals."""
    lowest = math.inf
    pairs = [(i, i + 1) for i in range(len(view.spaces) - 1)] or [(0,)]
    for pair in pairs:
        marginal = view.marginal(pair)
        if not np.isfinite(marginal).all():
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
        values = np.linalg.eigvalsh(marginal) if marginal.ndim == 2 else marginal
        lowest = min(lowest, float(values.min()))
    return lowest
