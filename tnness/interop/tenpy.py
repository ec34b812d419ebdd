"""States converted to TeNPy and from it.

TeNPy takes a second to import, and is imported where it is first used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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

ORDERING = ("Sz", "N")
"""Diagonal operators by whose values the levels of a TeNPy site are matched with those of a `LocalSpace`."""


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
        density matrix; the tensors are then made real). If site and space share the diagonal operator `Sz` or `N`, the
        levels are put in the order of the space: TeNPy's `SpinSite` counts m upwards, `spin(...)` downwards. Without
        spaces the levels are in the site's order without charge conservation.

    Raises
    ------
    InputError: an infinite MPS, or dimensions that do not fit.
    """
    from tenpy.networks.mps import MPS

    checked("psi", psi, MPS)
    spaces = checked("spaces", spaces, Sequence[LocalSpace] | None)
    if not psi.finite:
        raise InputError("the TeNPy state is infinite; a chain has open ends")
    tensors = []
    for i, site in enumerate(psi.sites):
        tensor = psi.get_B(i, form="B").transpose(["vL", "p", "vR"]).to_ndarray()
        tensor = tensor[:, np.argsort(site.perm), :]  # undo the sorting by charge
        if spaces is not None and i < len(spaces) and tensor.shape[1] == spaces[i].levels:
            tensor = tensor[:, _level_order(site, spaces[i]), :]
        tensors.append(tensor)
    return canonical_state(tensors, math.log(abs(psi.norm)), spaces)


def _level_order(site: Site, space: LocalSpace) -> Array:
    """Return for each level of the space the TeNPy level (in the order without charges) of equal `Sz` or `N`."""
    for name in ORDERING:
        if name in site.opnames and name in space.operators:
            theirs = np.diag(site.get_op(name).to_ndarray()).real[np.argsort(site.perm)]
            ours = np.diag(space.operators[name].matrix).real
            if not np.allclose(np.sort(theirs), np.sort(ours)) or len(set(ours)) < len(ours):
                raise InputError(f"a TeNPy site has {name} = {theirs}, the space {space.name} has {ours}")
            return np.argsort(theirs)[np.argsort(np.argsort(ours))]
    return np.arange(space.levels)
