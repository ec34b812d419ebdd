"""The non-equilibrium part of the correlation matrix between two leads, integrated over the window of the bias.

    G^d_xy = 1/2 int dE sum_n [ phi_L^*(x) phi_L(y) - phi_R^*(x) phi_R(y) ],     |E| < bias / 2, zero temperature.

It is never formed unless asked for. Every rule gives it as F^* Q F^T with few columns F (scattering states at the
nodes, and resonances) and Q diagonal plus what the resonances add; the block between the halves, the densities and the
currents are read from the two factors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from tnness.engines.wire.poles import Poles, find_poles
from tnness.engines.wire.quadrature import LegendreRule, Panel
from tnness.engines.wire.scattering import ScatteringStates, scattering_states
from tnness.problems.transfer import TransferChain

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Coherence:
    """What is kept of G^d.

    halves: (sites left, sites right), the block between the first and the last slices // 2 slices.
    density: (slice, m). current: (bond,). matrix: (slice m, slice m), where asked for.
    """

    halves: Complex
    density: Real
    current: Real
    matrix: Complex | None = None

    @property
    def mutual_coherence(self) -> float:
        """C_d = 2 sum |G^d_xy|^2 over x in the left and y in the right half."""
        return 2 * float(np.vdot(self.halves, self.halves).real)

    def plus(self, other: Coherence, sign: float = 1.0) -> Coherence:
        """Return the sum, or the difference."""
        matrix = None
        if self.matrix is not None and other.matrix is not None:
            matrix = self.matrix + sign * other.matrix
        return Coherence(
            self.halves + sign * other.halves,
            self.density + sign * other.density,
            self.current + sign * other.current,
            matrix,
        )


def plain(chain: TransferChain, panel: Panel, nodes: int, matrix: bool) -> Coherence:
    """Return the contribution of a panel by Gauss-Legendre nodes, added up one by one."""

    def parts() -> Iterator[Coherence]:
        for weight, found in _states(chain, panel, nodes):
            signs = np.repeat([0.5 * weight, -0.5 * weight], [found.left_count, found.right_count])
            yield _read(chain, found.states, found.states.conj() * signs, matrix)

    return reduce(Coherence.plus, parts())


def weights_of_leads(chain: TransferChain, panel: Panel, nodes: int) -> Real:
    """Return int dE sum_n |phi_n(x)|^2 of a panel for the states of either lead: (lead, slice, m).

    Positive numbers, much cheaper than the coherence, in which every resonance shows.
    """
    total = np.zeros((2, chain.slices, chain.m))
    for weight, found in _states(chain, panel, nodes):
        for k, states in enumerate((found.left, found.right)):
            total[k] += weight * (np.sum(states.real**2, axis=-1) + np.sum(states.imag**2, axis=-1))
    return total


def _states(chain: TransferChain, panel: Panel, nodes: int) -> Iterator[tuple[float, ScatteringStates]]:
    """Yield weight and states of every node; the states' memory is used again for the next."""
    states = None
    for energy, weight in zip(*panel.rule(nodes), strict=True):
        found = scattering_states(chain, energy, states)
        states = found.states
        yield weight, found


def deflated(chain: TransferChain, panel: Panel, nodes: int, poles: Poles, matrix: bool) -> tuple[Coherence, Coherence]:
    """Return the contribution of a panel with its resonances integrated in closed form, and one from a degree less.

    The smooth rest is integrated as a Legendre series, whose degrees are orthogonal. The second value leaves out the
    last degree: their difference is more than the error of the first as long as the series converges.
    """
    rule = LegendreRule(panel, nodes)
    smooth, couplings, counts = _smooth_rest(chain, rule, poles)
    outer, inner = _pole_weights(rule, poles, couplings, counts)
    series = np.tensordot(rule.transform, smooth, axes=1)  # (degree, slice, m, channel)
    outer = np.einsum("ikn,kl->iln", outer, rule.basis)
    diagonal = rule.degree_weights[:, None] * 0.5 * np.repeat([1.0, -1.0], counts)  # (degree, channel)
    first, last = slice(nodes - 1), slice(nodes - 1, nodes)
    coarse = _assemble(chain, series[first], diagonal[first], outer[:, first], poles, inner, matrix)
    rest = _assemble(chain, series[last], diagonal[last], outer[:, last], poles, np.zeros_like(inner), matrix)
    return coarse.plus(rest), coarse


def _smooth_rest(chain: TransferChain, rule: LegendreRule, poles: Poles) -> tuple[Complex, Complex, tuple[int, int]]:
    """Return phi - sum_i r_i b_i / (E - lambda_i) at the nodes, b_i,n(E_k), and the channels of the two leads.

    smooth: (node, slice, m, channel). couplings: (node, pole, channel).
    """
    smooth, couplings, counts = [], [], (0, 0)
    for energy in rule.nodes:
        found = scattering_states(chain, energy)
        counts = (found.left_count, found.right_count)
        entries = []
        for lead, end in zip(chain.leads, (poles.vectors[0], poles.vectors[-1]), strict=True):
            rate = lead.broadening(energy)
            is_open = rate > 0
            entries.append(end.T @ (lead.modes[:, is_open] * np.sqrt(rate[is_open] / (2 * math.pi))))
        coupling = np.concatenate(entries, axis=1)  # (pole, channel)
        amplitude = coupling / (energy - poles.values)[:, None]
        smooth.append(found.states - poles.vectors @ amplitude)
        couplings.append(coupling)
    return np.array(smooth), np.array(couplings), counts


def _pole_weights(
    rule: LegendreRule, poles: Poles, couplings: Complex, counts: tuple[int, int]
) -> tuple[Complex, Complex]:
    """Return the weights of r_i^* phi_n(E_k) (pole, node, channel) and of r_i^* r_j (pole, pole)."""
    signs = 0.5 * np.repeat([1.0, -1.0], counts)
    conjugate = rule.pole_weights(poles.values.conj())  # W_k(lambda_i^*)
    outer = conjugate[:, :, None] * couplings.conj().transpose(1, 0, 2) * signs
    overlap = np.einsum("kin,n,kjn->kij", couplings.conj(), signs, couplings, optimize=True)
    difference = poles.values.conj()[:, None] - poles.values
    weights = conjugate[:, None, :] - rule.pole_weights(poles.values)[None, :, :]  # (i, j, node)
    inner = np.einsum("kij,ijk->ij", overlap, weights)
    inner = np.divide(inner, difference, out=np.zeros_like(inner), where=difference != 0)  # a bound level has no width
    return outer, inner


def _assemble(
    chain: TransferChain,
    series: Complex,
    diagonal: Real,
    outer: Complex,
    poles: Poles,
    inner: Complex,
    matrix: bool,
) -> Coherence:
    """Return F^* Q F^T for F = (smooth rest, resonances).

    series: (degree, slice, m, channel). diagonal: (degree, channel), Q of the smooth rest with itself. outer: (pole,
    degree, channel), Q of resonances with it. inner: (pole, pole).
    """
    degrees, slices, m, channels = series.shape
    flat = np.ascontiguousarray(series.transpose(1, 2, 0, 3)).reshape(slices, m, degrees * channels)
    mixed = outer.reshape(len(poles.values), degrees * channels)
    conjugate = poles.vectors.conj()
    left = np.concatenate(
        [
            flat.conj() * diagonal.ravel() + conjugate @ mixed,
            (flat @ mixed.T).conj() + conjugate @ inner,
        ],
        axis=-1,
    )
    return _read(chain, np.concatenate([flat, poles.vectors], axis=-1), left, matrix)


def _read(chain: TransferChain, right: Complex, left: Complex, matrix: bool) -> Coherence:
    """Read what is kept from G = left right^T, both (slice, m, column)."""
    slices, m, columns = right.shape
    half = slices // 2
    block = left[:half].reshape(half * m, columns) @ right[slices - half :].reshape(half * m, columns).T
    current = np.array(
        [-2 * np.sum(left[x] * chain.couple(x, right[x + 1])).imag for x in range(slices - 1)], dtype=float
    )
    density = np.sum(left * right, axis=-1).real
    whole = left.reshape(-1, columns) @ right.reshape(-1, columns).T if matrix else None
    return Coherence(block, density, current, whole)


def window_poles(chain: TransferChain, panel: Panel, reach: float, guess: int) -> Poles:
    """Return the poles within `reach` half widths of a panel, refined where they are close to it."""
    return find_poles(chain, panel.centre, reach * panel.half, 3 * panel.half, guess)
