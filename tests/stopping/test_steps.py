"""The error that two steps tell of the shorter one, against fixed points of whole Trotter steps as dense matrices."""

import numpy as np
import pytest
from scipy.linalg import expm

from tnness.engines.ask import Ask
from tnness.engines.tebd import COARSER, TEBD
from tnness.model.protocol import draw, generator_of
from tnness.model.registry import find
from tnness.network.trotter import layers
from tnness.records.history import History
from tnness.stopping.discretisation import Stage, trotter_errors

CHAINS = [
    *(("mbl-heisenberg", {"n": 4, "h": h, "eps": 0.2}) for h in (1.0, 2.0, 8.0)),
    ("xxz-driven", {"n": 4, "delta": 1.5, "mu": 0.4}),
    ("xx-dephasing", {"n": 4, "dephasing": 0.3}),
    *((name, {"n": 5}) for name in ("ssep", "asep", "tasep")),
]


def steady(matrix, trace):
    """The vector of trace 1 that a matrix leaves unchanged."""
    equations = np.vstack([matrix - np.eye(len(matrix)), trace])
    return np.linalg.lstsq(equations, np.append(np.zeros(len(matrix)), 1.0), rcond=None)[0]


def neighbours(state, generator):
    """The marginals of every two neighbours."""
    trace, whole, found = generator.functionals["trace"], state.reshape(generator.dims), []
    for bond in range(generator.n - 1):
        rest = whole
        for site in reversed(range(generator.n)):
            if site not in (bond, bond + 1):
                rest = np.tensordot(rest, trace[site], (site, 0))
        found.append(rest)
    return np.array(found)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("name", "parameters"), CHAINS)
def test_two_steps_tell_the_error_of_the_shorter_one(name, parameters, seed):
    generator = generator_of(draw(find(name)(**parameters), seed))
    dims, trace = generator.dims, np.ones(1)
    for covector in generator.functionals["trace"]:
        trace = np.kron(trace, covector)
    parts = [0.0, 0.0]
    for bond, matrix in enumerate(generator.merged_bonds):
        left, right = np.eye(int(np.prod(dims[:bond]))), np.eye(int(np.prod(dims[bond + 2 :])))
        parts[bond % 2] = parts[bond % 2] + np.kron(np.kron(left, matrix), right)
    dt = TEBD().step_factor(generator, Ask(tolerance=1e-2)) * TEBD().time_step(generator)
    history, stages = History(), []
    for k, step in enumerate((COARSER * dt, dt)):
        whole = np.eye(len(trace))
        for parity, fraction in layers(4, 1):
            whole = expm(parts[parity] * fraction * step) @ whole
        history.add(float(k), k, {"pairs": neighbours(steady(whole, trace), generator)})
        stages.append(Stage(chi=8, dt=step))
    exact = neighbours(steady(np.eye(len(trace)) + parts[0] + parts[1], trace), generator)
    run = type("Run", (), {"stages": [*stages, Stage(chi=16, dt=dt)], "refined": 0})()
    error, told = np.abs(history.values["pairs"][1] - exact), trotter_errors(run, 4, history, None)["pairs"]
    assert error.max() <= told.max()
    assert 1e-7 < told.max() < 1e-2
