"""Energy integrals through resonances: Gauss-Legendre nodes, and for each pole what the nodes miss of it.

For E on the axis G^+ is the conjugate of G, so that the integrand J(E) = G Gamma G^+ / (2 pi) continues to an analytic
function whose poles are those of G and their conjugates,

    J(E) = sum_i r_i u_i^T / (E - lambda_i) + h.c. + a smooth rest,
    u_i = conj(G(lambda_i^*)) Gamma(lambda_i) r_i / (2 pi),

Gamma being that of the left lead less that of the right one. Nodes integrate the rest; of a pole they miss
K(lambda) = int dE / (E - lambda) - sum_k w_k / (E_k - lambda), which falls off with its distance z from the window, in
half widths, as z^-(2 n + 1) for n nodes. So few poles count, each in closed form however narrow it is:

    int J dE = sum_k w_k J(E_k) + sum_i [ K(lambda_i) r_i u_i^T + h.c. ].

G itself at lambda_i^* is the sum over its poles, and a rest that is interpolated through the nodes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tnness.engines.wire.coherence import Coherence, combined, conjugate_times, read
from tnness.engines.wire.elimination import Elimination
from tnness.engines.wire.poles import Poles
from tnness.engines.wire.quadrature import LegendreRule, Panel
from tnness.engines.wire.scattering import ScatteringStates, scattering_states
from tnness.problems.transfer import TransferChain

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

SAFETY = 2.0
"""Factor on estimated errors, which several poles beyond the radius may exceed together."""


def deflated(
    chain: TransferChain, panel: Panel, count: int, poles: Poles, elimination: Elimination, matrix: bool
) -> tuple[Coherence, Coherence]:
    """Return the contribution of a panel with what the nodes miss of its resonances, and its error.

    The error has three parts. What poles beyond the radius leave: the highest Legendre coefficient of the smooth rest,
    times the ratio of what the nodes miss to that coefficient for a pole at the rim, where it is largest. What the
    interpolation of u_i leaves: its last correction over the radius in half widths, by which each is smaller than the
    one before. And the errors of the poles themselves.

    elimination: at the middle of the panel, which is a node where their number is odd.
    """
    rule = LegendreRule(panel, count)
    poles = poles.radiating()
    parts, rests, states = [], [], None
    for energy in rule.nodes:
        found = scattering_states(chain, energy, states, elimination if energy == panel.centre else None)
        states = found.states
        signs = np.repeat([0.5, -0.5], [found.left_count, found.right_count])
        parts.append(read(chain, states, conjugate_times(states, signs), matrix))
        rests.append(_rest(chain, energy, poles, found, signs))

    partners, doubt = _partners(chain, rule, poles, np.array(rests))
    z, reach = rule.scaled(poles.values), poles.radius / panel.half
    missed = rule.missed(z)
    value = combined([*parts, _resonances(chain, poles, missed * partners, matrix)], [*rule.weights, 1.0])
    rim = rule.missed_per_highest(reach)
    left = rim * rule.highest_of_pole(z) * partners + missed * doubt
    weights = SAFETY * np.append(rim * panel.half * rule.highest, 1.0)
    return value, combined([*parts, _resonances(chain, poles, left, matrix)], weights)


def _rest(chain: TransferChain, energy: float, poles: Poles, found: ScatteringStates, signs: Real) -> Complex:
    """Return G Gamma conj(r_i) / (2 pi) at a node, less the poles of G: (slice, m, pole)."""
    entries = []
    for lead, end in zip(chain.leads, (poles.vectors[0], poles.vectors[-1]), strict=True):
        rate = lead.broadening(energy)
        is_open = rate > 0
        entries.append(end.T @ (lead.modes[:, is_open] * np.sqrt(rate[is_open] / (2 * math.pi))))
    couplings = np.concatenate(entries, axis=1)  # (pole, channel)
    sources = (couplings.conj() * signs).T
    amplitudes = (couplings @ sources) / (energy - poles.values)[:, None]
    return found.states @ sources - poles.vectors @ amplitudes


def _partners(chain: TransferChain, rule: LegendreRule, poles: Poles, rests: Complex) -> tuple[Complex, Complex]:
    """Return the u_i and their errors, (slice, m, pole) both.

    rests: (node, slice, m, pole). Where a pole has a probe next to it, that is one more point of the interpolation.
    """
    z = rule.scaled(poles.values.conj())
    reach = poles.radius / rule.panel.half
    smooth = np.einsum("ik,kxmi->xmi", rule.interpolation(z), rests)
    doubt = rule.last_degree(z) * np.tensordot(rule.highest, rests, axes=1) * np.maximum(1, np.abs(z))
    for i, probe in poles.probes.items():
        at = rule.scaled(probe.energy)
        expected = np.tensordot(rule.interpolation(at), rests[..., i], axes=1)
        correction = (
            (_probed(chain, poles, i, probe) - expected) * rule.node_polynomial(z[i]) / rule.node_polynomial(at)
        )
        smooth[..., i] += correction
        doubt[..., i] = correction * np.abs(at - z[i])
    partners = _through_poles(chain, poles) + smooth.conj()
    return partners, doubt.conj() / reach + poles.errors * partners


def _probed(chain: TransferChain, poles: Poles, which: int, probe: Elimination) -> Complex:
    """Return G Gamma conj(r_i) / (2 pi) at the energy of a probe, less the poles of G: (slice, m)."""
    source = np.zeros((chain.slices, chain.m, 1), complex)
    amplitudes = np.zeros(len(poles.values), complex)
    for lead, place, sign in zip(chain.leads, (0, -1), (0.5, -0.5), strict=True):
        entries = lead.modes.T @ poles.vectors[place, :, which].conj()
        driven = sign / (2 * math.pi) * (lead.modes @ (lead.broadening(probe.energy) * entries))
        source[place, :, 0] += driven
        amplitudes += poles.vectors[place].T @ driven
    return probe.solve(source)[..., 0] - poles.vectors @ (amplitudes / (probe.energy - poles.values))


def _through_poles(chain: TransferChain, poles: Poles) -> Complex:
    """Return what the poles of G give to u_i: sum_j r_j^* (r_j^+ Gamma r_i) / (2 pi (lambda_i - lambda_j^*))."""
    overlap = np.zeros((len(poles.values), len(poles.values)), complex)
    for lead, end, sign in zip(chain.leads, (poles.vectors[0], poles.vectors[-1]), (0.5, -0.5), strict=True):
        entries = lead.modes.T @ end  # (channel, pole)
        overlap += sign / (2 * math.pi) * entries.conj().T @ (lead.broadening(poles.values).T * entries)
    return poles.vectors.conj() @ (overlap / (poles.values - poles.values.conj()[:, None]))


def _resonances(chain: TransferChain, poles: Poles, partners: Complex, matrix: bool) -> Coherence:
    """Return what is kept of conj(M) + M^T for M = sum_i r_i partner_i^T."""
    left = np.concatenate([poles.vectors.conj(), partners], axis=-1)
    right = np.concatenate([partners.conj(), poles.vectors], axis=-1)
    return read(chain, right, left, matrix)
