"""Transfer chains solved in one go: linear problems, scattering, energy integrals, Lyapunov exponents, decay.

What is computed is what a model's observables ask of the view; the certificate holds how well it was done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tnness.engines.protocol import Solution
from tnness.engines.wire.decay import Decay
from tnness.engines.wire.views import BarView, DecayView, TransferView
from tnness.engines.wire.window import Quadrature
from tnness.errors import InputError
from tnness.problems.transfer import RandomBar, TransferChain

Report = Callable[[str, float], None]

EXACT = 1e-7
"""Largest residual or violation of unitarity of an answer that is called exact."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Stabilised sweeps along a transfer chain.

    Parameters
    ----------
    nodes: Legendre nodes of an energy panel, to begin with (default 8; with resonances in closed form 3 are enough for
        1e-6). reach: radius, in half widths of the panel, within which resonances are taken in closed form (12).
        tolerance: relative error of energy integrals that is asked for (1e-6). most: energies after which panels are
        not halved any more (4096).
    blocks: independent bars behind the error of a Lyapunov exponent (32).
    """

    nodes: int = 8
    reach: float = 12.0
    tolerance: float = 1e-6
    most: int = 4096
    blocks: int = 32

    name: ClassVar[str] = "transfer"

    def __post_init__(self) -> None:
        _ = self.quadrature
        if self.blocks < 2:
            raise InputError(f"blocks = {self.blocks}: a statistical error needs at least 2")

    @property
    def quadrature(self) -> Quadrature:
        """How energy integrals are done."""
        return Quadrature(nodes=self.nodes, reach=self.reach, tolerance=self.tolerance, most=self.most)

    def solve(
        self,
        problem: Any,
        *,
        initial: Any = None,
        times: Sequence[float] | None = None,
        seed: int = 0,
        report: Report = lambda text, fraction: None,
    ) -> Solution:
        """Return the static answer of a `TransferChain` or `RandomBar`, or its decay at the given times.

        Raises
        ------
        InputError: another problem, an initial state (the chain holds its own source).
        """
        if initial is not None:
            raise InputError("engine 'transfer' takes no initial state: the problem holds its source")
        figures: dict[str, float] = {}
        if isinstance(problem, RandomBar):
            if times is not None:
                raise InputError("a random bar has no time evolution")
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
            bar = BarView(problem, rng, self.blocks, figures)
            return Solution([(math.inf, bar)], figures, lambda: _verdict(figures, self.tolerance))
        if not isinstance(problem, TransferChain):
            raise InputError(f"engine 'transfer' solves a TransferChain, not a {type(problem).__name__}")
        if times is not None:
            return Solution(_decay(problem, times, report), figures, "complete")
        view = TransferView(problem, self.quadrature, figures, report)
        return Solution([(math.inf, view)], figures, lambda: _verdict(figures, self.tolerance))

    def view(self, problem: TransferChain) -> TransferView:
        """Return a view of a chain to ask things of, without a driver or a record."""
        return TransferView(problem, self.quadrature, {}, lambda text, fraction: None)


def _decay(chain: TransferChain, times: Sequence[float], report: Report) -> Iterator[tuple[float, DecayView]]:
    report("modes", 0.0)
    decay = Decay(chain)
    for k, time in enumerate(times):
        report(f"t = {time:g}", k / len(times))
        yield time, DecayView(decay, time)


def _verdict(figures: dict[str, float], tolerance: float) -> str:
    """Return the outcome from the figures of what was asked for."""
    for name in ("linear_residual", "unitarity"):
        if not figures.get(name, 0.0) <= EXACT:
            return f"{name} dominates: the chain is too close to singular for double precision"
    if "statistical" in figures:
        return "complete: the errors are statistical; raise length for smaller ones"
    if "quadrature" not in figures:
        return "exact"
    if not figures["quadrature"] <= tolerance:
        return "quadrature dominates: raise --set reach or --set most"
    return "converged"
