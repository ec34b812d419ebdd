"""Kicks: a settled state is disturbed everywhere, and watched until the chain has forgotten it.

A kick is the difference of two products of one-site states (`tnness.engines.disturbance`): evolution is linear, so that
it evolves by itself, beside the state. What is left of it is read on every two neighbours, less its trace times the
settled marginal: truncation leaks trace, and leaked trace never decays. A uniform and a staggered kick make a pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.disturbance import Disturbance
from tnness.engines.metric import gates_of, scaled_state
from tnness.errors import NumericalError
from tnness.network.chain_state import ChainState
from tnness.network.difference import neighbour_marginals
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Truncation
from tnness.records.snapshot import Snapshot
from tnness.stopping.kicked import FORGOTTEN, NEVER, Kicked
from tnness.streams import stream

Real = NDArray[np.float64]

SMALLEST_CHI, ENOUGH_CHI = 16, 32
"""A kick is first evolved at half of the run's bond dimension, or at the larger of ENOUGH_CHI and a quarter, if less.

Of three MBL chains its rates at 25 and at 50 agree to 13 %. It has SMALLEST_CHI at least, if the run has as much.
"""
EVERY = 2
"""Time steps between two measurements."""
IN_A_ROW = 3
"""Measurements in a row that must be below FORGOTTEN."""
NOTHING = 1e-8
"""Size of a kick, in units of a one-site operator, up to which it is the round-off of none."""
FEWEST_STEPS = 9
"""Time steps before a kick may count as forgotten."""


@dataclass(eq=False)
class Kick:
    """A kick on its way.

    Parameters
    ----------
    disturbance: how the settled state was disturbed. number: even for a uniform kick, odd for a staggered one.
    chi, dt: of its evolution. reads: the sites on which it must be forgotten; none stands for all.
    state: what is left of the kick, scaled by the metric. time: since the kick. first: its size at the beginning.
    times, sizes: of the measurements; size: the largest element of what is left, relative to `first`.
    where: the left site of the two on which most is left.
    """

    disturbance: Disturbance
    number: int
    chi: int
    dt: float
    reads: tuple[int, ...] = ()
    state: ChainState | None = None
    time: float = 0.0
    steps: int = 0
    first: float = math.nan
    times: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    where: int = 0

    def __post_init__(self) -> None:
        generator = self.disturbance.generator
        if self.state is None:
            self.state = scaled_state(self.disturbance.difference(self.number), generator.metric)
            self.state.canonicalise(0)
        if math.isnan(self.first):
            self.first = self._size()

    def step(self) -> None:
        """Advance by time steps of second order, from one measurement to the next; where driven, by a whole period."""
        assert self.state is not None
        state = ChainState(list(self.state.tensors), self.state.centre, self.state.log_norm)
        period = self.disturbance.period
        count = EVERY if period is None and self.disturbance.evolve is None else 1
        if self.disturbance.evolve is not None:
            state = self.disturbance.evolve(state, self.dt, Truncation(chi=self.chi, method="svd"), self.steps)
        else:
            truncation = Truncation(chi=self.chi, method="cholesky-qr", power=0)
            for layer, gates in enumerate(self._layers(count)):
                rng = stream(self.disturbance.seed, "kick directions", self.number, self.steps, layer)
                sweep_layer(state, gates, truncation, rng)
        state.normalise()
        self.state, self.steps, self.time = state, self.steps + count, self.time + (period or count * self.dt)
        if self.steps % EVERY == 0 or period is not None:
            self.times.append(self.time)
            self.sizes.append(self._size() / self.first if self.first > NOTHING else 1.0)  # no kick tells nothing

    def _layers(self, steps: int) -> Iterator[list[Any]]:
        """Yield the layers of gates of some steps; of a whole period where driven."""
        period, course = self.disturbance.period, self.disturbance.course
        if period is not None and course is not None:
            yield from course(2, period, self.dt)
            return
        yield from self._gates.layers(2, steps, self.dt)

    @cached_property
    def _gates(self) -> Any:
        assert self.state is not None
        return gates_of(self.disturbance.generator, self.state.dtype)

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
        rate = self._late[0]
        return rate if rate > 0 else math.nan

    @property
    def _late(self) -> tuple[float, float]:
        """The rate, and ln(size) at time 0, of the exponential that fits its second half; NaN where unknown."""
        late = [(t, size) for t, size in zip(self.times, self.sizes, strict=True) if t >= self.time / 2 and size > 0]
        if len(late) < IN_A_ROW:
            return math.nan, math.nan
        times, sizes = np.array(late).T
        slope, start = (float(x) for x in np.polyfit(times, np.log(sizes), 1))
        return -slope, start

    @property
    def is_flat(self) -> bool:
        """True where it would take for ever to be forgotten, at the rate at which it decays."""
        return not self.forgotten and not self.needs < NEVER * self.time

    @property
    def needs(self) -> float:
        """The time after which less than FORGOTTEN should be left; infinite where nothing decays."""
        if self.forgotten:
            return self.forgets_in
        return self.time + math.log(max(self.left / FORGOTTEN, 1.0)) / self.rate if self.rate > 0 else math.inf

    def fast_left(self, time: float) -> float:
        """Return what is left at a time, less the late decay continued back to it; 0 if it was forgotten by then."""
        rate, start = self._late
        if not self.times or time >= self.times[-1] or math.isnan(rate):
            return 0.0
        return max(0.0, float(np.interp(time, self.times, self.sizes)) - math.exp(start - rate * time))

    @property
    def shrinks(self) -> float:
        """The factor by which it shrinks in half a unit of time, late in `forgets_in`; 1 where unknown."""
        time = self.forgets_in
        if not math.isfinite(time):
            return 1.0
        whole, half = (np.interp(t, [0.0, *self.times], [1.0, *self.sizes]) for t in (time, time / 2))
        return float(min(1.0, whole / half) ** (1 / time)) if half > 0 else 1.0

    def _size(self) -> float:
        assert self.state is not None
        generator = self.disturbance.generator
        natural = scaled_state(self.state, generator.metric, inverse=True)
        pairs, leaked = neighbour_marginals(natural, generator.functionals["trace"])
        left = [pair - leaked * old for pair, old in zip(pairs, self.disturbance.settled, strict=True)]
        sizes = np.array([self._read(bond, rest) for bond, rest in enumerate(left)])
        if not np.isfinite(sizes).all():
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in a kick")
        self.where = int(np.argmax(sizes))
        return float(sizes.max())

    def _read(self, bond: int, rest: Real) -> float:
        """Return the largest element of what is left on two neighbours, or on the one of them that counts."""
        first, second = (not self.reads or site in self.reads for site in (bond, bond + 1))
        trace = self.disturbance.generator.functionals["trace"]
        if first and second:
            return float(np.abs(rest).max())
        if first:
            return float(np.abs(rest @ trace[bond + 1]).max())
        return float(np.abs(trace[bond] @ rest).max()) if second else 0.0


@dataclass(eq=False)
class Kicks:
    """A uniform and a staggered kick of one settled state, one after the other.

    A kick is evolved at a part of the bond dimension. If nothing of it decays there, truncation may keep it: it is
    repeated at the full one.

    at: the run's clock when it was kicked. limit: the time that each is given. chi: the run's bond dimension.
    burst: the time after which only what decays late may be left, if the run jumps; 0 if it does not.
    """

    pair: list[Kick]
    at: float
    limit: float
    chi: int
    burst: float = 0.0

    @classmethod
    def of(
        cls,
        disturbance: Disturbance,
        chi: int,
        dt: float,
        at: float,
        limit: float,
        number: int = 0,
        reads: tuple[int, ...] = (),
    ) -> Kicks:
        """Return two kicks of a state. number: of the pairs before that were forgotten; each has other directions."""
        first = max(min(chi, SMALLEST_CHI), min(chi // 2, max(ENOUGH_CHI, chi // 4)))
        return cls([Kick(disturbance, 2 * number + k, first, dt, reads) for k in range(2)], at, limit, chi)

    @property
    def present(self) -> Kick | None:
        """The kick that is on its way; None where both are over."""
        return next((kick for kick in self.pair if not self._is_over(kick)), None)

    def _is_over(self, kick: Kick) -> bool:
        return kick.forgotten or kick.time >= self.limit

    def step(self) -> str:
        """Advance the present kick by a step; return in words how it stands."""
        kick = self.present
        if kick is None:
            return ""
        kick.step()
        k = self.pair.index(kick)
        if self._is_over(kick) and kick.is_flat and kick.chi < self.chi:
            self.pair[k] = Kick(kick.disturbance, kick.number, self.chi, kick.dt, kick.reads)
        return f"kick {k + 1}/2: {kick.left:.0%} left"

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
            max(kick.shrinks for kick in self.pair) ** late if math.isfinite(late) else 1.0,
            max(kick.fast_left(self.burst) for kick in self.pair) if self.burst > 0 else 0.0,
        )

    def save(self) -> Snapshot:
        """Return both kicks as named arrays and numbers."""
        arrays: dict[str, NDArray[Any]] = {}
        numbers: dict[str, float | int] = {"kick_at": self.at, "kick_limit": self.limit, "kick_burst": self.burst}
        for k, kick in enumerate(self.pair):
            assert kick.state is not None
            arrays |= {f"kick_{k}_{i:04d}": tensor for i, tensor in enumerate(kick.state.tensors)}
            arrays[f"kick_{k}_curve"] = np.array([kick.times, kick.sizes])
            own = {name: getattr(kick, name) for name in NUMBERS}
            own |= {"centre": kick.state.centre or 0, "log_norm": kick.state.log_norm}
            numbers |= {f"kick_{k}_{name}": value for name, value in own.items()}
        disturbance = self.pair[0].disturbance
        arrays |= {f"kick_settled_{i:04d}": pair for i, pair in enumerate(disturbance.settled)}
        arrays["kick_reads"] = np.array(self.pair[0].reads, dtype=np.int64)
        return Snapshot(arrays, numbers)

    @classmethod
    def restore(cls, disturbance: Callable[[list[Real]], Disturbance], chi: int, snapshot: Snapshot) -> Kicks:
        """Return the kicks that were saved. disturbance: returns the recipe, given the settled state."""
        arrays, numbers = snapshot.arrays, snapshot.numbers
        settled = [array for name, array in arrays.items() if name.startswith("kick_settled_")]
        recipe, pair = disturbance(settled), []
        for k in range(2):
            own = {name.removeprefix(f"kick_{k}_"): v for name, v in numbers.items() if name.startswith(f"kick_{k}_")}
            tensors = [arrays[f"kick_{k}_{i:04d}"] for i in range(len(settled) + 1)]
            state = ChainState(tensors, int(own.pop("centre")), float(own.pop("log_norm")))
            times, sizes = (column.tolist() for column in arrays[f"kick_{k}_curve"])
            reads = tuple(arrays["kick_reads"].tolist())
            pair.append(Kick(recipe, reads=reads, state=state, times=times, sizes=sizes, **own))  # type: ignore[arg-type]
        at, limit, burst = (float(numbers[f"kick_{name}"]) for name in ("at", "limit", "burst"))
        return cls(pair, at, limit, chi, burst)


NUMBERS = ("number", "chi", "dt", "time", "steps", "first", "where")
"""The numbers of a kick that are saved."""
