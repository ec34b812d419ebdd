"""The integral over the window of the bias, by the rule that fits, with its error.

`poles`: a few Legendre nodes, and in closed form what they miss of the resonances; panels next to a threshold are cut
into ever smaller ones towards it, and one that is left touching it is integrated by plain nodes. `legendre`: plain
nodes, panels halved until the two halves agree with the whole; a resonance narrower than the distance of the nodes can
be missed, and the error estimate with it. `auto` takes poles where the chain is real and resonances are not too many,
and falls back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from tnness.engines.wire.coherence import Coherence, Real, plain, weights_of_leads
from tnness.engines.wire.deflation import deflated
from tnness.engines.wire.elimination import Elimination
from tnness.engines.wire.poles import Poles, find_poles, is_deflatable, refine
from tnness.engines.wire.quadrature import LegendreRule, Panel, panels
from tnness.errors import InputError
from tnness.problems.transfer import TransferChain

RULES = ("auto", "poles", "legendre")
LEAST_REACH = 1.2
"""Half widths within which a panel needs analytic self-energies, to be deflated."""
MARGIN = 0.8
"""Part of the distance from the nearest threshold within which resonances are looked for."""
REFINED = 0.03
"""Part of the tolerance that a pole with a linearised self-energy may cost; others are refined."""
MOST_NODES = 32
"""Largest number of nodes where resonances are deflated: of panels next to a threshold, whose rim is near."""
NEAR_NODE = 1e-3
"""Half widths between a node and a resonance below which their difference loses too many digits."""
GRADING = 4.0
"""Ratio of the distances from a threshold between which a panel is deflated: its rim is at 4/3 half widths."""
GRADED = 4
"""Panels cut off towards a threshold."""
FEW_POLES = 40.0
"""Expected number of resonances beyond which one more node is cheaper than a larger radius."""
NEAR = 2.0
"""Half widths within which resonances are deflated however many they are."""
MOST_POLES = 600
"""Expected number of resonances above which plain nodes are cheaper."""


@dataclass(frozen=True, kw_only=True)
class Quadrature:
    """How an energy integral is done.

    nodes: Legendre nodes of a panel, to begin with. reach: largest radius, in half widths of the panel, within which
    resonances are deflated. tolerance: relative error that is asked for. most: energies after which panels are not
    halved any more.
    """

    nodes: int = 8
    reach: float = 12.0
    tolerance: float = 1e-6
    most: int = 4096

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise InputError(f"nodes = {self.nodes}: a panel has at least 2")
        if not self.reach >= LEAST_REACH:
            raise InputError(f"reach = {self.reach:g}: at least {LEAST_REACH:g} half widths are needed")
        if not self.tolerance > 0:
            raise InputError(f"tolerance = {self.tolerance:g}: a number > 0 is needed")


@dataclass(frozen=True, eq=False)
class Integral:
    """The integral over the window.

    coherence: the value. error: by how much a worse one differs. energies: at which scattering states were computed.
    poles: resonances deflated, NaN where none were looked for. plain: share of the window integrated by plain nodes.
    """

    coherence: Coherence
    error: Coherence
    energies: int
    poles: float
    plain: float

    @property
    def coarse(self) -> Coherence:
        """The worse value."""
        return self.coherence.plus(self.error)

    @property
    def relative_error(self) -> float:
        """|G - G'| / |G| of the block between the halves, or of the densities where there is no such block."""
        error = self.error
        if self.coherence.halves.size:
            return _relative(error.halves, self.coherence.halves)
        return _relative(error.density, self.coherence.density)

    def plus(self, other: Integral) -> Integral:
        """Return the integral over both windows."""
        poles = self.poles if math.isnan(other.poles) else other.poles + np.nan_to_num(self.poles)
        return Integral(
            self.coherence.plus(other.coherence),
            self.error.plus(other.error),
            self.energies + other.energies,
            float(poles),
            self.plain + other.plain,
        )


def integrate(
    chain: TransferChain,
    start: float,
    stop: float,
    quadrature: Quadrature,
    rule: str = "auto",
    matrix: bool = False,
    report: Callable[[str, float], None] = lambda text, fraction: None,
) -> Integral:
    """Return the integral over start < E < stop, cut at the thresholds inside.

    Raises
    ------
    InputError: an unknown rule, an empty window, or a chain that cannot be deflated where that is demanded.
    """
    if rule not in RULES:
        raise InputError(f"energy_rule = {rule!r} is not one of {', '.join(RULES)}")
    if rule == "poles" and not is_deflatable(chain):
        raise InputError(
            "resonances are deflated in a real chain of one realisation between two leads; use energy_rule legendre"
        )
    thresholds = chain.thresholds()
    pieces = panels(start, stop, thresholds)
    if rule != "legendre" and is_deflatable(chain):
        pieces = [piece for panel in pieces for piece in _graded(panel, thresholds, GRADED)]
    found = []
    for k, panel in enumerate(pieces):
        report(f"energies {panel.start:g} to {panel.stop:g}", k / len(pieces))
        share = 2 * panel.half / (stop - start)
        own = replace(quadrature, tolerance=quadrature.tolerance / (share * len(pieces)))  # errors add up to the whole
        reach = min(_reach(chain, panel, quadrature), _free(panel, thresholds)) if is_deflatable(chain) else 0.0
        one = _deflated(chain, panel, own, rule, reach, matrix) if rule != "legendre" and reach >= LEAST_REACH else None
        found.append(one or _halved(chain, panel, own, share, matrix))
    return reduce(Integral.plus, found)


def _graded(panel: Panel, thresholds: np.ndarray, depth: int) -> list[Panel]:
    """Return the panel cut so that each piece is free of thresholds around it, but those that touch one."""
    if _free(panel, thresholds) >= LEAST_REACH or (depth == 0 and (panel.root_start or panel.root_stop)):
        return [panel]
    if panel.root_start and panel.root_stop:
        first, second = panel.halves()
        return [*_graded(first, thresholds, depth), *_graded(second, thresholds, depth)]
    threshold = thresholds[np.argmin(np.abs(thresholds - panel.centre))]
    if threshold <= panel.start:
        cut = threshold + (panel.stop - threshold) / GRADING
        inner = Panel(panel.start, cut, root_start=panel.root_start)
        return [*_graded(inner, thresholds, depth - 1), *_graded(Panel(cut, panel.stop), thresholds, depth)]
    cut = threshold - (threshold - panel.start) / GRADING
    inner = Panel(cut, panel.stop, root_stop=panel.root_stop)
    return [*_graded(Panel(panel.start, cut), thresholds, depth), *_graded(inner, thresholds, depth - 1)]


def _reach(chain: TransferChain, panel: Panel, quadrature: Quadrature) -> float:
    """Return the radius that is asked for, in half widths, or less where it would hold many resonances."""
    few = FEW_POLES / max(_expected_poles(chain, panel.half), 1e-300)
    return min(quadrature.reach, max(NEAR, few))


def _free(panel: Panel, thresholds: np.ndarray) -> float:
    """Return within how many half widths around a panel resonances can be looked for: there is no threshold near."""
    return MARGIN * float(np.abs(thresholds - panel.centre).min()) / panel.half


def _deflated(
    chain: TransferChain, panel: Panel, quadrature: Quadrature, rule: str, reach: float, matrix: bool
) -> Integral | None:
    """Return the integral with resonances in closed form; None where plain nodes may do better, if the rule allows."""
    expected = _expected_poles(chain, reach * panel.half)
    if rule == "auto" and expected > MOST_POLES:
        return None
    elimination = Elimination(chain, panel.centre)
    poles = find_poles(chain, panel.centre, reach * panel.half, int(expected), elimination)
    poles = refine(chain, poles, _that_matter(LegendreRule(panel, quadrature.nodes), poles, quadrature.tolerance))
    found, used, count = None, 0, quadrature.nodes
    while True:
        count = _off_resonance(panel, count, poles)
        value, error = deflated(chain, panel, count, poles, elimination, matrix)
        used += count
        found = Integral(value, error, used, float(len(poles.values)), 0.0)
        excess = found.relative_error / quadrature.tolerance
        if excess <= 1 or count >= MOST_NODES:
            return found if excess <= 1 or rule == "poles" else None
        count = min(MOST_NODES, count + math.ceil(math.log(excess) / (2 * math.acosh(reach))))


def _that_matter(rule: LegendreRule, poles: Poles, tolerance: float) -> NDArray[np.bool_]:
    """Return which poles must be refined: what the nodes miss of them, times the error it is known with.

    More nodes than the tolerance needs ask for better poles too.
    """
    reach = poles.radius / rule.panel.half
    interpolation = math.exp(-rule.count * math.acosh(reach))
    cost = np.abs(rule.missed(rule.scaled(poles.values))) / (2 * math.pi) * np.maximum(poles.errors, interpolation)
    allowed = min(REFINED * tolerance, max(reach * float(np.abs(rule.missed(reach))), 1e-3 * REFINED * tolerance))
    return (cost > allowed) & (poles.values.imag < 0)


def _off_resonance(panel: Panel, count: int, poles: Poles) -> int:
    """Return a number of nodes, from `count` on, for which no node lies on a resonance."""
    for more in range(3):
        nodes = LegendreRule(panel, count + more).nodes
        if np.abs(nodes[:, None] - poles.values).min(initial=math.inf) > NEAR_NODE * panel.half:
            return count + more
    return count


def _expected_poles(chain: TransferChain, radius: float) -> float:
    """Return a rough number of levels within a radius: a flat density over the range of the site energies."""
    width = float(np.ptp(np.diagonal(chain.onsite, axis1=-2, axis2=-1))) + 6.0
    return chain.slices * chain.m * 2 * radius / width


def _halved(chain: TransferChain, panel: Panel, quadrature: Quadrature, share: float, matrix: bool) -> Integral:
    """Halve panels, worst first, until halves and wholes agree; then integrate over the halves, and over the wholes.

    What is compared while halving is how much weight the states of either lead have on each site: the coherence of many
    panels would not fit in memory.
    """
    nodes = quadrature.nodes
    leaves = [_split(chain, panel, weights_of_leads(chain, panel, nodes), nodes)]
    used = 3 * nodes
    while True:
        errors = [leaf.error for leaf in leaves]
        size = np.linalg.norm(np.sum([part for leaf in leaves for part in leaf.parts], axis=0))
        if sum(errors) <= quadrature.tolerance * size or used + 4 * nodes > quadrature.most:
            break
        worst = leaves.pop(int(np.argmax(errors)))
        halves = zip(worst.panel.halves(), worst.parts, strict=True)
        leaves += [_split(chain, half, part, nodes) for half, part in halves]
        used += 4 * nodes
    fine = reduce(
        Coherence.plus, (plain(chain, half, nodes, matrix) for leaf in leaves for half in leaf.panel.halves())
    )
    coarse = reduce(Coherence.plus, (plain(chain, leaf.panel, nodes, matrix) for leaf in leaves))
    return Integral(fine, coarse.plus(fine, -1), used + 3 * nodes * len(leaves), math.nan, share)


@dataclass(frozen=True, eq=False)
class _Leaf:
    """A panel, the weights of its two halves, and how far their sum is from that of the whole."""

    panel: Panel
    parts: tuple[Real, Real]
    error: float


def _split(chain: TransferChain, panel: Panel, whole: Real, nodes: int) -> _Leaf:
    first, second = (weights_of_leads(chain, half, nodes) for half in panel.halves())
    return _Leaf(panel, (first, second), float(np.linalg.norm(first + second - whole)))


def _relative(error: np.ndarray, value: np.ndarray) -> float:
    size = float(np.linalg.norm(value))
    return float(np.linalg.norm(error)) / size if size else 0.0
