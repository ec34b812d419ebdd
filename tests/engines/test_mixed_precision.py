"""Steady states that relax in single precision, and end in double."""

import numpy as np
import pytest

from tnness import TEBD, evolve, find, steady_state
from tnness.engines.tebd_run import TEBDRun


@pytest.fixture
def precisions(monkeypatch):
    """The precision of every step, by stage."""
    seen: list[tuple[int, str]] = []
    step = TEBDRun.step

    def watched(self, until=None):
        stepping = self.kicks is None
        report = step(self, until)
        if stepping:
            seen.append((self.stage, self.state.dtype.name))
        return report

    monkeypatch.setattr(TEBDRun, "step", watched)
    return seen


@pytest.mark.parametrize(
    ("name", "parameters", "chi"),
    [("mbl-heisenberg", {"n": 4, "eps": 0.3}, 16), ("xxz-driven", {"n": 4, "delta": 0.5}, 16), ("ssep", {"n": 5}, 16)],
)
def test_only_the_last_stage_is_in_double_and_claims_hold(name, parameters, chi, precisions):
    model = find(name)(**parameters)
    record = steady_state(model, engine=TEBD(chi=chi, dtype="mixed"), seed=3)
    assert record.certificate.converged, record.outcome
    stages = {stage for stage, _ in precisions}
    last = max(stages)
    assert {dtype for stage, dtype in precisions if stage < last} == {"float32"}
    assert {dtype for stage, dtype in precisions if stage == last} == {"float64"}
    assert record.snapshot.numbers["refined"] == 1
    exact = steady_state(model, engine="exact", seed=3)
    for observable in record.certificate.estimates["relaxation"]:
        true = np.abs(record[observable].values - exact[observable].values)
        assert np.all(true <= record[f"{observable}_error"].values + 1e-9), observable


def test_an_evolution_is_in_double(precisions):
    evolve(find("xxz-driven")(n=4), times=[0.0, 0.5], engine=TEBD(chi=8, dtype="mixed"), errors=False)
    assert {dtype for _, dtype in precisions} == {"float64"}
