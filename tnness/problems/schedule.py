"""From the symbols of a chain that depends on time to a `Drive`: envelopes, rates, gates and channels."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.digest.content import digest
from tnness.digest.operators import probe
from tnness.errors import ModelError
from tnness.operators.basis import parity_of
from tnness.operators.terms import Matrix, Operator, as_operator, total
from tnness.problems.driven import Drive, DrivenPart, Operation
from tnness.problems.envelope import Function, content_of
from tnness.typed import shown

if TYPE_CHECKING:
    from tnness.problems.lindbladian import Lindbladian

COMPLETE_TO = 1e-10
"""Largest deviation of sum K^+ K from 1 that counts as round-off."""


@dataclass(frozen=True)
class Driven:
    """A term of H and its envelope, or a jump and its rate: functions of time. name: for messages."""

    operator: Operator
    function: Function
    name: str
    is_rate: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ModelError(f"{self.name} has the envelope {self.function!r}; a real function of time is needed")


def drive_of(chain: Lindbladian) -> Drive:
    """Return the constant generators of a chain, the functions that multiply them, and its operations.

    Raises
    ------
    ModelError: the terms of H with one envelope are not Hermitian together, or a matrix cannot be built.
    """
    large = next((i for i in range(chain.n - 1) if chain.is_pair_large(i)), None)
    if large is not None:
        raise ModelError(
            f"sites {large} and {large + 1} are too large for a chain that depends on time: lower their "
            "cutoffs, or evolve the chain piece by piece, as frozen(t)"
        )
    parts = []
    for function, group in _grouped([d for d in chain.driven if not d.is_rate]):
        part = type(chain)(chain.spaces)
        part.hamiltonian(total(d.operator for d in group))
        parts.append(DrivenPart(function, part.generator(), group[0].name, False))
    for function, group in _grouped([d for d in chain.driven if d.is_rate]):
        part = type(chain)(chain.spaces)
        for each in group:
            part.jump(each.operator)
        parts.append(DrivenPart(function, part.generator(), group[0].name, True))
    return Drive(chain.constant().generator(), tuple(parts), chain.scheduled, chain.frozen(0.0).fixed())


def _grouped(driven: Sequence[Driven]) -> list[tuple[Function, list[Driven]]]:
    """Return functions of time with what they multiply; one function object is one group."""
    groups: dict[int, tuple[Function, list[Driven]]] = {}
    for each in driven:
        groups.setdefault(id(each.function), (each.function, []))[1].append(each)
    return list(groups.values())


def digest_of_driven(static: str, chain: Lindbladian) -> str:
    """Return the digest of a chain that depends on time, from that of its constant part.

    Where functions were read as bytecode, the version of Python stands in front: digests of two versions cannot be
    compared.
    """
    tags, contents = set[str](), list[str]()
    sums: dict[tuple[bool, str], NDArray[Any]] = {}
    for each in chain.driven:
        tag, content = content_of(each.function)
        tags.add(tag)
        values = probe([each.operator], chain.parities)[0]
        values = np.abs(values) ** 2 if each.is_rate else values - values[0]
        key = each.is_rate, content
        sums[key] = sums[key] + values if key in sums else values
    contents = sorted(digest(is_rate, content, values) for (is_rate, content), values in sums.items())
    operations = [digest(list(o.sites), o.matrix, o.time, o.every) for o in chain.scheduled]
    whole = digest("driven", static, contents, operations)
    tag = "+".join(sorted(tags - {""}))
    return f"{tag}:{whole}" if tag else whole


def scheduled(
    chain: Lindbladian,
    time: float,
    operation: Operator | Sequence[Operator | complex] | ArrayLike,
    sites: Sequence[int] | None,
    every: float | None,
) -> Operation:
    """Return an operation of a chain at a time: see `Lindbladian.at`."""
    name = f"operation {len(chain.scheduled)}"
    if not _is_time(time) or time < 0:
        raise ModelError(f"{name} is at t = {shown(time)}; a time is a number >= 0")
    if every is not None and not (_is_time(every) and every > 0):
        raise ModelError(f"{name} acts every {shown(every)}; the time between two is a number > 0")
    if sites is None:
        window, kraus, name = _of_operators(chain, operation, name)
    else:
        window, kraus = _of_matrices(chain, operation, sites, name)
    loss = np.abs(np.einsum("kba,kbc->ac", kraus.conj(), kraus) - np.eye(kraus.shape[1])).max()
    if loss > COMPLETE_TO:
        what = "U^+ U" if len(kraus) == 1 else "sum K^+ K"
        raise ModelError(f"{name} does not conserve the trace: |{what} - 1| = {loss:.1e}")
    parity = parity_of([chain.spaces[i] for i in window])
    acting = []
    for number, matrix in enumerate(kraus):
        turned = parity @ matrix @ parity
        odd = np.abs(turned + matrix).max() < COMPLETE_TO
        if not odd and np.abs(turned - matrix).max() > COMPLETE_TO:
            raise ModelError(f"{name} mixes even and odd fermionic terms in its operator {number}")
        acting.append(matrix @ parity if odd and np.abs(matrix).max() > COMPLETE_TO else matrix)
    stacked = np.array(acting)
    matrix = chain.local_map(window, lambda e: np.einsum("kab,ebc,kdc->ead", stacked, e, stacked.conj(), optimize=True))
    return Operation(window, matrix, float(time), None if every is None else float(every), name)


def _of_operators(chain: Lindbladian, given: Any, name: str) -> tuple[tuple[int, ...], Matrix, str]:
    several = [given] if isinstance(given, Operator) else given
    if not isinstance(several, (list, tuple)) or not several:
        raise ModelError(
            f"{name} is {shown(given)}; an operator on numbered sites, a list of Kraus operators, or matrices with "
            "their sites are needed"
        )
    if any(isinstance(each, np.ndarray) for each in several):
        raise ModelError(f"{name} is given by matrices: `sites` says where they act")
    operators = [as_operator(each) for each in several]
    name = f"{name} ({operators[0]}{', ...' if len(operators) > 1 else ''})"
    together = total(operators)
    window = chain.window_of(together, name)
    return window, np.array([o.matrix(window, chain.levels, chain.parities) for o in operators]), name


def _of_matrices(chain: Lindbladian, given: Any, sites: Sequence[int], name: str) -> tuple[tuple[int, ...], Matrix]:
    window = tuple(int(site) for site in sites)
    if not window or list(window) != sorted(set(window)) or window[0] < 0 or window[-1] >= chain.n:
        raise ModelError(f"{name} acts on sites {list(sites)}; increasing sites of 0 to {chain.n - 1} are needed")
    kraus = np.array(given, complex)
    kraus = kraus[None] if kraus.ndim == 2 else kraus
    size = math.prod(chain.spaces[site].levels for site in window)
    if kraus.shape[1:] != (size, size):
        raise ModelError(f"{name} has matrices of shape {kraus.shape[1:]}; its sites have {size} levels together")
    return window, kraus


def _is_time(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
