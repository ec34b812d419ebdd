"""Random sums of operators on single sites and neighbours, one in each charge sector, from which modes are filtered.

A sector holds the operators of charges q and -q under the (weak) symmetry rho -> exp(i phi N) rho exp(-i phi N).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import ChainState
from tnness.network.product_sum import as_pairs
from tnness.operators.charges import Charges
from tnness.problems.generator import ChainGenerator
from tnness.streams import stream

Array = NDArray[Any]
Charge = tuple[int, ...]


def sectors_of(generator: ChainGenerator) -> list[Charge]:
    """Return the charges of operators on one site or two neighbours, of q and -q only one; [()] without any charge.

    Operators that are odd in fermions are left out.

    >>> from tnness import find
    >>> sectors_of(find("xxz-driven")(n=3).problem().generator())
    [(0,), (1,), (2,)]
    """
    charges = _charges(generator)
    if charges is None:
        return [()]
    found: set[Charge] = set()
    for i in range(generator.n - 1):
        for a, _, odd in _states(generator, charges, i):
            for b, _, also in _states(generator, charges, i + 1):
                if odd == also:
                    total = charges.add(a, b)
                    found.add(max(total, charges.conjugate(total)))
    return sorted(found, key=lambda q: (sum(map(abs, q)), q))


def random_start(
    generator: ChainGenerator, trace: Sequence[Array], charge: Charge, seed: int, reach: int = 2
) -> ChainState | None:
    """Return a random sum of operators of a sector, of norm 1; None if there are none.

    trace: the covectors of the trace, n vectors (D_i,), in the frame that is used; they stand on the other sites.
    reach: 1 for operators on single sites, 2 for those on neighbours too. Those on single sites often evolve among
    themselves, at small bond dimensions; they alone may miss the slowest mode.
    """
    rng, n, charges = stream(seed, "start of modes", reach, *map(abs, charge)), generator.n, _charges(generator)
    identity = [vector / np.linalg.norm(vector) for vector in trace]
    parts = [_parts(generator, charges, i) for i in range(n)]
    labels = sorted({label for part in parts for label in part})
    partner = {label: _rest(charges, charge, label) for label in labels}
    open_labels = [label for label in labels if partner[label] in labels] if reach > 1 else []
    tensors = []
    for i, dim in enumerate(generator.dims):
        size = len(open_labels) + 2
        tensor = np.zeros((size, dim, size), complex)
        tensor[0, :, 0] = tensor[-1, :, -1] = identity[i]
        whole = charge if charges is not None else ()
        tensor[0, :, -1] = _random(parts[i].get((whole, False)), rng, dim)
        for k, label in enumerate(open_labels, 1):
            tensor[0, :, k] = _random(parts[i].get(label), rng, dim)
            tensor[k, :, -1] = _random(parts[i].get(partner[label]), rng, dim)
        tensor = tensor[:1] if i == 0 else tensor
        tensor = tensor[:, :, -1:] if i == n - 1 else tensor
        tensors.append(as_pairs(tensor, i == 0, i == n - 1))
    state = ChainState(tensors)
    if not any(np.abs(tensor[0, :, -1]).max() > 0 for tensor in tensors) and reach == 1:
        return None
    state.canonicalise(0)
    state.log_norm = 0.0
    return state


Label = tuple[Charge, bool]


def _charges(generator: ChainGenerator) -> Charges | None:
    return generator.charges or generator.conserved or generator.parities


def _states(generator: ChainGenerator, charges: Charges, site: int) -> list[tuple[Charge, Array, bool]]:
    """Return the basis states of a site: their charges, vectors, and whether they are odd in fermions."""
    basis, grading = charges.basis(site), generator.spaces[site].grading
    labels = [tuple(int(q) for q in row) for row in charges.sites[site]]
    return [(label, basis[k].conj(), bool(np.abs(basis[k][grading]).sum() > 1e-9)) for k, label in enumerate(labels)]


def _parts(generator: ChainGenerator, charges: Charges | None, site: int) -> dict[Label, Array]:
    """Return the vectors of a site by charge and oddness: (k, D) each."""
    if charges is None:
        grading, unit = generator.spaces[site].grading, np.eye(generator.dims[site], dtype=complex)
        parts = {((), False): unit[~grading], ((), True): unit[grading]}
        return {label: rows for label, rows in parts.items() if len(rows)}
    grouped: dict[Label, list[Array]] = {}
    for label, vector, odd in _states(generator, charges, site):
        grouped.setdefault((label, odd), []).append(vector)
    return {label: np.array(rows) for label, rows in grouped.items()}


def _rest(charges: Charges | None, charge: Charge, label: Label) -> Label:
    """Return the label of a second site that completes the charge; the pair is even in fermions."""
    return (() if charges is None else charges.add(charge, label[0], -1)), label[1]


def _random(rows: Array | None, rng: np.random.Generator, dim: int) -> Array:
    if rows is None:
        return np.zeros(dim, complex)
    weights = rng.standard_normal((2, len(rows)))
    return (weights[0] + 1j * weights[1]) @ rows
