"""Sums of terms on any few sites as a matrix-product operator.

A term on sites i < j < ... is split into factors of single sites, A_i x B_j x .... All pairs (i, j) with the same i
share their first factors, so that a bond carries one open channel for each site to its left and each of its
independent factors, not one for each pair. The operator is then compressed: a power law of pairs keeps the states that
its sums of exponentials need.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.problems.parts import parts_of

if TYPE_CHECKING:
    from tnness.problems.generator import ChainGenerator

Real = NDArray[np.float64]

ACCURACY = 1e-12
"""Largest part of the operator, relative to its norm, that compression drops at a bond."""
_SMALL = 1e-14


@dataclass(eq=False)
class _Channel:
    """A beginning of terms: it is open on the bonds from `start` to before `stop`.

    letter: the operator on site `start`; before it comes another channel, or nothing. signs: for the sites between.
    ends: operators on later sites that complete a term.
    """

    start: int
    letter: Real
    before: _Channel | None
    signs: dict[int, Real]
    ends: list[tuple[int, Real]]
    stop: int = 0


def mpo_of(generator: ChainGenerator, accuracy: float = ACCURACY) -> list[Real]:
    """Return G as a matrix-product operator: n tensors (left, right, out, in), end bonds of size 1.

    accuracy: of the compression, relative to the norm of the operator.
    """
    singles = [matrix.copy() for matrix in generator.site_terms]
    channels = [*_pairs(generator, singles), *_longer(generator)]
    for channel in channels:
        channel.stop = max([site for site, _ in channel.ends] + [c.start for c in channels if c.before is channel])
    return compressed(_tensors(generator.dims, singles, channels), accuracy)


def _terms(generator: ChainGenerator) -> Iterator[tuple[tuple[int, ...], Real]]:
    yield from (((i, i + 1), matrix) for i, matrix in enumerate(generator.bond_terms))
    yield from generator.distant.items()


def _pairs(generator: ChainGenerator, singles: list[Real]) -> Iterator[_Channel]:
    """Yield the channels of terms on two sites; those with equal first site and equal kinds of strings share them."""
    rows: dict[tuple[int, bool], list[tuple[int, Real]]] = defaultdict(list)
    for sites, matrix in _terms(generator):
        if len(sites) == 2:
            for part in parts_of(sites, matrix, generator.spaces):
                rows[sites[0], bool(part.signs)].append((sites[1], part.block))
    for (first, strung), blocks in rows.items():
        left = generator.dims[first]
        folded = [_folded(block, left, generator.dims[second]) for second, block in blocks]
        u, s, vt = linalg.svd(np.hstack(folded), full_matrices=False)
        edges = np.cumsum([0, *(part.shape[1] for part in folded)])
        for k in range(int((s > _SMALL * max(s[0], 1e-300)).sum())):
            row = s[k] * vt[k]
            ends = [
                (second, row[a:b].reshape((generator.dims[second],) * 2))
                for (second, _), a, b in zip(blocks, edges, edges[1:], strict=False)
            ]
            last = max(second for second, _ in ends)
            yield _Channel(first, u[:, k].reshape(left, left), None, _signs(generator, first, last, strung), ends)


def _longer(generator: ChainGenerator) -> Iterator[_Channel]:
    """Yield the channels of terms on three or more sites."""
    for sites, matrix in _terms(generator):
        if len(sites) > 2:
            for part in parts_of(sites, matrix, generator.spaces):
                yield from _split(generator, part.sites, part.block, part.signs, None)


def _split(
    generator: ChainGenerator, sites: Sequence[int], block: Real, signs: dict[int, Real], before: _Channel | None
) -> Iterator[_Channel]:
    first, rest = sites[0], [generator.dims[site] for site in sites[1:]]
    u, s, vt = linalg.svd(_folded(block, generator.dims[first], math.prod(rest)), full_matrices=False)
    for k in range(int((s > _SMALL * max(s[0], 1e-300)).sum())):
        after = (s[k] * vt[k]).reshape((math.prod(rest),) * 2)
        ends = [(sites[1], after)] if len(sites) == 2 else []
        channel = _Channel(first, u[:, k].reshape((generator.dims[first],) * 2), before, signs, ends)
        yield channel
        if len(sites) > 2:
            yield from _split(generator, sites[1:], after, signs, channel)


def _folded(block: Real, left: int, right: int) -> Real:
    """Return M_(a b, a' b') as (a a', b b')."""
    return block.reshape(left, right, left, right).transpose(0, 2, 1, 3).reshape(left**2, right**2)


def _signs(generator: ChainGenerator, first: int, last: int, strung: bool) -> dict[int, Real]:
    between = range(first + 1, last) if strung else ()
    return {site: generator.spaces[site].signs for site in between if generator.spaces[site].graded}


def _tensors(dims: Sequence[int], singles: Sequence[Real], channels: Sequence[_Channel]) -> list[Real]:
    """Return the tensors of the automaton: state 0 before any term, the last state after one, channels between."""
    n, tensors = len(dims), []
    open_on = [[c for c in channels if c.start <= bond < c.stop] for bond in range(n - 1)]
    places = [{id(channel): k for k, channel in enumerate(on, 1)} for on in open_on]
    for site, dim in enumerate(dims):
        left, right = (places[site - 1] if site else {}), (places[site] if site < n - 1 else {})
        tensor = np.zeros((len(left) + 2, len(right) + 2, dim, dim))
        tensor[0, 0] = tensor[-1, -1] = np.eye(dim)
        tensor[0, -1] = singles[site]
        for channel in channels:
            if channel.start == site:
                row = 0 if channel.before is None else left[id(channel.before)]
                tensor[row, right[id(channel)]] += channel.letter
            elif channel.start < site <= channel.stop:
                for end, letter in channel.ends:
                    if end == site:
                        tensor[left[id(channel)], -1] += letter
                if site < channel.stop:
                    tensor[left[id(channel)], right[id(channel)]] += np.diag(channel.signs.get(site, np.ones(dim)))
        tensors.append(tensor)
    tensors[0], tensors[-1] = tensors[0][:1], tensors[-1][:, -1:]
    return tensors


def compressed(tensors: Sequence[Real], accuracy: float) -> list[Real]:
    """Return an operator with its bonds cut, by sweeps of QR to the left and of SVD to the right."""
    parts: list[Any] = [t.transpose(0, 2, 3, 1) for t in tensors]  # (left, out, in, right)
    for i in range(len(parts) - 1, 0, -1):
        left, out, into, right = parts[i].shape
        q, r = linalg.qr(parts[i].reshape(left, -1).T, mode="economic", check_finite=False)
        parts[i] = np.ascontiguousarray(q.T).reshape(-1, out, into, right)
        parts[i - 1] = np.tensordot(parts[i - 1], r.T, 1)
    for i in range(len(parts) - 1):
        left, out, into, right = parts[i].shape
        u, s, vt = linalg.svd(parts[i].reshape(-1, right), full_matrices=False, check_finite=False)
        rank = max(1, int((s > accuracy * s[0]).sum()))
        scale = math.sqrt(out)  # keeps the tensors of the identity of size 1
        parts[i] = (scale * u[:, :rank]).reshape(left, out, into, rank)
        parts[i + 1] = np.tensordot(s[:rank, None] / scale * vt[:rank], parts[i + 1], 1)
    return [np.ascontiguousarray(part.transpose(0, 3, 1, 2)) for part in parts]
