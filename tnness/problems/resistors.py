"""Resistor networks on a line or a square lattice as transfer chains: a slice is a column of islands.

Kirchhoff's law holds on every island, with conductances G along the chain and within a slice, a sink s and a source q,

    sum_links G (u_i - u_j) + s_i u_i = q_i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc, erfcinv

from tnness.errors import InputError
from tnness.problems.transfer import FixedValues, TransferChain

Real = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Links:
    """The law of the links: lengths l >= a, p(l) ~ exp(-(l / xi)^d), xi = a / alpha, and a conductance for each.

        G(l) = eps kappa / l^(2 - d) + gamma exp(-l / a)

    Parameters
    ----------
    alpha: a / xi. dim: d, 1 or 2. a: shortest length. kappa: conductance induced by the coupling, over eps. gamma:
        conductance of an insulating link of length 0.
    """

    alpha: float
    dim: int = 1
    a: float = 1.0
    kappa: float = 1.0
    gamma: float = 5.0

    def __post_init__(self) -> None:
        if self.dim not in (1, 2):
            raise InputError(f"dim = {self.dim}: a network has 1 or 2 dimensions")
        for name in ("alpha", "a", "gamma"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name} = {getattr(self, name):g}: a number > 0 is needed")
        if not (np.isfinite(self.kappa) and self.kappa >= 0):
            raise InputError(f"kappa = {self.kappa:g}: a number >= 0 is needed")

    def draw(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> Real:
        """Return link lengths: a + xi Exp(1) in one dimension, xi erfcinv(u erfc(a / xi)) in two."""
        xi = self.a / self.alpha
        if self.dim == 1:
            return self.a + xi * rng.exponential(size=shape)
        return xi * erfcinv((1 - rng.random(shape)) * erfc(self.alpha))

    def conductance(self, lengths: ArrayLike, eps: ArrayLike) -> Real:
        """Return G(l)."""
        lengths = np.asarray(lengths, dtype=float)
        return np.asarray(eps) * self.kappa / lengths ** (2 - self.dim) + self.gamma * np.exp(-lengths / self.a)


def resistor_chain(
    along: Real,
    across: Real | None = None,
    *,
    sinks: ArrayLike = 0.0,
    sources: ArrayLike = 0.0,
    left: tuple[ArrayLike, Real] | None = None,
    right: tuple[ArrayLike, Real] | None = None,
) -> TransferChain:
    """Return the network as a chain: one equation per island.

    Parameters
    ----------
    along: (..., slice - 1, m), conductances between slices. across: (..., slice, m - 1), within them; None for m = 1.
    sinks, sources: broadcast to (..., slice, m).
    left, right: (values, conductances) of an edge held at values, both broadcast to (..., m); None for an open edge.

    Raises
    ------
    InputError: shapes that do not fit, or a conductance that is negative or not finite.
    """
    slices, m = along.shape[-2] + 1, along.shape[-1]
    diagonal = np.zeros((*along.shape[:-2], slices, m))
    diagonal[..., :-1, :] += along
    diagonal[..., 1:, :] += along
    ends = []
    for edge, place in ((left, 0), (right, -1)):
        if edge is None:
            ends.append(None)
            continue
        values, conductances = np.asarray(edge[0], dtype=float), np.asarray(edge[1], dtype=float)
        diagonal[..., place, :] += conductances
        ends.append(FixedValues(np.broadcast_to(values, np.broadcast_shapes(values.shape, (m,))), -conductances))
    if across is not None and across.shape[-2:] != (slices, m - 1):
        raise InputError(f"across must have shape (..., {slices}, {m - 1}), but has shape {across.shape}")
    for conductances in (along, across, *(edge[1] for edge in (left, right) if edge is not None)):
        if conductances is not None and not (np.isfinite(conductances).all() and np.min(conductances, initial=0) >= 0):
            raise InputError("a conductance of the network is negative or not finite")
    diagonal = diagonal + np.asarray(sinks, dtype=float)
    onsite = np.zeros((*diagonal.shape, m))
    sites = np.arange(m)
    if across is not None and m > 1:
        diagonal[..., :-1] += across
        diagonal[..., 1:] += across
        onsite[..., sites[:-1], sites[1:]] = -across
        onsite[..., sites[1:], sites[:-1]] = -across
    onsite[..., sites, sites] = diagonal
    source = np.broadcast_to(np.asarray(sources, dtype=float), diagonal.shape)
    coupling = np.broadcast_to(-along, (*diagonal.shape[:-2], slices - 1, m))
    return TransferChain(onsite, coupling, *ends, source=source)
