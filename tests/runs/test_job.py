"""Jobs: their identity, labels and origins."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.testing import assert_allclose

from small_runs import QUICK, Pumped
from tnness import expectation, product_state, steady_state, two_point
from tnness import spin_half as s
from tnness.engines.ask import Ask
from tnness.runs.job import Job, differences, label
from tnness.runs.origin import Origin


def job(**changes):
    engine = changes.pop("engine", QUICK)
    return Job(Pumped(), "p", engine, Ask(**changes))


def test_jobs_with_equal_settings_are_the_same_job():
    assert job().settings == job().settings
    assert differences(job().settings, job().settings) == []
    changed = job(engine=replace(QUICK, schedule=(2, 4)), max_time=7).settings
    assert differences(job().settings, changed) == [
        "engine_settings.schedule = null there, [2, 4] here",
        "max_time = null there, 7.0 here",
    ]


def test_a_label_is_equal_for_equal_states_only():
    first, second = product_state([s] * 2, [np.eye(2) / 2] * 2), product_state([s] * 2, [np.diag([0.6, 0.4])] * 2)
    assert label(first) == label(first.copy())
    assert label(first) != label(second)
    assert label("identity") == "identity"


def test_an_origin_survives_json():
    from tnness.records.certificate import Prior

    prior = Prior(8, 0.1 + 0.2, 1 / 3, {"trotter": {"z": 1e-300}, "truncation": {}})
    for origin in (Origin(), Origin(1 / 7, 3), Origin(2.5, 0, prior)):
        assert Origin.load(origin.dump(), origin.estimates) == origin


def test_two_point_functions_are_measured_at_the_end():
    @dataclass(frozen=True)
    class Correlated(Pumped):
        def observables(self):
            return {"zz": two_point(s.Z, s.Z, connected=True), "z": expectation([s.Z(i) for i in range(3)], "site")}

    record = steady_state(Correlated(), engine=QUICK)
    assert "zz" not in record.history.values
    assert record["zz"].dims == ("site", "site_2")
    assert_allclose(np.diag(record["zz"]), 1 - record["z"].values ** 2, atol=1e-12)


def test_a_setting_that_an_engine_did_not_have_yet_counts_as_its_default():
    new = job().settings
    old = new | {"engine_settings": {k: v for k, v in new["engine_settings"].items() if k not in ("block", "cutoff")}}
    assert differences(old, new) == differences(new, old) == []
    changed = job(engine=replace(QUICK, block=7)).settings
    assert differences(old, changed) == ["engine_settings.block = 1 there, 7 here"]
    older = {k: v for k, v in new.items() if k != "watch"}
    assert differences(older, new) == differences(new, older) == []
    assert differences(older, job(watch=("z",)).settings) == ['watch = [] there, ["z"] here']
    assert differences({"engine": "gone", "engine_settings": {"chi": 1}}, {"engine": "gone", "engine_settings": {}})
