"""What truncation must cost at least: free fermions whose exact steady state is cut at a single bond.

Run from the root: `python -m benchmarks.schmidt` (seconds). The steady state of a quadratic chain is Gaussian, and as a
vector of coefficients it is a Slater determinant of 2 n modes: its operator-space Schmidt values across any bond are
known exactly, and so are the densities of the best state of bond dimension chi *at this bond alone*, all other bonds
exact. An engine cuts at all bonds, again and again.

Two chains of `benchmarks.chains`: gain and loss at every site, and three sources and three sinks on twenty sites.
Columns: the entropy of the Schmidt weights (nat), and for each chi the weight left out and the largest error of <n_i>;
the last line adds the errors of all bonds.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.chains import free_correlations, sparse_baths, spread_baths
from tnness.engines.fermions.entropy import largest_choices, operator_orbitals, split_orbitals

CHIS = (16, 32, 64, 128)
"""Bond dimensions."""


def cut(correlation: NDArray[Any], bond: int, chis: Sequence[int]) -> tuple[float, NDArray[np.float64]]:
    """Return the entropy across a bond, and for each chi the weight left out and the largest error of a density.

    The Schmidt vectors are Slater determinants too: each orbital is on the left or on the right. With the identity's
    orbitals Phi, Tr(n_i D) of such a determinant D is det(Phi^+ (1 + e_i e_i^+) D) - det(Phi^+ D).
    """
    n = len(correlation)
    left = np.tile(np.arange(n) <= bond, 2)
    weights, first, second = split_orbitals(operator_orbitals(correlation), left)
    chosen, probabilities = largest_choices(weights, max(chis))
    unit = operator_orbitals(np.eye(n) / 2)
    traces, densities = np.zeros(len(chosen)), np.zeros((len(chosen), n))
    for k, (on_left, probability) in enumerate(zip(chosen, probabilities, strict=True)):
        orbitals = np.where(on_left, first, second)
        overlaps, amplitude = unit.conj().T @ orbitals, np.sqrt(probability)
        traces[k] = (amplitude * np.linalg.det(overlaps)).real
        turned = overlaps + unit[:n].conj()[:, :, None] * orbitals[:n][:, None, :]
        densities[k] = (amplitude * np.linalg.det(turned)).real - traces[k]
    exact, told = np.real(np.diag(correlation)), []
    for chi in chis:
        found = densities[:chi].sum(axis=0) / traces[:chi].sum()
        told.append((max(0.0, 1 - probabilities[:chi].sum()), np.abs(found - exact).max()))
    inner = weights[(weights > 0) & (weights < 1)]
    return float(-(inner * np.log(inner) + (1 - inner) * np.log1p(-inner)).sum()), np.array(told)


def main(n: Annotated[int, typer.Option(help="number of sites")] = 20) -> None:
    """Print both tables."""
    for name, baths in (("gain and loss at every site", spread_baths(n)), ("six baths", sparse_baths(n))):
        correlation, total = free_correlations(1.0, *baths), np.zeros(len(CHIS))
        typer.echo(f"{name}, n = {n}")
        typer.echo("bond entropy " + " ".join(f"{f'chi {chi}: weight, error':>24}" for chi in CHIS))
        for bond in range(n - 1):
            entropy, told = cut(correlation, bond, CHIS)
            total += told[:, 1]
            typer.echo(f"{bond:4d} {entropy:7.3f} " + " ".join(f"{w:14.1e} {error:9.1e}" for w, error in told))
        typer.echo(" sum         " + " ".join(f"{error:24.1e}" for error in total))


if __name__ == "__main__":
    typer.run(main)
