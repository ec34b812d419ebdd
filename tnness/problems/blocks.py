"""Two sites at a time: a chain whose terms reach over three sites is one of neighbouring blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from tnness.errors import ModelError
from tnness.operators.basis import LocalSpace, composite, product_elements
from tnness.problems.generator import ChainGenerator, Real
from tnness.problems.parts import parts_of

LARGEST_GATE = 4096
"""Largest dimension of two blocks together: a gate is a square matrix of it."""

_BUILT: WeakKeyDictionary[ChainGenerator, ChainGenerator] = WeakKeyDictionary()


def blocked(generator: ChainGenerator, taker: str) -> ChainGenerator:
    """Return a chain of blocks of two sites (the last of an odd number is alone) with terms on neighbours only.

    Parameters
    ----------
    generator: a chain of at least three sites whose terms reach over three sites; it is built once.
    taker: who needs it, for the message.

    Raises
    ------
    ModelError: a term reaches further, or a site is too large.
    """
    if generator not in _BUILT:
        _BUILT[generator] = _blocked(generator, taker)
    return _BUILT[generator]


def takes_blocks(problem: Any) -> bool:
    """Return whether a problem has terms on neighbours only, or can be joined into blocks of two sites."""
    reach, spaces = getattr(problem, "reach", 1), getattr(problem, "spaces", ())
    largest = max((a.dim * b.dim for a, b in pairwise(spaces)), default=1)
    return reach <= 1 or (reach <= 2 and largest**2 <= LARGEST_GATE)


def block_starts(n: int) -> range:
    """Return the first site of each block of a chain of n sites."""
    return range(0, n, 2)


def _blocked(generator: ChainGenerator, taker: str) -> ChainGenerator:
    starts = block_starts(generator.n)
    spaces = [_together(generator.spaces[start : start + 2]) for start in starts]
    dims = [space.dim for space in spaces]
    largest = max(a * b for a, b in pairwise(dims))
    if largest > LARGEST_GATE:
        raise ModelError(
            f"{taker} joins sites in twos where terms reach over three sites; here that makes gates of {largest} "
            f"dimensions, beyond {LARGEST_GATE}: use engine 'tdvp'"
        )
    sites = [np.zeros((dim, dim)) for dim in dims]
    bonds = [np.zeros((a * b,) * 2) for a, b in pairwise(dims)]
    terms = [*(((i,), matrix) for i, matrix in enumerate(generator.site_terms))]
    terms += [((i, i + 1), matrix) for i, matrix in enumerate(generator.bond_terms)] + [*generator.distant.items()]
    for where, matrix in terms:
        first, last = where[0] // 2, where[-1] // 2
        if last > first + 1:
            raise ModelError(
                f"{taker} takes terms that reach over three sites at most; this chain has one on sites "
                f"{', '.join(map(str, where))}: use engine 'tdvp' or 'exact', or another order of the sites"
            )
        if matrix.any():
            target = sites[first] if first == last else bonds[first]
            target += _within(generator, where, matrix, 2 * first, 2 * last + 2)
    functionals = {
        name: [_product(vectors[start : start + 2]) for start in starts]
        for name, vectors in generator.functionals.items()
        if name != "trace"
    }
    return ChainGenerator(spaces, sites, bonds, functionals, resolution=generator.resolution)


def _together(spaces: Sequence[LocalSpace]) -> LocalSpace:
    """Return consecutive sites as one, whose elements are the products of theirs, so that coefficients stay."""
    if len(spaces) == 1:
        return spaces[0]
    whole = composite(tuple(spaces))
    return LocalSpace(whole.name, product_elements(tuple(spaces)), whole.operators)


def _product(vectors: Sequence[Real]) -> Real:
    return np.outer(*vectors).ravel() if len(vectors) > 1 else vectors[0]


def on_blocks(generator: ChainGenerator, where: tuple[int, ...], matrix: Real) -> tuple[tuple[int, ...], Real]:
    """Return a matrix on some sites as one on the blocks that hold them: the blocks, and the matrix."""
    first, last = where[0] // 2, where[-1] // 2
    blocks = (first,) if first == last else (first, last)
    return blocks, _within(generator, where, matrix, 2 * first, min(2 * last + 2, generator.n))


def _within(generator: ChainGenerator, where: tuple[int, ...], matrix: Real, start: int, stop: int) -> Real:
    """Return a term as a matrix on sites start..stop-1."""
    dims = generator.dims[start:stop]
    total = np.zeros((math.prod(dims),) * 2)
    for part in parts_of(tuple(site - start for site in where), matrix, generator.spaces[start:stop]):
        total += part.matrix(dims).toarray()
    return total
