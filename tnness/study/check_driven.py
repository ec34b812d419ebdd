"""What `check` tests of a model that depends on time: its statement, its evolution, and its Floquet steady state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tnness.engines.exact import Exact
from tnness.engines.tebd import TEBD
from tnness.errors import TnnessError
from tnness.observables.observable import Observable
from tnness.operators.basis import oddness
from tnness.problems.dense import deviation
from tnness.problems.lindbladian import Lindbladian
from tnness.records.record import Record
from tnness.records.values import change, scale, size
from tnness.runs.solve import evolve, steady_state
from tnness.streams import stream
from tnness.study.finding import FAILED, NOTED, PASSED, Finding, guarded
from tnness.study.measurable import observable_findings

TIMES = (0.0, 0.37, 1.93)
"""Times at which the equation is compared with its terms."""
READ, LONG = 129, 10.0
"""Number of times at which functions are read, within a period, or within LONG where the model has none."""
AGREED = 1e-10
"""Largest difference of the equation at a time from its terms, relative to it, that counts as round-off."""
EVOLVED = 1e-5
"""Largest difference of two evolutions, in units of the observables where these are above 1."""
CLAIMED = 2.0
"""Times its claim that an error may be, where it is more than LEAST_SHARE of its observable's scale."""
LEAST_SHARE = 0.01


@dataclass(frozen=True)
class DrivenModel:
    """The tests of a model that depends on time.

    model: the instance. chain: its problem. observables: of the model. name, seed: for the runs.
    """

    model: Any
    chain: Lindbladian
    observables: Mapping[str, Observable]
    name: str
    seed: int

    def findings(self) -> list[Finding]:
        """Return all of them."""
        found = [guarded("statement", self._statement)]
        whole = self.chain.drive().whole
        vector = stream(self.seed, "driven check").standard_normal(whole.dimension)
        vector = np.where(oddness(self.chain.spaces), 0.0, vector / whole.dimension)
        vector[0] = 1.0 if all(space.quantum for space in self.chain.spaces) else abs(vector[0])
        read = observable_findings(dict(self.observables), whole, vector, self.name)
        found += read
        if any(finding.verdict == FAILED for finding in read):
            return found
        found.append(guarded("evolution", self._evolution))
        period = getattr(self.model, "period", None)
        if isinstance(period, (int, float)):
            found.append(guarded("Floquet state", lambda: self._floquet(float(period))))
        return found

    def _statement(self) -> Finding:
        """Test the parts with their functions against the terms at some times, built densely."""
        drive, worst = self.chain.drive(), 0.0
        vector = stream(self.seed, "driven statement").standard_normal(drive.whole.dimension)
        vector = np.where(oddness(self.chain.spaces), 0.0, vector)
        for time in np.linspace(0.0, float(getattr(self.model, "period", LONG)), READ):
            drive.values(time, time)(time)  # raises where a rate is negative, or a value no number
        for time in TIMES:
            frozen = self.chain.frozen(time)
            generator = frozen.generator()
            worst = max(worst, deviation(frozen, generator))
            values = drive.values(time, time)(time)
            images = [value * part.generator.apply(vector) for value, part in zip(values, drive.parts, strict=True)]
            apart = sum(images, drive.static.apply(vector)) - generator.apply(vector)
            worst = max(worst, float(np.linalg.norm(apart) / np.linalg.norm(vector)) / max(generator.scale, 1e-300))
        told = f"the matrices at {len(TIMES)} times are those of the terms, built densely, to {worst:.0e}"
        return Finding("statement", PASSED if worst < AGREED else FAILED, told)

    def _evolution(self) -> Finding:
        """Compare TEBD without truncation with the exact evolution, over a short time."""
        end = min(2.0, 4 / max(self.chain.drive().strength(1.0), 1.0))
        engines = (Exact(), TEBD(chi=10**6, dt=end / 40))
        one, other = (evolve(self.model, [end], engine=engine, seed=self.seed, errors=False) for engine in engines)
        apart = max(
            size(change(other[k].values, one[k].values)) / max(1.0, scale(one[k].values)) for k in _shared(one, other)
        )
        return Finding("evolution", PASSED if apart < EVOLVED else FAILED, f"TEBD against the exact one: {apart:.1e}")

    def _floquet(self, period: float) -> Finding:
        """Test that TEBD reaches the fixed point of the one-period map within its claims."""
        try:
            exact = steady_state(self.model, engine="exact", seed=self.seed, period=period)
        except TnnessError as error:
            return Finding("Floquet state", NOTED, str(error))
        record = steady_state(self.model, engine="tebd", seed=self.seed, period=period)
        told = f"{record.outcome} at t = {record.time:.3g}"
        if not record.certificate.converged:
            return Finding("Floquet state", NOTED, told)
        worst = 0.0
        for key, claim in record.certificate.errors.items():
            error, largest = np.abs(change(record[key].values, exact[key].values)), scale(exact[key].values)
            worst = max(worst, size(error))
            if (~(error <= CLAIMED * claim) & (error > LEAST_SHARE * max(largest, LEAST_SHARE))).any():
                return Finding(
                    "Floquet state", FAILED, f"{told}; {key!r} is off by {size(error):.1e}, beyond its claims"
                )
        return Finding("Floquet state", PASSED, f"{told}; largest error {worst:.1e}")


def _shared(one: Record, other: Record) -> list[str]:
    return [str(name) for name in one.dataset.data_vars if name in other.dataset and not str(name).startswith("cert")]
