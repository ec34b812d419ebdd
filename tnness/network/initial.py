"""Initial states that are products over sites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.operators.basis import LocalSpace
from tnness.typed import typed

DENSITY_TOLERANCE = 1e-8
"""Allowed deviation of a given density matrix from Hermitian, positive and of trace 1."""


@typed
def identity_state(spaces: Sequence[LocalSpace]) -> ChainState:
    """Return the maximally mixed state 1/prod(d), or equal probabilities; trace 1.

    >>> from tnness.operators.basis import spin_half
    >>> identity_state([spin_half] * 3).bond_dimensions
    (1, 1)
    """
    return ChainState.product([space.vector(np.eye(space.levels) / space.levels) for space in spaces])


@typed
def product_state(spaces: Sequence[LocalSpace], matrices: Sequence[ArrayLike]) -> ChainState:
    """Return rho_0 x rho_1 x ...

    Parameters
    ----------
    spaces: the local space of each of the n sites.
    matrices: for each site a density matrix (d, d), or probabilities of its levels (d,).

    Raises
    ------
    InputError: a wrong number or shape, a matrix that is no density matrix (of trace 1), or coherences in a classical
        space.
    """
    if len(matrices) != len(spaces):
        raise InputError(f"a product state of {len(spaces)} sites takes as many matrices, got {len(matrices)}")
    return ChainState.product(
        [
            space.vector(_density(site, space, given))
            for site, (space, given) in enumerate(zip(spaces, matrices, strict=True))
        ]
    )


def labels_of(text: str) -> list[str]:
    """Return the labels of the sites in `product:...`: one character each, or separated by commas.

    >>> labels_of("01*"), labels_of("0,12,*")
    (['0', '1', '*'], ['0', '12', '*'])
    """
    return [label.strip() for label in text.split(",")] if "," in text else list(text)


def basis_states(digits: str, spaces: Sequence[LocalSpace]) -> list[NDArray[np.float64]]:
    """Return the populations (d,) of each site: a number is one level, * all of them alike.

    >>> from tnness.operators.basis import boson, spin_half
    >>> [p.tolist() for p in basis_states("1*", [spin_half] * 2)]
    [[0.0, 1.0], [0.5, 0.5]]
    >>> [int(p.argmax()) for p in basis_states("1,12", [spin_half, boson(14)])]
    [1, 12]
    """
    labels = labels_of(digits)
    fit = len(labels) == len(spaces) and all(d == "*" or (d.isascii() and d.isdigit() and len(d) < 10) for d in labels)
    if not fit or not all(d == "*" or int(d) < s.levels for d, s in zip(labels, spaces, strict=True)):
        raise InputError(
            f"product:{digits} needs one level per site ({len(spaces)}), each a number below the site's number of "
            "levels, or *: digits in a row, or numbers with commas between (0,12,3)"
        )
    return [
        np.full(s.levels, 1 / s.levels) if d == "*" else np.eye(s.levels)[int(d)]
        for d, s in zip(labels, spaces, strict=True)
    ]


@typed
def domain_wall(spaces: Sequence[LocalSpace], wall: int) -> list[NDArray[np.float64]]:
    """Return the populations (d,) of a domain wall: level 0 left of site `wall`, the last level from there on.

    Sites with a cutoff (bosons) have level 1 there instead of their last one.

    >>> from tnness.operators.basis import spin_half
    >>> [int(p.argmax()) for p in domain_wall([spin_half] * 4, 2)]
    [0, 0, 1, 1]
    """
    if not 0 <= wall <= len(spaces):
        raise InputError(f"domain_wall:{wall} needs a site of the chain, 0 to {len(spaces)}")
    return [np.eye(space.levels)[0 if i < wall else _far_level(space)] for i, space in enumerate(spaces)]


@typed
def ghz_amplitudes(spaces: Sequence[LocalSpace]) -> ChainState:
    """Return (|0 0 ...> + |l l ...>)/sqrt 2, with l the last level of each site (1 where there is a cutoff).

    >>> from tnness.operators.basis import spin_half
    >>> ghz_amplitudes([spin_half] * 3).dense().round(3).tolist()
    [0.707, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.707]
    """
    tensors = []
    for space in spaces:
        tensor = np.zeros((2, space.levels, 2))
        tensor[0, 0, 0] = tensor[1, _far_level(space), 1] = 1
        tensors.append(tensor)
    tensors[0] = tensors[0].sum(axis=0, keepdims=True) / np.sqrt(2)
    tensors[-1] = tensors[-1].sum(axis=2, keepdims=True)
    state = ChainState(tensors)
    state.canonicalise(0)
    return state


@typed
def random_amplitudes(spaces: Sequence[LocalSpace], seed: int, chi: int) -> ChainState:
    """Return a random pure state of bond dimension chi, normalised: tensors of independent complex Gaussian numbers.

    Parameters
    ----------
    seed: of `numpy.random.default_rng`. chi: bond dimension, no larger than the chain allows. On sites with fermions
        the state is projected on an even number of them, which may double its bonds.

    >>> from tnness.operators.basis import spin_half
    >>> random_amplitudes([spin_half] * 4, seed=7, chi=3).bond_dimensions
    (2, 3, 2)
    """
    if chi < 1 or seed < 0:
        raise InputError(f"random:{seed}:{chi} needs a seed >= 0 and a bond dimension >= 1")
    rng, levels = np.random.default_rng(seed), [space.levels for space in spaces]
    from_left = np.minimum(np.cumprod([1, *levels], dtype=float), chi)
    from_right = np.minimum(np.cumprod([1, *levels[::-1]], dtype=float)[::-1], chi)
    bonds = np.minimum(from_left, from_right).astype(int)
    tensors = []
    for i, d in enumerate(levels):
        shape = (bonds[i], d, bonds[i + 1])
        tensors.append(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    if any(space.graded for space in spaces):
        tensors = _even_part(tensors, spaces)
    state = ChainState(tensors)
    state.canonicalise(0)
    state.log_norm = 0.0
    return state


def _even_part(tensors: list[NDArray[np.complex128]], spaces: Sequence[LocalSpace]) -> list[NDArray[np.complex128]]:
    """Return |psi> + P |psi>, P the parity of the whole chain."""
    result, last = [], len(tensors) - 1
    for i, (tensor, space) in enumerate(zip(tensors, spaces, strict=True)):
        left, d, right = tensor.shape
        turned = tensor if space.parity is None else np.einsum("ij,ljr->lir", space.parity, tensor)
        whole = np.zeros((2 * left, d, 2 * right), complex)
        whole[:left, :, :right], whole[left:, :, right:] = tensor, turned
        whole = whole[:1] + whole[1:] if i == 0 else whole
        result.append(whole[:, :, :1] + whole[:, :, 1:] if i == last else whole)
    return result


def _far_level(space: LocalSpace) -> int:
    return 1 if space.cut else space.levels - 1


def _density(site: int, space: LocalSpace, given: ArrayLike) -> NDArray[np.complex128]:
    name, d = f"the state of site {site}", space.levels
    try:
        matrix = np.asarray(given, dtype=complex)
    except (TypeError, ValueError):
        raise InputError(f"{name} is a {type(given).__name__}, not numbers of shape ({d}, {d}) or ({d},)") from None
    if matrix.shape == (d,):
        matrix = np.diag(matrix)
    if matrix.shape != (d, d):
        raise InputError(f"{name} must have shape ({d}, {d}) or ({d},), but has shape {np.shape(given)}")
    if not np.abs(matrix - matrix.conj().T).max() < DENSITY_TOLERANCE:
        raise InputError(f"{name} is not Hermitian")
    if not abs(np.trace(matrix) - 1) < DENSITY_TOLERANCE:
        raise InputError(f"{name} has trace {np.trace(matrix).real:.6g}, not 1")
    if np.linalg.eigvalsh(matrix)[0] < -DENSITY_TOLERANCE:
        raise InputError(f"{name} has the negative eigenvalue {np.linalg.eigvalsh(matrix)[0]:.3g}")
    if space.parity is not None and np.abs(space.parity @ matrix @ space.parity - matrix).max() > DENSITY_TOLERANCE:
        raise InputError(f"{name} superposes even and odd numbers of fermions, which no state of fermions does")
    if not space.quantum and np.abs(matrix - np.diag(np.diag(matrix))).max() > DENSITY_TOLERANCE:
        raise InputError(f"{name} has coherences, but its space {space.name} is classical")
    return matrix
