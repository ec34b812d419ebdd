"""The side of mqt-yaqs in `benchmarks.trajectories`: runs in an environment of its own, knows nothing of tnness.

`python yaqs_chain.py INPUT.json OUTPUT.json`; the input is a list of requests, each with the couplings of the XXZ
chain, the rate of the jumps Z on all sites, of sigma^+ on the first and of sigma^- on the last, the time and the
settings; the output holds for each <Z_i> of every trajectory at the end, CPU seconds, and the largest bond dimension.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mqt.yaqs import AnalogSimParams, Hamiltonian, NoiseModel, Observable, Simulator, State


def solved(given: dict[str, Any]) -> dict[str, Any]:
    """Run the trajectories one after the other in this process."""
    n, flip = given["n"], np.array([[0, 1], [0, 0]], complex)
    two = [(given["exchange"], "X", "X"), (given["exchange"], "Y", "Y"), (given["delta"] * given["exchange"], "Z", "Z")]
    noise = [{"name": "pauli_z", "sites": [i], "strength": given["dephasing"]} for i in range(n)]
    noise = noise if given["dephasing"] else []
    if given["ends"]:
        noise.append({"name": "up", "sites": [0], "strength": given["ends"], "matrix": flip})
        noise.append({"name": "down", "sites": [n - 1], "strength": given["ends"], "matrix": flip.T})
    parameters = AnalogSimParams(
        observables=[Observable("z", i) for i in range(n)],
        elapsed_time=given["time"],
        dt=given["dt"],
        num_traj=given["trajectories"],
        max_bond_dim=given["chi"],
        svd_threshold=given["cutoff"],
        krylov_tol=given["krylov"],
        order=given["order"],
        sample_timesteps=False,
        random_seed=given["seed"],
        tdvp_mode=given["mode"],
    )
    state = State(n, initial="basis", basis_string="".join("01"[i % 2] for i in range(n)))
    simulator = Simulator(parallel=False, show_progress=False)
    begun = time.process_time()
    result = simulator.run(
        state, Hamiltonian.pauli(length=n, two_body=two), parameters, NoiseModel(noise) if noise else None
    )
    seconds = time.process_time() - begun
    values = np.array([np.real(each).reshape(-1, np.shape(each)[-1])[:, -1] for each in result.trajectories])
    bond = float(np.max(result.max_bond)) if result.max_bond is not None else 0.0
    return {"z": values.T.tolist(), "seconds": seconds, "chi": bond}


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    solved(asked[0] | {"trajectories": 1, "time": asked[0]["dt"]})  # what compiles, compiles before the clock starts
    Path(sys.argv[2]).write_text(json.dumps([solved(each) for each in asked]))
