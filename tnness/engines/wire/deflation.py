"""Energy integrals across resonances: Gauss-Legendre nodes, and their error for each pole in closed form.

For E on the axis G^+ is the conjugate of G, so that the integrand J(E) = G Gamma G^+ / (2 pi) continues to an analytic
function whose poles are those of G and their conjugates,

    J(E) = sum_i r_i u_i^T / (E - lambda_i) + h.c. + a smooth rest,
    u_i = conj(G(lambda_i^*)) Gamma(lambda_i) r_i / (2 pi),

where Gamma is that of the left lead minus that of the right one. The nodes integrate the smooth rest. For a pole they
have the error K(lambda) = int dE / (E - lambda) - sum_k w_k / (E_k - lambda). It falls off as z^-(2 n + 1) for n nodes,
z being the distance of the pole from the middle of the window in half widths. So only few poles count, and each is
corrected in closed form however narrow it is:

    int J dE = sum_k w_k J(E_k) + sum_i [ K(lambda_i) r_i u_i^T + h.c. ].

G at lambda_i^* is the sum over its poles plus a smooth rest, which is interpolated through the nodes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tnness.engines.wire.coherence import Coherence, coherence_of, combined, conjugate_times
from tnness.engines.wire.elimination import Elimination
from tnness.engines.wire.poles import Poles
from tnness.engines.wire.quadrature import LegendreRule, Panel
from tnness.engines.wire.scattering import ScatteringStates, scattering_states
from tnness.problems.transfer import TransferChain

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

ERROR_FACTOR = 2.0
"""Factor on estimated errors: several poles beyond the radius together may exceed the estimate."""


def deflated(
    chain: TransferChain, panel: Panel, count: int, poles: Poles, elimination: Elimination, matrix: bool
) -> tuple[Coherence, Coherence]:
    """Return the integral over a panel, corrected for its resonances, and its error.

    The error has three parts. The first comes from poles beyond the radius: the highest Legendre coefficient of the
    smooth rest, times the ratio of the nodes' error to that coefficient for a pole at the rim, where it is largest. The
    second comes from the interpolation of u_i: its last correction, divided by the radius in half widths, since each
    correction is smaller than the one before by this factor. The third are the errors of the poles themselves.

    elimination: the chain eliminated at the middle of the panel, which is a node if `count` is odd.
    """
    rule = LegendreRule(panel, count)
    poles = poles.radiating()
    parts, rests, states = [], [], None
    for energy in rule.nodes:
        scattering = scattering_states(chain, energy, states, elimination if energy == panel.centre else None)
        states = scattering.states
        signs = np.repeat([0.5, -0.5], [scattering.left_count, scattering.right_count])
        parts.append(coherence_of(chain, states, conjugate_times(states, signs), matrix))
        rests.append(_rest(chain, energy, poles, scattering, signs))

    partners, doubt = _partners(chain, rule, poles, np.array(rests))
    z, reach = rule.scaled(poles.values), poles.radius / panel.half
    missed = rule.missed(z)
    value = combined([*parts, _resonances(chain, poles, missed * partners, matrix)], [*rule.weights, 1.0])
    rim = rule.missed_per_highest(reach)
    left = rim * rule.highest_of_pole(z) * partners + missed * doubt
    weights = ERROR_FACTOR * np.append(rim * panel.half * rule.highest, 1.0)
    return value, combined([*parts, _resonances(chain, poles, left, matrix)], weights)


def _rest(chain: TransferChain, energy: float, poles: Poles, scattering: ScatteringStates, signs: Real) -> Complex:
    """Return G Gamma conj(r_i) / (2 pi) at a node, minus the poles of G: (slice, m, pole)."""
    entries = []
    for lead, end in zip(chain.leads, (poles.vectors[0], poles.vectors[-1]), strict=True):
        rate = lead.broadening(energy)
        is_open = rate > 0
        entries.append(end.T @ (lead.modes[:, is_open] * np.sqrt(rate[is_open] / (2 * math.pi))))
    couplings = np.concatenate(entries, axis=1)  # (pole, channel)
    sources = (couplings.conj() * signs).T
    amplitudes = (couplings @ sources) / (energy - poles.values)[:, None]
    return scattering.states @ sources - poles.vectors @ amplitudes


def _partners(chain: TransferChain, rule: LegendreRule, poles: Poles, rests: Complex) -> tuple[Complex, Complex]:
    """Return the u_i and their errors, (slice, m, pole) both.

    rests: smooth rests at the nodes, (node, slice, m, pole). A probe next to a pole is one more interpolation point.
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
    """Return G Gamma conj(r_i) / (2 pi) at the energy of a probe, minus the poles of G: (slice, m)."""
    source = np.zeros((chain.slices, chain.m, 1), complex)
    amplitudes = np.zeros(len(poles.values), complex)
    for lead, place, sign in zip(chain.leads, (0, -1), (0.5, -0.5), strict=True):
        entries = lead.modes.T @ poles.vectors[place, :, which].conj()
        driven = sign / (2 * math.pi) * (lead.modes @ (lead.broadening(probe.energy) * entries))
        source[place, :, 0] += driven
        amplitudes += poles.vectors[place].T @ driven
    return probe.solve(source)[..., 0] - poles.vectors @ (amplitudes / (probe.energy - poles.values))


def _through_poles(chain: TransferChain, poles: Poles) -> Complex:
    """Return the part of u_i from the poles of G: sum_j r_j^* (r_j^+ Gamma r_i) / (2 pi (lambda_i - lambda_j^*))."""
    overlap = np.zeros((len(poles.values), len(poles.values)), complex)
    for lead, end, sign in zip(chain.leads, (poles.vectors[0], poles.vectors[-1]), (0.5, -0.5), strict=True):
        entries = lead.modes.T @ end  # (channel, pole)
        overlap += sign / (2 * math.pi) * entries.conj().T @ (lead.broadening(poles.values).T * entries)
    return poles.vectors.conj() @ (overlap / (poles.values - poles.values.conj()[:, None]))


def _resonances(chain: TransferChain, poles: Poles, partners: Complex, matrix: bool) -> Coherence:
    """Return the `Coherence` of conj(M) + M^T for M = sum_i r_i partner_i^T."""
    left = np.concatenate([poles.vectors.conj(), partners], axis=-1)
    right = np.concatenate([partners.conj(), poles.vectors], axis=-1)
    return coherence_of(chain, right, left, matrix)
