"""Kicks: a settled state is disturbed everywhere, and watched until the chain has forgotten it.

A kick is the difference of two products of one-site states, prod_i (m_i + d_i) - prod_i m_i, m_i the settled marginals:
evolution is linear, so that it evolves by itself, beside the state. What is left of it is read on every two neighbours,
less its trace times the settled marginal: truncation leaks trace, and leaked trace never decays. Two kicks differ in
how d_i alternates along the chain: a uniform and a staggered one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import NumericalError
from tnness.network.chain_state import ChainState
from tnness.network.difference import neighbour_marginals, product_difference
from tnness.network.product_view import ProductView
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation
from tnness.operators.basis import LocalSpace
from tnness.problems.generator import ChainGenerator
from tnness.records.snapshot import Snapshot
from tnness.stopping.kicked import FORGOTTEN, Kicked
from tnness.streams import stream

Real = NDArray[np.float64]

RANDOM_SHARE = 0.3
"""Length of the random part of a direction, beside the part that all sites share."""
EVERY = 2
"""Time steps between two measurements."""
IN_A_ROW = 3
"""Measurements in a row that must be below FORGOTTEN."""
FEWEST_STEPS = 9
"""Time steps before a kick may count as forgotten."""


@dataclass(eq=False)
class Kick:
    """A kick on its way.

    Parameters
    ----------
    generator: of the chain. settled: the settled state's coefficients of every two neighbours, trace 1.
    state: what is left of the kick. chi, dt: of its evolution. seed, number: of its random directions.
    reads: the sites on which it must be forgotten; none stands for all.
    time: since the kick. first: its size at the beginning. times, sizes: of the measurements; size: the largest element
        of what is left, relative to `first`. where: the left site of the two on which most is left.
    """

    generator: ChainGenerator
    settled: list[Real]
    state: ChainState
    chi: int
    dt: float
    seed: int
    number: int
    reads: tuple[int, ...] = ()
    time: float = 0.0
    steps: int = 0
    first: float = math.nan
    times: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    where: int = 0

    def __post_init__(self) -> None:
        self._gates = Gates(self.generator.merged_bonds, self.state.dtype)
        if math.isnan(self.first):
            self.first = self._size()

    @classmethod
    def of(
        cls,
        generator: ChainGenerator,
        settled: Sequence[Real],
        chi: int,
        dt: float,
        seed: int,
        number: int,
        reads: tuple[int, ...] = (),
    ) -> Kick:
        """Return a kick of a settled state. number: even for a uniform one, odd for a staggered one."""
        trace = generator.functionals["trace"]
        means = [pair @ trace[i + 1] for i, pair in enumerate(settled)] + [trace[-2] @ settled[-1]]
        rng = stream(seed, "kick", number)
        shared = {space: _even(space, rng) for space in dict.fromkeys(generator.spaces)}
        directions = []
        for i, space in enumerate(generator.spaces):
            own = _traceless(_even(space, rng), space.trace)
            common = _traceless(shared[space], space.trace)
            direction = _traceless(common + RANDOM_SHARE * own, space.trace) / math.sqrt(space.levels)
            directions.append(direction * (-1) ** (i * number))
        state = product_difference(means, directions)
        return cls(generator, list(settled), state, chi, dt, seed, number, reads)

    def step(self) -> None:
        """Advance by a time step of second order, and measure at every second one."""
        truncation = Truncation(chi=self.chi, method="cholesky-qr", power=0)
        state = ChainState(list(self.state.tensors), self.state.centre, self.state.log_norm)
        for layer, (parity, fraction) in enumerate(layers(2, 1)):
            rng = stream(self.seed, "kick directions", self.number, self.steps, layer)
            sweep_layer(state, self._gates.layer(parity, fraction * self.dt), truncation, rng)
        state.normalise()
        self.state, self.steps, self.time = state, self.steps + 1, self.time + self.dt
        if self.steps % EVERY == 0:
            self.times.append(self.time)
            self.sizes.append(self._size() / self.first)

    @property
    def forgotten(self) -> bool:
        """True where the last measurements in a row were small."""
        late = self.sizes[-IN_A_ROW:]
        return self.steps >= FEWEST_STEPS and len(late) == IN_A_ROW and max(late) <= FORGOTTEN

    @property
    def left(self) -> float:
        """The largest share of the last measurements."""
        return max(self.sizes[-IN_A_ROW:], default=1.0)

    @property
    def forgets_in(self) -> float:
        """The time from which on the kick was small; infinite where it is not yet."""
        if not self.forgotten:
            return math.inf
        large = [t for t, size in zip(self.times, self.sizes, strict=True) if size > FORGOTTEN]
        return self.times[0] if not large else next(t for t in self.times if t > large[-1])

    @property
    def rate(self) -> float:
        """The rate (1 / time) at which the kick decays in the second half of its time; NaN where it does not."""
        late = [(t, size) for t, size in zip(self.times, self.sizes, strict=True) if t >= self.time / 2 and size > 0]
        if len(late) < IN_A_ROW:
            return math.nan
        times, sizes = np.array(late).T
        slope = float(np.polyfit(times, np.log(sizes), 1)[0])
        return -slope if slope < 0 else math.nan

    def shrunk(self, time: float) -> float:
        """Return the size at a time over that at half of it; 1 where it was not watched for so long."""
        if not math.isfinite(time) or not self.times:
            return 1.0
        whole, half = (np.interp(t, [0.0, *self.times], [1.0, *self.sizes]) for t in (time, time / 2))
        return float(min(1.0, whole / half)) if half > 0 else 1.0

    def _size(self) -> float:
        pairs, leaked = neighbour_marginals(self.state, self.generator.functionals["trace"])
        left = [pair - leaked * old for pair, old in zip(pairs, self.settled, strict=True)]
        sizes = np.array([self._read(bond, rest) for bond, rest in enumerate(left)])
        if not np.isfinite(sizes).all():
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in a kick")
        self.where = int(np.argmax(sizes))
        return float(sizes.max())

    def _read(self, bond: int, rest: Real) -> float:
        """Return the largest element of what is left on two neighbours, or on the one of them that counts."""
        first, second = (not self.reads or site in self.reads for site in (bond, bond + 1))
        trace = self.generator.functionals["trace"]
        if first and second:
            return float(np.abs(rest).max())
        if first:
            return float(np.abs(rest @ trace[bond + 1]).max())
        return float(np.abs(trace[bond] @ rest).max()) if second else 0.0


@dataclass(eq=False)
class Kicks:
    """A uniform and a staggered kick of one settled state, one after the other.

    at: the run's clock when it was kicked. limit: the time that each is given.
    """

    pair: list[Kick]
    at: float
    limit: float

    @classmethod
    def of(
        cls,
        generator: ChainGenerator,
        view: ProductView,
        chi: int,
        dt: float,
        seed: int,
        at: float,
        limit: float,
        number: int = 0,
        reads: tuple[int, ...] = (),
    ) -> Kicks:
        """Return two kicks of the state of a view. number: of the kicks before."""
        settled = [view.window(i, i + 2) for i in range(generator.n - 1)]
        pair = [Kick.of(generator, settled, chi, dt, seed, 2 * number + k, reads) for k in range(2)]
        return cls(pair, at, limit)

    @property
    def present(self) -> Kick | None:
        """The kick that is on its way; None where both are over."""
        return next((kick for kick in self.pair if not kick.forgotten and kick.time < self.limit), None)

    def step(self) -> str:
        """Advance the present kick by a step; return in words how it stands."""
        kick = self.present
        if kick is None:
            return ""
        kick.step()
        return f"kick {self.pair.index(kick) + 1}/2: {kick.left:.0%} left"

    def result(self) -> Kicked:
        """Return what both told."""
        slower = max(self.pair, key=lambda kick: (kick.forgets_in, kick.left))
        late = max(kick.forgets_in for kick in self.pair)
        rates = [kick.rate for kick in self.pair if kick.rate > 0]
        return Kicked(
            self.at,
            self.limit,
            late,
            max(kick.left for kick in self.pair),
            slower.where,
            min(rates, default=math.nan) if len(rates) == len(self.pair) else math.nan,
            max(kick.shrunk(late) for kick in self.pair),
        )

    def save(self) -> Snapshot:
        """Return both kicks as named arrays and numbers."""
        arrays: dict[str, NDArray[Any]] = {}
        numbers: dict[str, float | int] = {"kick_at": self.at, "kick_limit": self.limit}
        for k, kick in enumerate(self.pair):
            arrays |= {f"kick_{k}_{i:04d}": tensor for i, tensor in enumerate(kick.state.tensors)}
            arrays[f"kick_{k}_curve"] = np.array([kick.times, kick.sizes])
            own = {"time": kick.time, "steps": kick.steps, "first": kick.first, "where": kick.where}
            own |= {"centre": kick.state.centre or 0, "log_norm": kick.state.log_norm, "number": kick.number}
            numbers |= {f"kick_{k}_{name}": value for name, value in own.items()}
        arrays |= {f"kick_settled_{i:04d}": pair for i, pair in enumerate(self.pair[0].settled)}
        arrays["kick_reads"] = np.array(self.pair[0].reads, dtype=np.int64)
        return Snapshot(arrays, numbers)

    @classmethod
    def restore(cls, generator: ChainGenerator, chi: int, dt: float, seed: int, snapshot: Snapshot) -> Kicks:
        """Return the kicks that were saved."""
        arrays, numbers = snapshot.arrays, snapshot.numbers
        settled = [arrays[f"kick_settled_{i:04d}"] for i in range(generator.n - 1)]
        pair = []
        for k in range(2):
            own = {name.removeprefix(f"kick_{k}_"): v for name, v in numbers.items() if name.startswith(f"kick_{k}_")}
            tensors = [arrays[f"kick_{k}_{i:04d}"] for i in range(generator.n)]
            state = ChainState(tensors, int(own["centre"]), float(own["log_norm"]))
            times, sizes = (column.tolist() for column in arrays[f"kick_{k}_curve"])
            reads = tuple(arrays["kick_reads"].tolist())
            kick = Kick(generator, settled, state, chi, dt, seed, int(own["number"]), reads, first=float(own["first"]))
            kick.time, kick.steps, kick.where = float(own["time"]), int(own["steps"]), int(own["where"])
            kick.times, kick.sizes = times, sizes
            pair.append(kick)
        return cls(pair, float(numbers["kick_at"]), float(numbers["kick_limit"]))


def _even(space: LocalSpace, rng: np.random.Generator) -> Real:
    """Return a random direction without odd elements, which no state has."""
    return np.where(space.grading, 0.0, rng.standard_normal(space.dim))


def _traceless(vector: Real, trace: Real) -> Real:
    """Return the part of a vector that has no trace, with length 1."""
    rest = vector - trace * (trace @ vector) / (trace @ trace)
    return rest / np.linalg.norm(rest)
