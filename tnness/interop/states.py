"""States that users bring along: tensors and objects of quimb and TeNPy, told by their classes without an import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tnness.errors import InputError
from tnness.interop.quimb import from_quimb
from tnness.interop.tenpy import from_tenpy, level_order
from tnness.network.chain_state import Array, ChainState
from tnness.network.doubling import density_from_pure
from tnness.network.operator_state import density_from_operator
from tnness.operators.basis import LocalSpace

Kind = Literal["quimb MPS", "quimb MPO", "tenpy MPS", "tenpy MPO", "tenpy purification"]
CLASSES: dict[tuple[str, str], Kind] = {
    ("quimb", "MatrixProductState"): "quimb MPS",
    ("quimb", "MatrixProductOperator"): "quimb MPO",
    ("tenpy", "PurificationMPS"): "tenpy purification",
    ("tenpy", "MPS"): "tenpy MPS",
    ("tenpy", "MPO"): "tenpy MPO",
}
"""Classes by package and name, special ones first."""


def foreign_kind(given: Any) -> Kind | None:
    """Return what an object of quimb or TeNPy is, or None."""
    ancestors = [(cls.__module__.split(".")[0], cls.__name__) for cls in type(given).__mro__]
    return next((kind for name, kind in CLASSES.items() if name in ancestors), None)


def amplitudes_of(given: Any, spaces: Sequence[LocalSpace]) -> ChainState | None:
    """Return the amplitudes of an object that is a pure state, None of one that is not."""
    kind = foreign_kind(given)
    if kind == "quimb MPS":
        return from_quimb(given, spaces)
    return from_tenpy(given, spaces) if kind == "tenpy MPS" else None


def density_of(given: Any, spaces: Sequence[LocalSpace]) -> ChainState:
    """Return a matrix-product operator or a purification of quimb or TeNPy as a density operator, with trace 1.

    Raises
    ------
    InputError: dimensions that do not fit, or an operator that is no density operator.
    """
    kind = foreign_kind(given)
    if kind == "tenpy purification":
        return _of_purification(given, spaces)
    return density_from_operator(
        _quimb_tensors(given) if kind == "quimb MPO" else _tenpy_tensors(given, spaces), spaces
    )


def raw_tensors(given: Any) -> list[Array]:
    """Return the numbers of an object of quimb or TeNPy, in the order of its sites: for a digest of it."""
    if foreign_kind(given) in ("quimb MPS", "quimb MPO"):
        return [np.asarray(array) for array in given.arrays]
    if foreign_kind(given) == "tenpy MPO":
        return [given.get_W(i).to_ndarray() for i in range(given.L)]
    return [given.get_B(i, form="B").to_ndarray() for i in range(given.L)]


def _quimb_tensors(given: Any) -> list[Array]:
    if given.cyclic:
        raise InputError("the quimb operator is periodic; a chain has open ends")
    ordered = given.copy()
    ordered.permute_arrays("lrud")
    arrays, last = [np.asarray(array) for array in ordered.arrays], given.L - 1
    tensors = []
    for i, array in enumerate(arrays):
        outer = [axis for axis, edge in ((0, 0), (1, last)) if i == edge]
        tensors.append(np.expand_dims(array, outer).transpose(0, 2, 3, 1))
    return tensors


def _tenpy_tensors(given: Any, spaces: Sequence[LocalSpace]) -> list[Array]:
    if not given.finite:
        raise InputError("the TeNPy operator is infinite; a chain has open ends")
    tensors = []
    for i, site in enumerate(given.sites):
        tensor = given.get_W(i).transpose(["wL", "p", "p*", "wR"]).to_ndarray()
        order = np.argsort(site.perm)
        if i < len(spaces) and len(order) == spaces[i].levels:
            order = order[level_order(i, site, spaces[i])]
        tensors.append(tensor[:, order][:, :, order])
    tensors[0] = tensors[0][given.get_IdL(0)][None]
    tensors[-1] = tensors[-1][..., given.get_IdR(given.L - 1)][..., None]
    return tensors


def _of_purification(given: Any, spaces: Sequence[LocalSpace]) -> ChainState:
    if not given.finite:
        raise InputError("the TeNPy state is infinite; a chain has open ends")
    if any(space.graded for space in spaces):
        raise InputError("a purification of fermions is not taken in: give its density operator")
    tensors, partners = [], []
    for i, site in enumerate(given.sites):
        tensor = given.get_B(i, form="B").transpose(["vL", "p", "q", "vR"]).to_ndarray()
        order = np.argsort(site.perm)
        if i < len(spaces) and len(order) == spaces[i].levels:
            order = order[level_order(i, site, spaces[i])]
        left, _, beside, right = tensor.shape
        tensors.append(tensor[:, order].reshape(left, -1, right))
        partners.append(beside)
    return density_from_pure(ChainState(tensors), spaces, partners=partners)
