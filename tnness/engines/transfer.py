"""Transfer chains solved directly: linear problems, scattering, energy integrals, Lyapunov exponents, decay.

The view computes only the quantities that a model's observables ask for; the certificate holds their accuracy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tnness.engines.ask import Ask, Start
from tnness.engines.protocol import Engine, Report, Run
from tnness.engines.registry import register_engine
from tnness.engines.wire.decay import Decay
from tnness.engines.wire.views import BarView, DecayView, TransferView
from tnness.engines.wire.window import Quadrature
from tnness.errors import InputError
from tnness.problems.need import Need
from tnness.problems.transfer import RandomBar, TransferChain
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import COMPLETE, Told
from tnness.stopping.protocol import Rule
from tnness.streams import stream

ACCURATE = 1e-7
"""Largest residual or violation of unitarity of an answer that is called exact."""


@register_engine("transfer")
@dataclass(frozen=True, kw_only=True)
class Transfer(Engine):
    """Settings of the engine, which solves a transfer chain by stabilised sweeps along it.

    Parameters
    ----------
    nodes: initial number of Legendre nodes of an energy panel (default 8; 3 are enough for 1e-6 if resonances are
        integrated in closed form). reach: radius, in half widths of the panel, within which resonances are integrated
        in closed form (12). tolerance: wanted relative error of energy integrals (1e-6). most: number of energies after
        which panels are not halved any more (4096).
    blocks: number of independent bars from which the error of a Lyapunov exponent is estimated (32).
    """

    nodes: int = 8  # Legendre nodes of an energy panel, to begin with
    reach: float = 12.0  # half widths of a panel within which resonances are taken in closed form
    tolerance: float = 1e-6  # relative error of energy integrals
    most: int = 4096  # energies after which panels are not halved any more
    blocks: int = 32  # independent bars behind the error of a Lyapunov exponent

    rehearses = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.quadrature
        if self.blocks < 2:
            raise InputError(f"blocks = {self.blocks}: a statistical error needs at least 2")

    @property
    def quadrature(self) -> Quadrature:
        """The settings of energy integrals."""
        return Quadrature(nodes=self.nodes, reach=self.reach, tolerance=self.tolerance, most=self.most)

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what the blocks of all slices need, or for a decay the modes of the chain."""
        if not isinstance(problem, TransferChain):
            return None
        batch = math.prod(problem.batch)
        if ask.times is None:
            number, what = 2 * problem.slices * problem.m**2, f"{problem.slices} slices of {problem.m} sites"
        else:
            number, what = 2 * problem.slices**2, f"the modes of {problem.slices} slices"
        return Need(8.0 * batch * number, what)

    def begin(self, problem: Any, start: Start) -> StaticRun | DecayRun:
        """Return a run of a `TransferChain` or `RandomBar`. A chain holds its own source.

        Raises
        ------
        InputError: another problem, or an initial state.
        """
        if start.initial.kind != "identity":
            raise InputError("engine 'transfer' takes no initial state: the problem holds its source")
        if isinstance(problem, RandomBar):
            if not start.steady:
                raise InputError("a random bar has no time evolution")
            return StaticRun(BarView(problem, stream(start.seed, "bar"), self.blocks, {}))
        if not isinstance(problem, TransferChain):
            raise InputError(f"engine 'transfer' solves a TransferChain, not a {type(problem).__name__}")
        if start.steady:
            return StaticRun(TransferView(problem, self.quadrature, {}, start.report))
        start.report("modes", 0.0)
        return DecayRun(Decay(problem))

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved. A static run computes its answers again, because its view computes them."""
        run = self.begin(problem, start)
        run.time = float(snapshot.numbers["time"])
        return run

    def rule(self, run: Any, start: Start) -> Rule:
        """Return a stopping rule whose outcome follows from the figures of the computed quantities."""
        if not start.steady:
            return Told(lambda: COMPLETE)
        figures = run.view().figures
        return Told(lambda: _verdict(figures, self.tolerance), lambda: dict(figures))

    def view(self, problem: TransferChain) -> TransferView:
        """Return a view of a chain for direct use, without a driver or a record."""
        return TransferView(problem, self.quadrature, {}, lambda text, fraction: None)


@dataclass
class StaticRun:
    """A run with a static answer: its view computes a quantity when the quantity is asked for."""

    answer: Any
    time: float = 0.0

    def step(self, until: float | None = None) -> Report:
        """Finish the run: the view does the computation."""
        self.time = math.inf
        return Report(self.time, finished=True)

    def view(self) -> Any:
        """Return the view, always the same one."""
        return self.answer

    def save(self) -> Snapshot:
        """Return the time: nothing else is kept."""
        return Snapshot({}, {"time": self.time})


@dataclass
class DecayRun:
    """A run of the decay of a chain's source, from the modes of the chain."""

    decay: Decay
    time: float = 0.0

    def step(self, until: float | None = None) -> Report:
        """Go to a time."""
        assert until is not None
        self.time = until
        return Report(self.time, text=f"t = {until:g}")

    def view(self) -> DecayView:
        """Return a view of the chain at the present time."""
        return DecayView(self.decay, self.time)

    def save(self) -> Snapshot:
        """Return the time: the state follows from the source."""
        return Snapshot({}, {"time": self.time})


def _verdict(figures: dict[str, float], tolerance: float) -> str:
    """Return the outcome from the figures of the computed quantities."""
    for name in ("linear_residual", "unitarity"):
        if not figures.get(name, 0.0) <= ACCURATE:
            return f"{name} dominates: the chain is too close to singular for double precision"
    if "statistical" in figures:
        return "complete: the errors are statistical; raise length for smaller ones"
    if "quadrature" not in figures:
        return "exact"
    if not figures["quadrature"] <= tolerance:
        return "quadrature dominates: raise --set reach or --set most"
    return "converged"
