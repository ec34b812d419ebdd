"""Charges that a generator turns out to conserve: found by trying the diagonal operators of its spaces on its terms.

A diagonal operator N = sum_i N_i with whole-numbered differences gives the element |a><b| of a density operator the
charge N_a - N_b. It is conserved if no term changes it: then the Lindbladian has the (weak) symmetry
rho -> exp(i phi N) rho exp(-i phi N). If only exp(i pi N) is a symmetry, the parity of N_a - N_b is conserved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.operators.basis import LocalSpace
from tnness.operators.charges import Charges

Levels = tuple[int, ...]
WHOLE = 1e-9
"""Largest distance from a whole number that counts as round-off."""


def conserved_charges(
    spaces: Sequence[LocalSpace], site_terms: Sequence[ArrayLike], bond_terms: Sequence[ArrayLike], modulus: int = 0
) -> Charges | None:
    """Return all charges of diagonal operators that the terms conserve, exactly (0) or modulo a number; or None.

    Parameters
    ----------
    spaces: quantum spaces; an operator has to be known by one name on all of them.
    site_terms, bond_terms: the real matrices of the generator, (D, D) and (D D', D D').
    modulus: 0, or 2 for parities.

    >>> from tnness.operators.basis import spin_half as s
    >>> from tnness.problems.lindbladian import Lindbladian
    >>> chain = Lindbladian([s] * 2)
    >>> chain.hamiltonian(s.X(0) * s.X(1))
    >>> generator = chain.generator()
    >>> about = generator.spaces, generator.site_terms, generator.bond_terms
    >>> conserved_charges(*about) is None, conserved_charges(*about, 2).sites[0].ravel().tolist()
    (True, [0, 1, 1, 0])
    """
    if not all(space.quantum and _has_plain_elements(space) for space in spaces):
        return None
    kept: list[list[Levels]] = []
    for numbers in _candidates(spaces):
        if _is_new(numbers, kept, modulus) and _conserved(spaces, [numbers], site_terms, bond_terms, modulus):
            kept.append(numbers)
    if not kept:
        return None
    return _charges(spaces, kept, modulus)


def _candidates(spaces: Sequence[LocalSpace]) -> list[list[Levels]]:
    """Return for each diagonal operator the whole numbers of the levels of every site, the first level's being 0."""
    names = [name for name in spaces[0].operators if all(name in space.operators for space in spaces)]
    candidates: list[list[Levels]] = []
    for name in names:
        matrices = [space.operators[name].matrix for space in spaces]
        if any(np.abs(m - np.diag(np.diag(m))).max() > 0 or np.abs(np.imag(m)).max() > 0 for m in matrices):
            continue
        numbers = [np.diag(m).real - m[0, 0].real for m in matrices]
        rounded = [np.rint(own).astype(int) for own in numbers]
        if any(np.abs(own - whole).max() > WHOLE for own, whole in zip(numbers, rounded, strict=True)):
            continue
        divisor = math.gcd(*(int(number) for own in rounded for number in own))
        if divisor:
            candidates.append([tuple((own // divisor).tolist()) for own in rounded])
    return candidates


def _is_new(numbers: list[Levels], kept: list[list[Levels]], modulus: int) -> bool:
    """Return whether a charge is independent of those that are kept."""
    rows = np.array([np.concatenate(own) for own in (*kept, numbers)])
    if modulus:  # parities are few: compare with the sums of all subsets
        sums = (
            (np.indices((2,) * len(kept)).reshape(len(kept), -1).T @ rows[:-1]) % modulus if kept else np.zeros((1, 1))
        )
        return bool((rows[-1] % modulus).any()) and not (sums == rows[-1] % modulus).all(axis=1).any()
    return int(np.linalg.matrix_rank(rows)) == len(rows)


def _charges(spaces: Sequence[LocalSpace], kept: Sequence[list[Levels]], modulus: int) -> Charges:
    """Return the charges of the basis states of every site, with the unitaries that make them definite."""
    sites, unitaries, known = [], [], {}
    for i, space in enumerate(spaces):
        key = id(space), tuple(numbers[i] for numbers in kept)
        if key not in known:
            known[key] = _site_charges(space, key[1], modulus)
        labels, unitary = known[key]
        sites.append(labels)
        unitaries.append(unitary)
    whole = modulus > 0 and all(np.array_equal(unitary, np.eye(len(unitary))) for unitary in unitaries)
    return Charges(sites, [modulus] * len(kept), None if whole else unitaries)


def _site_charges(
    space: LocalSpace, levels: Sequence[Levels], modulus: int
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """Return the charges (D, C) of a site's states, and the unitary (D, D) from the coefficients of its elements.

    The elements of a quantum space are diagonal, or the symmetric and antisymmetric parts of one |a><b|; the phase of
    odd elements is left out, so that real coefficients are those of a Hermitian matrix.
    """
    phases = np.where(space.grading, np.exp(-0.25j * np.pi), 1)
    unitary = np.zeros((space.dim, space.dim), complex)
    labels = np.zeros((space.dim, len(levels)), np.int64)
    numbers = np.array(levels)  # (C, d)
    row, partner_of = 0, {}
    for index, element in enumerate(phases[:, None, None] * space.elements):
        places = np.argwhere(np.abs(np.triu(element, 1)) > 0)
        charge = numbers[:, places[0][0]] - numbers[:, places[0][1]] if len(places) else np.zeros(len(levels), int)
        neutral = not (charge % modulus if modulus else charge).any()
        own_conjugate = neutral or (modulus == 2)
        if own_conjugate:
            unitary[row, index], labels[row] = 1, charge % modulus if modulus else charge
            row += 1
            continue
        a, b = places[0]
        if (a, b) not in partner_of:
            partner_of[a, b] = row
            row += 2
        up = partner_of[a, b]
        unit = np.zeros((space.levels, space.levels), complex)
        unit[a, b] = 1  # |a><b| = sum_e Tr(E_e |a><b|) E_e, so its coefficient is sum_e conj(...) r_e
        unitary[up, index] = np.conj(np.trace(element @ unit))
        unitary[up + 1, index] = np.trace(element @ unit)
        labels[up], labels[up + 1] = charge, -charge
    return labels, unitary


@cache
def _has_plain_elements(space: LocalSpace) -> bool:
    """True where every element is diagonal, or holds a single pair |a><b|, |b><a|."""
    upper = np.count_nonzero(np.triu(np.abs(space.elements) > 1e-12, 1), axis=(1, 2))
    diagonal = np.count_nonzero(np.abs(np.einsum("ajj->aj", space.elements)) > 1e-12, axis=1)
    return bool(np.all((upper == 0) | ((upper == 1) & (diagonal == 0))))


def _conserved(
    spaces: Sequence[LocalSpace],
    numbers: Sequence[list[Levels]],
    site_terms: Sequence[ArrayLike],
    bond_terms: Sequence[ArrayLike],
    modulus: int,
) -> bool:
    return _charges(spaces, numbers, modulus).leak(site_terms, bond_terms) is None
