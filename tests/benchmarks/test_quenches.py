"""A short version of the benchmark of quenches, with fixed seeds."""

import numpy as np
import pytest

from benchmarks.calibration_models import KINDS
from benchmarks.quenches import NOTED, quench, table

SHORT = ("xyz-fields", "xxz-ends", "dephasing", "asymmetric-hops", "weak-link", "spin-one", "ssep", "contact-process")


@pytest.fixture(scope="module")
def runs():
    return [quench(name, 4, index, cost=False) for name in SHORT if name in KINDS for index in range(2)]


def test_claims_cover_the_errors(runs):
    error, claim = (np.concatenate([getattr(run, part) for run in runs]) for part in ("error", "claim"))
    assert len(error) > 1000
    assert (error > NOTED).mean() > 0.05  # there is something to claim
    assert (error <= claim + 1e-9).mean() >= 0.95
    noted = error > NOTED
    assert (error[noted] > 5 * claim[noted]).mean() < 2e-3  # spin 1 at chi = 5: half of it knows no better


def test_no_wrong_one_is_complete(runs):
    assert not [run for run in runs if run.wrong]
    assert any(run.complete for run in runs)
    assert not all(run.complete for run in runs)


def test_the_table_has_a_row_for_every_class(runs):
    lines = list(table(runs))
    assert [line.split("  ")[0].strip() for line in lines[1:6]] == [
        "up to a quarter",
        "to a half",
        "below full",
        "full",
        "all",
    ]
