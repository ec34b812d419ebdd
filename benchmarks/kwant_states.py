"""Kwant's side of `benchmarks.scattering`: runs in Kwant's own environment, knows nothing of tnness.

`python kwant_states.py INPUT.npz OUTPUT.npz`; the input holds the potential (length, size, size), the leads' hoppings,
the energy and how often to time; the output seconds, densities and a few columns of sum_n psi_n psi_n^+, unit current.
"""

import sys
import time

import kwant
import numpy as np


def wire(potential: np.ndarray, t_par: float, t_perp: float) -> "kwant.system.FiniteSystem":
    """The disordered wire, with the first slice of each lead so that the contact has hopping 1."""
    length, size, _ = potential.shape
    lattice = kwant.lattice.cubic(norbs=1)
    builder = kwant.Builder()
    across = [(1, s) for s in range(size)]
    for x in range(-1, length + 1):
        hopping = t_perp if x in (-1, length) else 1.0
        for _, y in across:
            for _, z in across:
                builder[lattice(x, y, z)] = 0.0 if x in (-1, length) else potential[x, y, z]
        for _, y in across:
            for _, z in across:
                builder[lattice(x, y, z), lattice(x, (y + 1) % size, z)] = hopping
                builder[lattice(x, y, z), lattice(x, y, (z + 1) % size)] = hopping
    builder[kwant.builder.HoppingKind((1, 0, 0), lattice)] = 1.0
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0, 0)))
    for _, y in across:
        for _, z in across:
            lead[lattice(0, y, z)] = 0.0
    for _, y in across:
        for _, z in across:
            lead[lattice(0, y, z), lattice(0, (y + 1) % size, z)] = t_perp
            lead[lattice(0, y, z), lattice(0, y, (z + 1) % size)] = t_perp
    lead[kwant.builder.HoppingKind((1, 0, 0), lattice)] = t_par
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized()


def main() -> None:
    given = np.load(sys.argv[1])
    potential = given["potential"]
    system = wire(potential, float(given["t_par"]), float(given["t_perp"]))
    seconds = []
    for _ in range(int(given["repeats"])):
        start = time.process_time()
        states = kwant.wave_function(system, float(given["energy"]))
        found = [states(lead) for lead in (0, 1)]  # (channel, site)
        seconds.append(time.process_time() - start)
    length, size, _ = potential.shape
    number = {tuple(site.tag): k for k, site in enumerate(system.sites)}
    order = [number[x, y, z] for x in range(length) for y in range(size) for z in range(size)]
    probes = given["probes"]
    found = [f[:, order].T for f in found]
    np.savez(
        sys.argv[2],
        seconds=seconds,
        density=[np.sum(np.abs(f) ** 2, axis=1) for f in found],
        columns=[f @ f[probes].conj().T for f in found],
        version=kwant.__version__,
        mumps=kwant.solvers.default.__name__ if hasattr(kwant.solvers.default, "__name__") else "",
    )


if __name__ == "__main__":
    main()
