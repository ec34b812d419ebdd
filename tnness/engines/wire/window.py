"""The integral over the window of the bias and its error, by one of three rules.

`poles` takes a few Legendre nodes and corrects their error for each resonance in closed form. A panel next to a
threshold is cut into smaller and smaller ones towards it; the last one, which touches it, is integrated by plain nodes.
`legendre` takes plain nodes and halves panels until the two halves agree with the whole. It can miss a resonance that
is narrower than the distance of the nodes; the error estimate misses it too. `auto` takes `poles` for a real chain with
not too many resonances, and `legendre` otherwise.
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
from tnness.engines.wire.quadrature import LegendreRule, Panel, energy_panels
from tnness.errors import InputError
from tnness.problems.transfer import TransferChain

RULES = ("auto", "poles", "legendre")
LEAST_REACH = 1.2
"""A panel is deflated only if the self-energies are analytic within this many half widths of its centre."""
MARGIN = 0.8
"""Resonances are searched within this fraction of the distance to the nearest threshold."""
REFINED = 0.03
"""A pole is refined if its linearised self-energy costs more than this fraction of the tolerance."""
MOST_NODES = 32
"""Largest number of nodes of a deflated panel; panels next to a threshold, whose rim is near, need so many."""
LARGEST_PANEL = 1000
"""Most nodes of a panel that can be asked for: they are the eigenvalues of a matrix of this size."""
NEAR_NODE = 1e-3
"""A resonance nearer to a node than this, in half widths, loses too many digits in their difference."""
GRADING = 4.0
"""A graded panel ends GRADING times as far from the threshold as it begins: its rim is then at 4/3 half widths."""
GRADED = 4
"""Number of panels cut off towards a threshold."""
FEW_POLES = 40.0
"""Expected number of resonances beyond which one more node is cheaper than a larger radius."""
NEAR = 2.0
"""Half widths within which resonances are deflated however many they are."""
MOST_POLES = 600
"""Expected number of resonances above which plain nodes are cheaper."""


@dataclass(frozen=True, kw_only=True)
class Quadrature:
    """The settings of an energy integral.

    nodes: initial number of Legendre nodes of a panel. reach: largest radius, in half widths of the panel, within which
    resonances are deflated. tolerance: requested relative error. most: number of energies after which panels are
    not halved any more.
    """

    nodes: int = 8
    reach: float = 12.0
    tolerance: float = 1e-6
    most: int = 4096

    def __post_init__(self) -> None:
        if not 2 <= self.nodes <= LARGEST_PANEL:
            raise InputError(f"nodes = {self.nodes}: a panel has 2 to {LARGEST_PANEL}")
        if not self.reach >= LEAST_REACH:
            raise InputError(f"reach = {self.reach:g}: at least {LEAST_REACH:g} half widths are needed")
        if not self.tolerance > 0:
            raise InputError(f"tolerance = {self.tolerance:g}: a number > 0 is needed")


@dataclass(frozen=True, eq=False)
class Integral:
    """The integral over the window.

    coherence: the value. error: the difference of a less accurate value. energies: number of energies at which
    scattering states were computed. poles: number of resonances deflated, NaN if none were searched. plain: share of
    the window integrated by plain nodes.
    """

    coherence: Coherence
    error: Coherence
    energies: int
    poles: float
    plain: float

    @property
    def coarse(self) -> Coherence:
        """The less accurate value."""
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
    InputError: an unknown rule, an empty window, or the rule `poles` for a chain that cannot be deflated.
    """
    if rule not in RULES:
        raise InputError(f"energy_rule = {rule!r} is not one of {', '.join(RULES)}")
    if rule == "poles" and not is_deflatable(chain):
        raise InputError(
            "resonances are deflated in a real chain of one realization between two leads; use energy_rule legendre"
        )
    thresholds = chain.thresholds()
    pieces = energy_panels(start, stop, thresholds)
    if rule != "legendre" and is_deflatable(chain):
        pieces = [piece for panel in pieces for piece in _graded(panel, thresholds, GRADED)]
    integrals = []
    for k, panel in enumerate(pieces):
        report(f"energies {panel.start:g} to {panel.stop:g}", k / len(pieces))
        share = 2 * panel.half / (stop - start)
        tolerance = quadrature.tolerance / (share * len(pieces))  # the errors of the panels add up
        settings = replace(quadrature, tolerance=tolerance)
        reach = min(_reach(chain, panel, quadrature), _free(panel, thresholds)) if is_deflatable(chain) else 0.0
        integral = (
            _deflated(chain, panel, settings, rule, reach, matrix)
            if rule != "legendre" and reach >= LEAST_REACH
            else None
        )
        integrals.append(integral or _halved(chain, panel, settings, share, matrix))
    return reduce(Integral.plus, integrals)


def _graded(panel: Panel, thresholds: np.ndarray, depth: int) -> list[Panel]:
    """Cut the panel so that no piece has a threshold near it, except pieces that touch one."""
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
    """Return the requested radius in half widths, or a smaller one if that would hold many resonances."""
    few = FEW_POLES / max(_expected_poles(chain, panel.half), 1e-300)
    return min(quadrature.reach, max(NEAR, few))


def _free(panel: Panel, thresholds: np.ndarray) -> float:
    """Return the radius, in half widths of the panel, that is free enough of thresholds to search for resonances."""
    return MARGIN * float(np.abs(thresholds - panel.centre).min()) / panel.half


def _deflated(
    chain: TransferChain, panel: Panel, quadrature: Quadrature, rule: str, reach: float, matrix: bool
) -> Integral | None:
    """Return the integral with resonances in closed form; None if plain nodes may do better and `rule` is `auto`."""
    expected = _expected_poles(chain, reach * panel.half)
    if rule == "auto" and expected > MOST_POLES:
        return None
    elimination = Elimination(chain, panel.centre)
    poles = find_poles(chain, panel.centre, reach * panel.half, int(expected), elimination)
    poles = refine(chain, poles, _that_matter(LegendreRule(panel, quadrature.nodes), poles, quadrature.tolerance))
    integral, used, count = None, 0, quadrature.nodes
    while True:
        count = _off_resonance(panel, count, poles)
        value, error = deflated(chain, panel, count, poles, elimination, matrix)
        used += count
        integral = Integral(value, error, used, float(len(poles.values)), 0.0)
        excess = integral.relative_error / quadrature.tolerance
        if excess <= 1 or count >= MOST_NODES:
            return integral if excess <= 1 or rule == "poles" else None
        count = min(MOST_NODES, count + math.ceil(math.log(excess) / (2 * math.acosh(reach))))


def _that_matter(rule: LegendreRule, poles: Poles, tolerance: float) -> NDArray[np.bool_]:
    """Return which poles must be refined: their correction times its relative error is larger than allowed.

    If there are more nodes than the tolerance needs, the poles must be as accurate as the nodes.
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

    While halving, only the weights of the states of either lead on each site are compared: the coherence of many panels
    would not fit in memory.
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
    """A panel, the weights of its two halves, and how far their sum is from the weight of the whole."""

    panel: Panel
    parts: tuple[Real, Real]
    error: float


def _split(chain: TransferChain, panel: Panel, whole: Real, nodes: int) -> _Leaf:
    first, second = (weights_of_leads(chain, half, nodes) for half in panel.halves())
    return _Leaf(panel, (first, second), float(np.linalg.norm(first + second - whole)))


def _relative(error: np.ndarray, value: np.ndarray) -> float:
    size = float(np.linalg.norm(value))
    return float(np.linalg.norm(error)) / size if size else 0.0
