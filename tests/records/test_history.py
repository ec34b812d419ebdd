"""Measurements with errors that not every one of them has."""

import numpy as np
from numpy.testing import assert_array_equal

from tnness.records.history import History
from tnness.records.schema import check_history

NAN = np.nan


def test_errors_have_one_value_per_time_whichever_measurements_gave_one():
    history = History()
    for time, error in enumerate((None, 0.1, None, 0.2)):
        errors = {} if error is None else {"z": np.full(2, error), "w": np.full(1, error)}
        history.add(float(time), 0, {"z": np.ones(2), "w": np.ones(1)}, errors)
    arrays = history.save()
    check_history(arrays)
    assert_array_equal(arrays["error_z"], [[NAN, NAN], [0.1, 0.1], [NAN, NAN], [0.2, 0.2]])
    restored = History.restore(arrays)
    restored.add(4.0, 0, {"z": np.ones(2), "w": np.ones(1)})
    assert_array_equal(restored.errors["w"][3:], [[0.2], [NAN]])
    restored.forget(0)
    assert restored.times == []
