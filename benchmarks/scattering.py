"""All scattering states of both leads on all sites, one energy, one thread: ours against Kwant 1.5 with MUMPS.

`benchmarks/kwant_environment.sh runs/kwant` makes Kwant's environment; then `python -m benchmarks.scattering`. Building
the system is counted for neither. It is CPU time that is compared: other work on the machine disturbs it least. Without
that environment scipy's sparse direct solver stands in.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import typer
from threadpoolctl import threadpool_limits

from tnness.engines.wire.scattering import scattering_states
from tnness.problems.transfer import Lead, TransferChain, ring_hamiltonian, ring_modes

SIZES = [8, 10, 12, 16]
WANTED = {8: 30, 10: 15, 12: 10, 16: 5}
DISORDER, ENERGY, T_PAR, T_PERP = 16.5, 0.01, 3.0, 1.0


def wire(potential: np.ndarray) -> TransferChain:
    """The wire between its leads."""
    length, size, _ = potential.shape
    m = size**2
    onsite = np.broadcast_to(ring_hamiltonian((size, size)), (length, m, m)).copy()
    onsite[:, range(m), range(m)] += potential.reshape(length, m)
    lead = Lead(*ring_modes((size, size), T_PERP), T_PAR)
    return TransferChain(onsite, np.ones((length - 1, m)), lead, lead)


def best(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest of several."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def sparse_direct(chain: TransferChain) -> tuple[np.ndarray, np.ndarray]:
    """The same states by scipy's SuperLU, unit current: (site, channel) of each lead."""
    n, m = chain.slices, chain.m
    blocks: list[list[scipy.sparse.sparray | None]] = [[None] * n for _ in range(n)]
    for x in range(n):
        block = ENERGY * np.eye(m) - chain.onsite[x]
        for lead, place in zip(chain.leads, (0, n - 1), strict=True):
            block = block - (lead.self_energy(ENERGY) if x == place else 0)
        blocks[x][x] = scipy.sparse.csc_array(block)
        if x:
            blocks[x][x - 1] = blocks[x - 1][x] = scipy.sparse.csc_array(-np.eye(m) + 0j)
    factors = scipy.sparse.linalg.splu(scipy.sparse.csc_matrix(scipy.sparse.block_array(blocks)))
    found = []
    for lead, place in zip(chain.leads, (0, n - 1), strict=True):
        source = np.zeros((n, m, m), complex)
        source[place] = lead.modes * np.sqrt(lead.broadening(ENERGY))
        found.append(factors.solve(source.reshape(n * m, m)))
    return found[0], found[1]


def by_kwant(python: Path, potential: np.ndarray, probes: np.ndarray, repeats: int) -> dict[str, np.ndarray]:
    """Seconds, densities and columns from Kwant in its own environment."""
    script = Path(__file__).with_name("kwant_states.py")
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(given, potential=potential, t_par=T_PAR, t_perp=T_PERP, energy=ENERGY, repeats=repeats, probes=probes)
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
        subprocess.run([python, script, given, found], check=True, env=threads)
        return dict(np.load(found))


def row(size: int, python: Path | None, repeats: int) -> str:
    """One size: seconds of both, ratio, largest difference of the states' densities and of a few of their products."""
    potential = np.random.default_rng(size).uniform(-DISORDER / 2, DISORDER / 2, (size, size, size))
    chain = wire(potential)
    probes = np.linspace(0, size**3 - 1, 8).astype(int)
    states = scattering_states(chain, ENERGY)
    ours = best(
        lambda: scattering_states(chain, ENERGY, states.states), 5 * repeats
    )  # memory used again, as in integrals
    mine = [np.sqrt(2 * np.pi) * s.reshape(size**3, -1) for s in (states.left, states.right)]
    if python is None:
        theirs = best(lambda: sparse_direct(chain), 1)
        other = sparse_direct(chain)
        columns = [f @ f[probes].conj().T for f in other]
    else:
        answer = by_kwant(python, potential, probes, repeats)
        theirs, columns = float(answer["seconds"].min()), list(answer["columns"])
    difference = max(np.abs(f @ f[probes].conj().T - c).max() for f, c in zip(mine, columns, strict=True))
    wanted = f"{WANTED[size]}x" if size in WANTED else "-"
    return f"{size:>4} {theirs:>12.4f} {ours:>12.5f} {theirs / ours:>8.1f} {wanted:>8} {difference:>12.1e}"


def main(
    size: Annotated[list[int], typer.Option(help="L0 of the cube (repeatable)")] = SIZES,
    repeats: Annotated[int, typer.Option(help="timings of the peer; five times as many of ours")] = 3,
    environment: Annotated[Path, typer.Option(help="Kwant's environment")] = Path("runs") / "kwant",
) -> None:
    """Print one row per size."""
    python = environment / "bin" / "python"
    found = python.absolute() if python.exists() else None
    peer = "Kwant" if found else "scipy SuperLU"
    print(f"CPU seconds per energy, one thread; W = {DISORDER}, E = {ENERGY}, leads ({T_PAR:g}, {T_PERP:g})")
    print(f"{'L0':>4} {peer:>12} {'tnness':>12} {'ratio':>8} {'wanted':>8} {'difference':>12}")
    with threadpool_limits(1):
        for one in size:
            print(row(one, found, repeats), flush=True)


if __name__ == "__main__":
    typer.run(main)
