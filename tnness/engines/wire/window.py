"""The integral over the window of the bias, by the rule that fits, with its error.

`poles`: resonances in closed form, the smooth rest at a few Legendre nodes; its error is what the last Legendre degree
contributes. `legendre`: panels halved until the two halves agree with the whole; a resonance narrower than the
distance of the nodes can be missed, and the error estimate with it. `auto` takes poles where no threshold is near and
resonances are few, and falls back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from tnness.engines.wire.coherence import Coherence, Real, deflated, plain, weights_of_leads, window_poles
from tnness.engines.wire.poles import is_deflatable
from tnness.engines.wire.quadrature import Panel, panels
from tnness.errors import InputError
from tnness.problems.transfer import TransferChain

RULES = ("auto", "poles", "legendre")
LEAST_REACH = 3.0
"""Half widths within which a panel needs analytic self-energies, to be deflated: fewer and the rest is not smooth."""
MOST_POLES = 600
"""Expected number of resonances above which plain nodes are cheaper."""


@dataclass(frozen=True, kw_only=True)
class Quadrature:
    """How an energy integral is done.

    nodes: Legendre nodes of a panel. reach: radius, in half widths of the panel, within which resonances are deflated.
    tolerance: relative error that is asked for. most: energies after which panels are not halved any more.
    """

    nodes: int = 8
    reach: float = 8.0
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

    coherence: the best value. coarse: a worse one; their difference is the error. energies: at which scattering states
    were computed. poles: resonances deflated, NaN where none were looked for.
    """

    coherence: Coherence
    coarse: Coherence
    energies: int
    poles: float

    @property
    def error(self) -> Coherence:
        """Difference of the two values."""
        return self.coherence.plus(self.coarse, -1)

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
            self.coarse.plus(other.coarse),
            self.energies + other.energies,
            float(poles),
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
    InputError: an unknown rule, an empty window, or a window that cannot be deflated where that is demanded.
    """
    if rule not in RULES:
        raise InputError(f"energy_rule = {rule!r} is not one of {', '.join(RULES)}")
    thresholds = chain.thresholds()
    pieces = panels(start, stop, thresholds)
    found = []
    for k, panel in enumerate(pieces):
        report(f"energies {panel.start:g} to {panel.stop:g}", k / len(pieces))
        found.append(_panel(chain, panel, thresholds, quadrature, rule, matrix))
    return reduce(Integral.plus, found)


def _panel(
    chain: TransferChain, panel: Panel, thresholds: np.ndarray, quadrature: Quadrature, rule: str, matrix: bool
) -> Integral:
    reach = _reach(chain, panel, thresholds, quadrature.reach)
    if rule == "poles" and reach < LEAST_REACH:
        raise InputError(
            f"the window from {panel.start:g} to {panel.stop:g} lies next to a threshold or the chain is complex: its "
            "resonances cannot be deflated; use energy_rule legendre"
        )
    expected = _expected_poles(chain, reach * panel.half)
    if rule == "legendre" or reach < LEAST_REACH or (rule == "auto" and expected > MOST_POLES):
        return _halved(chain, panel, quadrature, matrix)
    poles = window_poles(chain, panel, reach, 6 + int(1.5 * expected))
    for nodes in (quadrature.nodes, 2 * quadrature.nodes):
        better, worse = deflated(chain, panel, nodes, poles, matrix)
        found = Integral(better, worse, nodes, float(len(poles.values)))
        if found.relative_error <= quadrature.tolerance:
            return found
    return found if rule == "poles" else _halved(chain, panel, quadrature, matrix)


def _reach(chain: TransferChain, panel: Panel, thresholds: np.ndarray, wanted: float) -> float:
    """Return how many half widths around a panel are free of thresholds, at most `wanted`; 0 for a complex chain."""
    if not is_deflatable(chain):
        return 0.0
    nearest = float(np.abs(thresholds - panel.centre).min()) / panel.half
    return min(wanted, 0.8 * nearest)


def _expected_poles(chain: TransferChain, radius: float) -> float:
    """Return a rough number of levels within a radius: a flat density over the range of the site energies."""
    width = float(np.ptp(np.diagonal(chain.onsite, axis1=-2, axis2=-1))) + 6.0
    return chain.slices * chain.m * 2 * radius / width


def _halved(chain: TransferChain, panel: Panel, quadrature: Quadrature, matrix: bool) -> Integral:
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
    return Integral(fine, coarse, used + 3 * nodes * len(leaves), math.nan)


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
