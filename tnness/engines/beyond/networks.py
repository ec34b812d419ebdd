"""Questions to long chains, answered by matrix-product operators with the settings of engine `tebd`.

For modes, each charge sector is filtered twice: from operators on single sites, which often stay simple, and from
operators on neighbours as well. Left vectors come first. They have evolved for long enough after `MEMORY` times the
memory of the slowest mode that they have found, so that a slower one would have shown, when this mode is all but alone,
and when its residual no longer improves. Then come steps of a higher order, and at last finer ones, which leave the
error of truncation alone. Modes that are known by now are left; else the right vectors evolve from the left ones. If
the error is not as small as was asked for then, both go on, to `LONG_MEMORY` at most, and make their last part again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Start
from tnness.engines.beyond.filtering import (
    ALONE,
    COARSE_ORDER,
    LEFT,
    MEETING,
    RIGHT,
    Filter,
    Scheme,
    mode_pairs,
    profiles_of,
)
from tnness.engines.beyond.frame import Frame, balanced
from tnness.engines.beyond.galerkin import PAIRED, Ritz
from tnness.engines.beyond.modes import ModesView, ModeTable, profile, verdict_of
from tnness.engines.beyond.profiles import density_covectors
from tnness.engines.beyond.question import Answerer, answers
from tnness.engines.beyond.starts import Charge, sectors_of
from tnness.engines.protocol import Report
from tnness.errors import InputError
from tnness.network.truncation import Truncation
from tnness.problems.chain import chain_of
from tnness.problems.generator import ChainGenerator
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import Told
from tnness.stopping.protocol import Rule

Array = NDArray[Any]
Real = NDArray[np.float64]

MEMORY, LONG_MEMORY = 5.0, 25.0
"""Evolution time of a filter, in units of 1 / rate of the slowest mode found: if that is all but alone, and if not."""
OUTGROWN = 10.0
"""Evolution time of a filter whose modes are faster than those wanted, in units of 1 / the difference of the rates: a
slower mode would have grown by exp(10) beside them."""
RESOLVED = 0.3
"""Largest residual of such a mode, in units of its rate, where the last part was made too early before."""
AT_ONCE = 16
"""Most Trotter steps between two checkpoints."""
OFTEN = 4
"""Snapshots between two looks at both pictures."""
LONGEST_FILTER = 4000
"""Most Trotter steps of a filter, if no longest time is given."""
PATIENT = 3
"""Snapshots without a better residual after which a filter has settled."""
BETTER = 0.7
"""Factor of a residual that counts as better."""
TOO_SLOW = 0.1
"""Share by which a mode of larger error must be slower than a known one to count as another."""
HOPE = 10.0
"""Residual of left vectors, in units of the error asked for, up to which right ones need not settle in full."""
POLISHING = 20
"""Snapshots at the finer time step at most."""
STAGES = ("left", "right", "both")
"""Which vectors evolve: left ones to their end, then right ones; both, if the errors were not small enough then."""
MATCHED = 0.05
"""Largest relative difference of the right vectors' rate from the left ones', where they need no longer time."""
COUNTS = ("place", "waited", "looks", "polishing", "done", "hasty", "stage")
"""Whole numbers that a file keeps."""
FILTER_CUTOFF = 1e-20
"""Discarded weight that is always acceptable in a filter: what is dropped adds to the residual."""


@dataclass
class Found:
    """Modes of the filters that are over: one row each."""

    values: list[complex] = field(default_factory=list)
    figures: list[tuple[float, float, float]] = field(default_factory=list)
    lefts: list[Real] = field(default_factory=list)
    rights: list[Real] = field(default_factory=list)

    def add(self, value: complex, residual: float, error: float, condition: float, left: Real, right: Real) -> None:
        """Take in a mode; one that is known already is kept only with the smaller error.

        What may be slower than anything known is kept apart, though it may be the same within its error.
        """
        for k, known in enumerate(self.values):
            apart = max(error, self.figures[k][1])
            slower = -value.real < (1 - TOO_SLOW) * -known.real - self.figures[k][1] and error > self.figures[k][1]
            if abs(known - value) <= apart and not slower:
                if error < self.figures[k][1]:
                    self._put(k, value, (residual, error, condition), left, right)
                return
        self.values.append(value)
        self.figures.append((residual, error, condition))
        self.lefts.append(left)
        self.rights.append(right)

    def _put(self, k: int, value: complex, figures: tuple[float, float, float], left: Real, right: Real) -> None:
        self.values[k], self.figures[k], self.lefts[k], self.rights[k] = value, figures, left, right

    def table(self, count: int, tolerance: float, n: int) -> ModeTable:
        """Return the slowest modes."""
        if not self.values:
            return ModeTable.empty(count, n)
        figures = np.array(self.figures)
        return ModeTable.of(
            count,
            tolerance,
            np.array(self.values),
            figures[:, 0],
            figures[:, 1],
            figures[:, 2],
            np.array(self.lefts),
            np.array(self.rights),
        )

    def save(self) -> dict[str, Array]:
        """Return the modes as arrays."""
        if not self.values:
            return {}
        parts = {"values": self.values, "figures": self.figures, "lefts": self.lefts, "rights": self.rights}
        return {f"found_{name}": np.array(rows) for name, rows in parts.items()}

    @classmethod
    def load(cls, arrays: Any) -> Found:
        """Return the modes that were saved."""
        if "found_values" not in arrays:
            return cls()
        rows = {name: list(arrays[f"found_{name}"]) for name in ("values", "figures", "lefts", "rights")}
        rows["values"] = [complex(value) for value in rows["values"]]
        rows["figures"] = [(float(a), float(b), float(c)) for a, b, c in rows["figures"]]
        return cls(**rows)


@dataclass
class FilteringRun:
    """A run that filters one charge sector after the other.

    idle: whether the filters at work have no mode that is wanted and not known, so that they are left as they are.
    hasty: whether their last part was tried too early. stage: which of them evolve, in `STAGES`.
    place: of the filters at work. best: the smallest residual; waited: snapshots since it was found. filters: of both
    pictures. value, left_residual: of the slowest left vector at its end.
    """

    count: int
    start: Start
    schemes: tuple[Scheme, Scheme]
    entries: list[tuple[Charge, int]]
    place: int = 0
    best: float = math.inf
    waited: int = 0
    looks: int = 0
    polishing: int = 0
    found: Found = field(default_factory=Found)
    filters: tuple[Filter, Filter] | None = None
    done: bool = False
    idle: bool = False
    hasty: bool = False
    stage: int = 0
    value: complex = 0j
    left_residual: float = math.inf

    @property
    def generator(self) -> ChainGenerator:
        """The chain."""
        return self.schemes[LEFT].generator

    @property
    def time(self) -> float:
        """The evolution time of the filter at work; infinite at the end."""
        if self.done:
            return math.inf
        return 0.0 if self.filters is None else self.filters[RIGHT if STAGES[self.stage] == "right" else LEFT].time

    def step(self, until: float | None = None) -> Report:
        """Advance the filters at work to their next snapshots."""
        if self.filters is None and not self._open():
            self.done = True
            return Report(self.time, finished=True)
        assert self.filters is not None
        left, right = self.filters
        at_work = {"left": (left,), "right": (right,), "both": (left, right)}[STAGES[self.stage]]
        leading = at_work[0]
        steps = min(leading.spacing - leading.since, AT_ONCE)
        for filter_ in at_work:
            filter_.advance(steps)
        slowest, over = math.nan, False
        found = leading.ritz(self.count) if leading.since == 0 else None
        if found is not None:
            slowest = float(-np.real(found.values[0]))
            over = self._judge(found)
            self.looks += 1
            if over or (self.looks % OFTEN == 0 and right.is_last):
                self._look(over)
        charge, reach = self.entries[self.place]
        text = f"sector {','.join(map(str, charge)) or 'all'} reach {reach}: rate {slowest:.4g}"
        report = Report(
            self.time,
            chi=max(*left.state.bond_dimensions, *right.state.bond_dimensions),
            sampled=False,
            text=text,
            fraction=(self.place + 0.5) / len(self.entries),
        )
        if over:
            self.filters, self.place = None, self.place + 1
        return report

    def _judge(self, found: Ritz) -> bool:
        """Return whether the filters at work are over; begin what comes next when the time is ripe."""
        assert self.filters is not None
        left, right = self.filters
        residual = float(found.residuals[0])
        if residual < BETTER * self.best:
            self.best, self.waited = residual, 0
        else:
            self.waited += 1
        stage = STAGES[self.stage]
        if stage == "right":
            return self._judge_right(found)
        slowest, bar = float(-np.real(found.values[0])), self._bar
        self.idle = slowest > bar and left.time >= min(MEMORY / bar, OUTGROWN / (slowest - bar))
        if self.idle:
            return True
        self.value = complex(found.values[0])
        at_work = (left, right) if stage == "both" else (left,)
        if not self._is_last(at_work, self._is_ripe(found)):
            return False
        if stage == "both":
            return self._is_over()
        self.idle = self._is_known_already(found)
        self.filters = left, Filter.across(left, self.schemes[RIGHT])
        self.stage, self.left_residual = STAGES.index("right"), residual
        self._await()
        return self.idle

    def _judge_right(self, found: Ritz) -> bool:
        """Return whether the right vectors are found as well."""
        assert self.filters is not None
        left, right = self.filters
        value, tolerance = found.values[np.argmin(np.abs(found.values - self.value))], self.start.ask.tolerance
        near = MEETING * self.left_residual <= HOPE * tolerance * abs(self.value)
        near = near or (found.share > ALONE and abs(value - self.value) <= MATCHED * abs(self.value))
        ripe = (near and self.waited >= PATIENT) or right.time >= left.time
        return self._is_last((right,), ripe) and self._is_over()

    def _is_last(self, at_work: tuple[Filter, ...], ripe: bool) -> bool:
        """Return whether the last part of evolutions is over; begin the next part where it is time.

        ripe: whether the first part is over.
        """
        leading = at_work[0]
        self.polishing += bool(leading.polished)
        over = ripe
        if leading.polished:
            over = self.polishing >= POLISHING or self.waited >= 2 * PATIENT
        if over and not leading.is_last:
            for filter_ in at_work:
                filter_.polish(-self.value.real)
            self._await()
            return False
        return over

    def _is_ripe(self, found: Ritz) -> bool:
        """Return whether left vectors have evolved for long enough for their last part, of finer steps."""
        assert self.filters is not None
        left, slowest = self.filters[LEFT], float(-np.real(found.values[0]))
        if left.time >= self._longest:
            return True
        ripe = slowest > 0 and left.time >= MEMORY / slowest
        if ripe and left.time < LONG_MEMORY / slowest:
            ripe = found.share > ALONE
            if self.hasty:
                ripe = ripe and float(found.residuals[0]) < RESOLVED * slowest and self._is_known()
        return ripe and self.waited >= PATIENT

    def _is_over(self) -> bool:
        """Return True after the last part; go back to coarse steps if it was made too early."""
        assert self.filters is not None
        left, right = self.filters
        slowest = -self.value.real
        early = slowest <= 0 or left.time < LONG_MEMORY / slowest
        if early and left.time < self._longest and not self._is_known():
            left.roughen()
            right.roughen()
            self.hasty, self.stage = True, STAGES.index("both")
            self._await()
            return False
        return True

    def _await(self) -> None:
        self.best, self.waited, self.polishing = math.inf, 0, 0

    @property
    def _longest(self) -> float:
        """The longest time of a filter."""
        return self.start.ask.max_time or LONGEST_FILTER * self.schemes[LEFT].dt

    @property
    def _results(self) -> list[tuple[complex, tuple[float, float, float]]]:
        """The modes found so far whose errors are small enough."""
        tolerance = self.start.ask.tolerance
        pairs = zip(self.found.values, self.found.figures, strict=True)
        return [(value, figures) for value, figures in pairs if figures[1] <= abs(value.real) * tolerance]

    @property
    def _bar(self) -> float:
        """The rate that a mode must have at most to be wanted."""
        rates = sorted(-value.real for value, _ in self._results)
        return rates[self.count - 1] if len(rates) >= self.count else math.inf

    def _is_known_already(self, found: Ritz) -> bool:
        """Return whether every left vector that is slow enough is one of a mode known by now, within small errors."""
        bar = self._bar
        if not math.isfinite(bar):
            return False
        for value, residual in zip(found.values, found.residuals, strict=True):
            if -value.real > bar:
                return True
            if not any(
                MEETING * condition * residual <= abs(value.real) * self.start.ask.tolerance
                and min(abs(value - known), abs(value.conjugate() - known)) <= error + MEETING * condition * residual
                for known, (_, error, condition) in self._results
            ):
                return False
        return True

    def _is_known(self) -> bool:
        """Return whether the error of the slowest mode at work is as small as was asked for."""
        assert self.filters is not None
        tolerance = self.start.ask.tolerance
        pairs = mode_pairs(*self.filters, self.count)
        return bool(pairs) and pairs[0].error <= tolerance * abs(pairs[0].value.real)

    def _open(self) -> bool:
        """Begin the next filters; return False if there are none left."""
        while self.place < len(self.entries):
            charge, reach = self.entries[self.place]
            left = Filter.begin(self.schemes[LEFT], charge, LEFT, reach)
            right = Filter.begin(self.schemes[RIGHT], charge, RIGHT, reach)
            if left is not None and right is not None:
                self.filters, self.stage, self.hasty = (left, right), 0, False
                self._await()
                return True
            self.place += 1
        return False

    def _look(self, over: bool) -> None:
        """Take in the modes that the filters at work have found; at the end the slowest one, found or not.

        Of filters that are left because their modes are faster, what is not found is of no interest.
        """
        assert self.filters is not None
        left, right = self.filters
        densities, tolerance = density_covectors(self.generator.spaces), self.start.ask.tolerance
        for k, pair in enumerate(mode_pairs(left, right, self.count)):
            if pair.error <= tolerance * abs(pair.value.real) or (over and k == 0 and not self.idle):
                profiles = [profile(of) for of in profiles_of(pair, left, right, densities)]
                self.found.add(pair.value, max(pair.residuals), pair.error, pair.condition, *profiles)

    @property
    def table(self) -> ModeTable:
        """The modes found so far; only the slowest, or its pair, is a result: between others some may be missing."""
        table = self.found.table(self.count, self.start.ask.tolerance, self.generator.n)
        rates = table.candidate
        return replace(table, accepted=table.accepted & (rates <= (1 + PAIRED) * rates[0]))

    def view(self) -> ModesView:
        """Return the view of the modes found so far."""
        return ModesView(self.table)

    def verdict(self) -> str:
        """Return the outcome."""
        table = self.table
        if table.accepted[0] and self.count > int(table.accepted.sum()):
            return "the slowest rate is a result; between it and others that were found some may be missing"
        return verdict_of(table, "converged")

    def figures(self) -> dict[str, float]:
        """Return the largest residual."""
        residuals = self.table.residuals
        return {"linear_residual": float(np.nanmax(residuals)) if np.isfinite(residuals).any() else math.nan}

    def save(self) -> Snapshot:
        """Return everything needed to go on."""
        arrays = self.found.save()
        arrays |= {f"frame_{i:04d}": matrix for i, matrix in enumerate(self.schemes[LEFT].frame.to)}
        numbers: dict[str, float] = {name: float(getattr(self, name)) for name in COUNTS}
        numbers |= {"rate": self.value.real, "frequency": self.value.imag}
        numbers["left_residual"] = self.left_residual if math.isfinite(self.left_residual) else -1.0
        numbers |= {"best": self.best if math.isfinite(self.best) else -1.0, "running": float(self.filters is not None)}
        for picture, filter_ in enumerate(self.filters or ()):
            own, counts = filter_.save(f"filter{picture}_")
            arrays, numbers = arrays | own, numbers | counts
        return Snapshot(arrays, numbers)

    def recall(self, snapshot: Snapshot) -> None:
        """Take over what was saved."""
        arrays, numbers = snapshot.arrays, snapshot.numbers
        self.found = Found.load(arrays)
        self.place, self.waited, self.done = int(numbers["place"]), int(numbers["waited"]), bool(numbers["done"])
        self.looks, self.polishing = int(numbers["looks"]), int(numbers["polishing"])
        self.stage, self.value = int(numbers["stage"]), complex(numbers["rate"], numbers["frequency"])
        self.hasty, left_residual = bool(numbers["hasty"]), float(numbers["left_residual"])
        self.left_residual = left_residual if left_residual >= 0 else math.inf
        self.best = float(numbers["best"]) if numbers["best"] >= 0 else math.inf
        if numbers["running"]:
            charge, _ = self.entries[self.place]
            left, right = (
                Filter.restore(self.schemes[picture], charge, picture, f"filter{picture}_", arrays, numbers)
                for picture in (LEFT, RIGHT)
            )
            self.filters = left, right


@answers("modes", "tebd")
@dataclass(frozen=True, kw_only=True)
class NetworkModes(Answerer):
    """The slowest modes of long chains by filtering."""

    def begin(self, problem: Any, start: Start, frame: Frame | None = None) -> FilteringRun:
        """Return a run that has found nothing yet; the frame is found first if none is given."""
        generator = chain_of(problem, f"the question for modes to engine {self.engine.name!r}")
        if generator.metric is not None:
            raise InputError("modes: a chain with a metric of its own is not taken")
        engine: Any = self.engine
        chi, dt = int(engine.chi), float(self.engine.used(problem)["dt"])
        exact = chi**2 >= generator.dimension  # no bond needs more
        frame = balanced(generator, dt, start.seed, start.report) if frame is None else frame

        def truncation(size: int) -> Truncation:
            return Truncation(chi=size, cutoff=FILTER_CUTOFF, method="svd")

        schemes = [
            Scheme(generator, COARSE_ORDER, dt, truncation(size), start.seed, frame, self.question.count)
            for size in (chi, chi if exact else max(min(chi, 8), chi // 2))
        ]
        sectors = sectors_of(generator)
        entries = [(charge, reach) for reach in (1, 2) for charge in sectors]
        return FilteringRun(self.question.count, start, (schemes[0], schemes[1]), entries)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> FilteringRun:
        """Return the run that was saved."""
        to = [snapshot.arrays[name] for name in sorted(snapshot.arrays) if name.startswith("frame_")]
        run = self.begin(problem, start, Frame.of(to))
        run.recall(snapshot)
        return run

    def rule(self, run: Any, start: Start) -> Rule:
        """Return a rule that takes the outcome from the run."""
        return Told(run.verdict, run.figures)
