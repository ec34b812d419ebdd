r"""Counting statistics of long chains: the leading eigenvector of a tilted generator as a matrix-product state.

At each field the state evolves, by Trotter gates and without regard to its trace, until theta = <1|G_lambda|P> / <1|P>
is settled, or jitters without a drift: first at half the bond dimension, then at the whole, then with half the time
step. The differences of these stages are the errors by truncation and by the time step. Each field begins with the
state of the one before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Start
from tnness.engines.beyond.counting import CountingTable, CountingView
from tnness.engines.beyond.question import Answerer, answers
from tnness.engines.protocol import Report
from tnness.errors import InputError, NumericalError
from tnness.network.chain_state import ChainState
from tnness.network.difference import neighbour_marginals
from tnness.network.initial import identity_state
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation
from tnness.problems.tilted import TiltedGenerator, tilted
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import Told
from tnness.stopping.discretisation import Stage
from tnness.stopping.protocol import Rule
from tnness.streams import stream

Array = NDArray[Any]

SAMPLED = 2
"""Trotter steps between two measurements of theta."""
FEWEST_SAMPLES = 12
"""Measurements of a stage at least."""
FADING = 0.5
"""Largest ratio of the changes of theta in two thirds of a stage that counts as settling."""
FEWEST_FLAT = 300
"""Measurements after which a series that jitters without a drift counts as settled."""
FLAT = 0.05
"""Largest difference of the means of the last two thirds of a series, in units of their range, that is no drift."""
ALLOWED_SHARE = 0.2
"""Share of the tolerance that what is still to come may have."""
MOST_GROWTH_STEPS = 20_000
"""Most Trotter steps of a stage, if no longest time is given."""


@dataclass(frozen=True)
class GrowthStage:
    """A bond dimension and a time step."""

    chi: int
    dt: float


def to_come(samples: list[float]) -> float:
    """Return a bound on the change of a series still to come; infinite if it does not settle.

    It is the change in the last third of the series, if that is at most `FADING` times the change in the third before.

    >>> to_come([2.0**-k for k in range(30)]) < 1e-5, to_come([float(k) for k in range(30)])
    (True, inf)
    """
    third = len(samples) // 3
    if len(samples) < FEWEST_SAMPLES:
        return math.inf
    before, last = (max(part) - min(part) for part in (samples[-2 * third :][: third + 1], samples[-third:]))
    round_off = 1e-14 * max(map(abs, samples[-third:]))
    return last if last <= FADING * before or last <= round_off else math.inf


def jitter(samples: list[float]) -> float:
    """Return twice the range of a series that jitters about one value; infinite if it drifts, or is short.

    Truncation moves a state anew in every step, so that theta may never settle further. A drift that is hidden by the
    jitter has no more than that to go if it decays within ten times the series.

    >>> jitter([(-1.0) ** k for k in range(300)]), jitter([0.01 * k + (-1.0) ** k for k in range(300)])
    (4.0, inf)
    """
    if len(samples) < FEWEST_FLAT:
        return math.inf
    third = len(samples) // 3
    before, last = np.array(samples[-2 * third : -third]), np.array(samples[-third:])
    spread = float(np.ptp(samples[-2 * third :]))
    return 2 * spread if abs(before.mean() - last.mean()) <= FLAT * spread else math.inf


@dataclass
class GrowthRun:
    """A run over fields and stages.

    generator_at: field -> tilted generator. place, stage: of the field and the stage at work. samples: of theta in this
    stage. ended: theta and what was still to come at the end of each stage of this field.
    """

    generator_at: Callable[[float], TiltedGenerator]
    table: CountingTable
    stages: tuple[GrowthStage, ...]
    order: int
    truncation: Callable[[int], Truncation]
    start: Start
    state: ChainState
    place: int = 0
    stage: int = 0
    steps: int = 0
    samples: list[float] = field(default_factory=list)
    ended: list[tuple[float, float]] = field(default_factory=list)
    stalled: int = 0

    def __post_init__(self) -> None:
        self._made: dict[int, tuple[TiltedGenerator, Gates]] = {}

    @property
    def time(self) -> float:
        """Infinite once all fields are done."""
        return math.inf if self.place == len(self.table.fields) else 0.0

    @property
    def _present(self) -> tuple[TiltedGenerator, Gates]:
        if self.place not in self._made:
            generator = self.generator_at(float(self.table.fields[self.place]))
            self._made = {self.place: (generator, Gates(generator.merged_bonds, np.dtype(float)))}
        return self._made[self.place]

    def step(self, until: float | None = None) -> Report:
        """Evolve by a few steps, and measure theta."""
        stage, (generator, gates) = self.stages[self.stage], self._present
        truncation = self.truncation(stage.chi)
        for number, (parity, fraction) in enumerate(layers(self.order, SAMPLED)):
            rng = stream(self.start.seed, "growth", self.place, self.stage, self.steps, number)
            sweep_layer(self.state, gates.layer(parity, fraction * stage.dt), truncation, rng)
        self.state.normalise()
        self.state.log_norm = 0.0
        self.steps += SAMPLED
        self.samples.append(theta_of_state(generator, self.state))
        self._end_stage()
        finished = self.place == len(self.table.fields)
        chi, count = max(self.state.bond_dimensions), len(self.table.fields) * len(self.stages)
        fraction = (self.place * len(self.stages) + self.stage) / count
        text = (
            ""
            if finished
            else f"field {self.table.fields[self.place]:.3g} theta {(self.samples or [math.nan])[-1]:.6g}"
        )
        return Report(self.time, chi=chi, finished=finished, sampled=False, text=text, fraction=fraction)

    def _end_stage(self) -> None:
        """Go on to the next stage, or field, if theta is settled or the longest time is over."""
        rest, theta, flat = to_come(self.samples), self.samples[-1], jitter(self.samples)
        longest = self.start.ask.max_time or MOST_GROWTH_STEPS * self.stages[0].dt
        out_of_time = self.steps * self.stages[self.stage].dt >= longest
        if math.isfinite(flat):
            rest, theta = min(rest, flat), float(np.mean(self.samples[-(len(self.samples) // 3) :]))
        elif rest > ALLOWED_SHARE * self.start.ask.tolerance * abs(theta) and not out_of_time:
            return
        self.stalled += int(not math.isfinite(rest))
        self.ended.append((theta, rest if math.isfinite(rest) else max(self.samples) - min(self.samples)))
        self.samples, self.steps, self.stage = [], 0, self.stage + 1
        if self.stage < len(self.stages):
            return
        coarse, whole, fine = (value for value, _ in self.ended)
        part = 2**self.order
        errors = abs(whole - coarse), abs(fine - whole) / (part - 1), self.ended[-1][1]
        self.table.theta[self.place], self.table.errors[self.place] = fine, sum(errors)
        self.stage, self.ended, self.place = 0, [], self.place + 1
        if self.place < len(self.table.fields):
            self.state.compress(Truncation(chi=self.stages[0].chi, cutoff=1e-20, method="svd"))

    def view(self) -> CountingView:
        """Return the view of what is known."""
        return CountingView(self.table)

    def verdict(self) -> str:
        """Return the outcome."""
        if self.stalled:
            return f"theta had not settled in {self.stalled} stages: raise --max-time"
        relative = np.nanmax(self.table.errors / np.abs(self.table.theta))
        if relative <= self.start.ask.tolerance:
            return "converged"
        return f"theta has an error of {relative:.1e}: raise chi"

    def save(self) -> Snapshot:
        """Return everything needed to go on."""
        arrays = {f"tensor_{i:04d}": tensor for i, tensor in enumerate(self.state.tensors)}
        arrays |= {"theta": self.table.theta, "theta_errors": self.table.errors}
        arrays |= {"samples": np.array(self.samples, float), "ended": np.array(self.ended, float).reshape(-1, 2)}
        numbers = {name: float(getattr(self, name)) for name in ("place", "stage", "steps", "stalled")}
        assert self.state.centre is not None
        return Snapshot(arrays, numbers | {"centre": self.state.centre, "log_norm": self.state.log_norm})

    def recall(self, snapshot: Snapshot) -> None:
        """Take over what was saved."""
        arrays, numbers = snapshot.arrays, snapshot.numbers
        tensors = [arrays[name] for name in sorted(arrays) if name.startswith("tensor_")]
        self.state = ChainState(tensors, int(numbers["centre"]), float(numbers["log_norm"]))
        self.table.theta, self.table.errors = (np.array(arrays[name]) for name in ("theta", "theta_errors"))
        self.samples = [float(value) for value in arrays["samples"]]
        self.ended = [(float(a), float(b)) for a, b in arrays["ended"]]
        self.place, self.stage, self.steps, self.stalled = (
            int(numbers[name]) for name in ("place", "stage", "steps", "stalled")
        )


def theta_of_state(generator: TiltedGenerator, state: ChainState) -> float:
    """Return <1|G|P> / <1|P>.

    Raises
    ------
    NumericalError: the trace of P is not positive: the state is lost.
    """
    pairs, whole = neighbour_marginals(state, generator.functionals["trace"])
    if not whole > 0:
        raise NumericalError(f"the trace of the tilted state is not positive ({whole:.3g}): the state is lost")
    return generator.growth([pair / whole for pair in pairs])


@answers("counting", "tebd")
@dataclass(frozen=True, kw_only=True)
class NetworkCounting(Answerer):
    """Counting statistics of long chains by evolution with tilted gates."""

    def begin(self, problem: Any, start: Start) -> GrowthRun:
        """Return a run that knows no theta yet."""
        question, engine = self.question, self.engine
        chain, fields = question.chain(problem), question.fields
        plain = chain.generator()
        plain.check_neighbours(f"counting by engine {engine.name!r}")
        if not (hasattr(engine, "chi") and hasattr(engine, "truncation_of")):
            raise InputError(f"counting: engine {engine.name!r} has no bond dimension to truncate to: choose 'tebd'")
        settings: Any = engine
        chi, dt = int(settings.chi), float(engine.used(problem)["dt"])
        half = max(1, (chi + 1) // 2)
        stages = (GrowthStage(half, dt), GrowthStage(chi, dt), GrowthStage(chi, dt / 2))
        base = Stage(chi=chi, dt=dt, power=settings.used_power)
        state = identity_state(plain.spaces)
        state.canonicalise(0)
        return GrowthRun(
            lambda value: tilted(chain, question.counter, value, question.spread),
            CountingTable(fields, *(np.full(len(fields), np.nan) for _ in range(2))),
            stages,
            settings.order,
            lambda size: settings.truncation_of(replace(base, chi=size)),
            start,
            state,
        )

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> GrowthRun:
        """Return the run that was saved."""
        run = self.begin(problem, start)
        run.recall(snapshot)
        return run

    def rule(self, run: Any, start: Start) -> Rule:
        """Return a rule that takes the outcome from the run."""
        return Told(run.verdict)
