"""States converted to TeNPy and from it.

TeNPy takes a second to import, and is imported where it is first used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tnness.errors import InputError
from tnness.interop.fitting import canonical_state
from tnness.network.chain_state import Array, ChainState
from tnness.operators.basis import LocalSpace
from tnness.typed import checked

if TYPE_CHECKING:
    from tenpy.networks.mps import MPS
    from tenpy.networks.site import Site

SYNONYMS = {"N": "Ntot", "P": "JW", "Cud": "Cdu"}
"""Operators of fermions that TeNPy calls otherwise."""
SAME_LABEL = 1e-9
"""Largest difference of two equal elements of operators."""


def to_tenpy(state: ChainState) -> MPS:
    """Return a state as a TeNPy `MPS` on sites without charges; its norm is kept in `MPS.norm`.

    >>> from tnness.network.chain_state import ChainState
    >>> to_tenpy(ChainState.product([[0.5, 0.5]] * 3)).L
    3
    """
    from tenpy.linalg.np_conserved import LegCharge
    from tenpy.networks.mps import MPS
    from tenpy.networks.site import Site

    ready = checked("state", state, ChainState).copy()
    ready.canonicalise(0)
    sites = [Site(LegCharge.from_trivial(dim)) for dim in ready.dims]
    flat = [tensor.transpose(1, 0, 2) for tensor in ready.tensors]  # (p, vL, vR), in right-canonical form
    psi = MPS.from_Bflat(sites, flat, unit_cell_width=ready.n)  # finds the Schmidt values itself
    psi.norm = math.exp(ready.log_norm)
    return psi


def from_tenpy(psi: MPS, spaces: Sequence[LocalSpace] | None = None) -> ChainState:
    """Return a TeNPy `MPS` as a `ChainState`, canonical at site 0.

    Parameters
    ----------
    psi: a finite MPS; charges are dropped.
    spaces: the local spaces whose d levels its sites have (the amplitudes of a pure state), or whose D coefficients (a
        density matrix; the tensors are then made real). Levels are matched by all diagonal operators that site and
        space share, and put in the order of the space: TeNPy's `SpinSite` counts m upwards, `spin(...)` downwards.
        Without spaces, or without such operators, they stay in the site's order without charge conservation.

    Raises
    ------
    InputError: an infinite MPS, dimensions that do not fit, levels that the operators do not tell apart, or an operator
        of one name that is not the same in both.
    """
    from tenpy.networks.mps import MPS

    checked("psi", psi, MPS)
    spaces = checked("spaces", spaces, Sequence[LocalSpace] | None)
    if not psi.finite:
        raise InputError("the TeNPy state is infinite; a chain has open ends")
    if "q" in psi.get_B(0).get_leg_labels():
        raise InputError("the TeNPy state is a purification, which has no amplitudes: give it as the initial state")
    tensors = []
    for i, site in enumerate(psi.sites):
        tensor = psi.get_B(i, form="B").transpose(["vL", "p", "vR"]).to_ndarray()
        tensor = tensor[:, np.argsort(site.perm), :]  # undo the sorting by charge
        if spaces is not None and i < len(spaces) and tensor.shape[1] == spaces[i].levels:
            tensor = tensor[:, level_order(i, site, spaces[i]), :]
        tensors.append(tensor)
    return canonical_state(tensors, math.log(abs(psi.norm)), spaces)


def level_order(number: int, site: Site, space: LocalSpace) -> Array:
    """Return for each level of the space the TeNPy level (in the order without charges) that is the same state."""
    pairs = _shared(site, space)
    labels = {name: (np.diag(a), np.diag(b)) for name, (a, b) in pairs.items() if _is_diagonal(a) and _is_diagonal(b)}
    order = np.arange(space.levels)
    if labels:
        ours, theirs = (np.array([pair[k] for pair in labels.values()]) for k in (0, 1))
        same = np.all(np.abs(ours[:, :, None] - theirs[:, None, :]) < SAME_LABEL, axis=0)  # (our level, their level)
        _check_matching(number, space, labels, np.asarray(same))
        order = np.argmax(same, axis=1)
    for name, (own, given) in pairs.items():
        if np.abs(own - given[np.ix_(order, order)]).max() > SAME_LABEL:
            raise InputError(
                f"the TeNPy site {number} and the space {space.name} have different operators {name}, so that its "
                "levels cannot be told: take a space whose operators of the same names are the same"
            )
    return order


def _shared(site: Site, space: LocalSpace) -> dict[str, tuple[Array, Array]]:
    """Return the operators that both have, ours and theirs in the order without charges: (d, d) each."""
    undo, pairs = np.argsort(site.perm), dict[str, tuple[Array, Array]]()
    for name, operator in space.operators.items():
        theirs = SYNONYMS.get(name, name) if space.parity is not None else name
        theirs = theirs if theirs in site.opnames else name
        if theirs in site.opnames:
            given = site.get_op(theirs).to_ndarray()[undo][:, undo]
            if theirs != "JW" or not np.allclose(given, np.eye(len(given))):  # what a site has that was told of none
                pairs[name] = operator.matrix, given
    return pairs


def _check_matching(number: int, space: LocalSpace, labels: Mapping[str, tuple[Array, Array]], same: Array) -> None:
    """Refuse labels that leave a level without a partner, or with several."""
    for name, (ours, theirs) in labels.items():
        if (np.abs(ours[:, None] - theirs[None, :]) > SAME_LABEL).all(axis=1).any():
            theirs, ours = (np.real_if_close(values) for values in (theirs, ours))
            raise InputError(f"a TeNPy site has {name} = {theirs}, the space {space.name} has {ours}")
    if (same.sum(axis=1) != 1).any() or (same.sum(axis=0) != 1).any():
        raise InputError(
            f"the levels of TeNPy site {number} and of the space {space.name} cannot be matched by "
            f"{', '.join(labels)}, which do not tell them apart: give the space more diagonal operators of the site"
        )


def _is_diagonal(matrix: Array) -> bool:
    return not (matrix - np.diag(np.diag(matrix))).any()
