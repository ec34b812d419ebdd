"""Lyapunov exponents of an endless bar: a product of transfer matrices, with a QR of its columns every few slices.

    u_{x+1} = (E - H_x) u_x - u_{x-1},    gamma_1 >= ... >= gamma_m >= 0 per slice;

the exponents are the average logarithms of the diagonals of the triangular factors. Several independent bars are
computed as one array; their spread gives the statistical error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.problems.transfer import RandomBar

Real = NDArray[np.float64]

COLUMN_GROWTH = 1e6
"""Factor by which columns may grow apart between two QRs: the smallest one then keeps ten digits."""


@dataclass(frozen=True, eq=False)
class Exponents:
    """Lyapunov exponents, decreasing.

    values, errors: (m,), per slice; the errors are standard errors over independent bars. slices: number of slices
    in all bars.
    """

    values: Real
    errors: Real
    slices: int


def lyapunov(bar: RandomBar, rng: np.random.Generator, blocks: int = 32) -> Exponents:
    """Return the m non-negative exponents.

    Parameters
    ----------
    bar: `bar.length` slices are shared by the blocks. rng: draws the slices. blocks: independent bars, at least 2.

    Raises
    ------
    InputError: fewer than two blocks, or too few slices for each.
    """
    m = len(bar.transverse)
    if blocks < 2:
        raise InputError(f"blocks = {blocks}: a statistical error needs at least 2")
    steps = bar.length // blocks
    every = interval(bar)
    rounds, settling = steps // every, max(1, steps // every // 10)
    if rounds < 10:
        raise InputError(f"length = {bar.length}: {blocks} blocks of at least {10 * every} slices are needed")
    base = bar.energy * np.eye(m) - bar.transverse
    now = np.broadcast_to(np.eye(m), (blocks, m, m)).copy()  # (block, site, column)
    before = np.zeros_like(now)
    sums = np.zeros((blocks, m))
    for turn in range(settling + rounds):
        potentials = bar.potential(rng, blocks * every).reshape(every, blocks, m, 1)
        for potential in potentials:
            now, before = base @ now - potential * now - before, now
        frame, factor = np.linalg.qr(np.concatenate([now, before], axis=1))
        now, before = frame[:, :m], frame[:, m:]
        if turn >= settling:
            sums += np.log(np.abs(np.diagonal(factor, axis1=1, axis2=2)))
    rates = sums / (rounds * every)
    order = np.argsort(-rates.mean(axis=0))
    return Exponents(
        rates.mean(axis=0)[order], rates.std(axis=0, ddof=1)[order] / math.sqrt(blocks), blocks * rounds * every
    )


def interval(bar: RandomBar) -> int:
    """Return how many slices may pass between two QRs: the columns grow apart by (|E| + |H|)^2 a slice at most."""
    sample = bar.potential(np.random.default_rng(0), 64)
    strength = abs(bar.energy) + float(np.abs(bar.transverse).sum(axis=0).max()) + float(np.abs(sample).mean()) + 1
    return int(np.clip(math.log(COLUMN_GROWTH) / (2 * math.log(strength)), 1, 16))
