"""Sec. IV: spins that carry a qudit each, exactly on short chains: Delta S and I at order delta^2 without a p2.

Gates of two neighbours are Haar random in each sector of the charge (p1 = 1): U(q^2) on uu and dd, U(2 q^2) on ud, du.
The average of rho x rho lives in eight operators a site, by the charges a, c of the replicas: P_a x P_c and
SWAP (P_a x P_c). A reservoir's site has its charge and a qudit at infinite temperature.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from tnness.records.style import canvas, headline, lettered
from tnness.study.scripts import script

CHARGES = list(product(range(2), range(2)))
"""(a, c) of the two replicas; 0 is up."""


@dataclass(frozen=True, kw_only=True)
class Charged:
    """Chains of several lengths and qudits."""

    levels: tuple[int, ...]  # q, at least 2
    lengths: tuple[int, ...]
    delta: float  # difference of magnetisation


PRESETS = {
    "quick": Charged(levels=(2, 3, 8), lengths=(2, 3, 4, 5, 6), delta=0.05),
    "paper": Charged(levels=(2, 3, 4, 8, 32), lengths=(2, 3, 4, 5, 6, 7), delta=0.05),
}


def gram(q: int) -> np.ndarray:
    """Tr A^+ B of the operators of a site: P_a x P_c, then SWAP (P_a x P_c): (8, 8)."""
    same = np.diag([float(a == c) for a, c in CHARGES])
    return np.block([[q**2 * np.eye(4), q * same], [q * same, q**2 * np.eye(4)]])


def gate(q: int) -> np.ndarray:
    """E[UU . U^+U^+] on the coefficients of two sites: the projector onto what commutes with all gates: (64, 64)."""
    vectors = []
    for first, second in product(range(3), range(3)):  # numbers of downs of the replicas
        for kind in (0, 4):
            vector = np.zeros((8, 8))
            for (i, (a, c)), (j, (b, d)) in product(enumerate(CHARGES), enumerate(CHARGES)):
                vector[kind + i, kind + j] = a + b == first and c + d == second
            vectors.append(vector.ravel())
    span, metric = np.array(vectors).T, np.kron(gram(q), gram(q))
    return span @ np.linalg.solve(span.T @ metric @ span, span.T @ metric)


def inlet(q: int, up: float) -> np.ndarray:
    """A gate on a fresh site and the next one, the fresh one traced out: (8, 8)."""
    filled = (up, 1 - up)
    fresh = np.array([filled[a] * filled[c] for a, c in CHARGES] + [0.0] * 4) / q**2
    return np.einsum("a,abcd,c->bd", trace(q), gate(q).reshape(8, 8, 8, 8), fresh)


def trace(q: int) -> np.ndarray:
    """Tr of the operators of a site."""
    return np.array([float(q**2)] * 4 + [q * float(a == c) for a, c in CHARGES])


def swapped(q: int) -> np.ndarray:
    """Tr SWAP of the operators of a site."""
    return np.array([q * float(a == c) for a, c in CHARGES] + [float(q**2)] * 4)


def steady(q: int, n: int, delta: float, tolerance: float = 1e-13) -> np.ndarray:
    """Coefficients of the average of rho x rho in the steady state: gates until it is still, (8,) * n."""
    bond, left, right = gate(q), inlet(q, (1 + delta) / 2), inlet(q, (1 - delta) / 2)
    single = np.array([1.0] * 4 + [0.0] * 4) / (2 * q) ** 2
    state = single
    for _ in range(n - 1):
        state = np.multiply.outer(state, single)
    while True:
        total = np.tensordot(left, state, (1, 0))
        total = total + np.moveaxis(np.tensordot(right, state, (1, n - 1)), 0, n - 1)
        for k in range(n - 1):
            part = np.tensordot(bond.reshape([8] * 4), state, ((2, 3), (k, k + 1)))
            total = total + np.moveaxis(part, (0, 1), (k, k + 1))
        new = total / (n + 1)
        change = np.abs(new - state).max() / np.abs(new).max()
        state = new
        if change < tolerance:
            return state


def purity(state: np.ndarray, q: int, sites: range) -> float:
    """E Tr rho_X^2."""
    for site in range(state.ndim):
        state = np.tensordot(swapped(q) if site in sites else trace(q), state, (0, 0))
    return float(state)


def densities(n: int, delta: float) -> np.ndarray:
    """<n_i> of the exclusion process."""
    return 0.5 + delta * (0.5 - np.arange(1, n + 1) / (n + 1))


def deviation(state: np.ndarray, q: int, delta: float, sites: range) -> float:
    """Delta S of some sites, to leading order: half of D (E Tr rho_X^2 - Tr rho_LE,X^2), D the dimension of X."""
    n = densities(state.ndim, delta)[sites]
    local = float(np.prod((n**2 + (1 - n) ** 2) / q))
    return (2.0 * q) ** len(n) / 2 * (purity(state, q, sites) - local)


def data(preset: Charged, store: Path, workers: int = 0) -> xr.Dataset:
    """Delta S and I of the halves over delta^2: (levels, n)."""
    found = np.empty((2, len(preset.levels), len(preset.lengths)))
    for i, q in enumerate(preset.levels):
        for j, n in enumerate(preset.lengths):
            state = steady(q, n, preset.delta)
            whole, *halves = (
                deviation(state, q, preset.delta, sites) for sites in (range(n), range(n // 2), range(n // 2, n))
            )
            found[:, i, j] = np.array([whole, whole - sum(halves)]) / preset.delta**2
    table = {name: (("levels", "n"), values) for name, values in zip(("deviation", "information"), found, strict=True)}
    coordinates = {"levels": list(preset.levels), "n": list(preset.lengths)}
    return xr.Dataset(table, coords=coordinates, attrs={"delta": preset.delta})


def speed(q: int) -> float:
    """Speed of the end of a string under Haar gates on sites of d = 2 q levels, one a bond and unit of time, no charge.

    The gate beyond the end moves it out with the probability d^2/(d^2 + 1); the gate at the end moves it in with
    1/(d^2 + 1).
    """
    d = 2 * q
    return (d**2 - 1) / (d**2 + 1)


def limit(values: xr.DataArray, step: int) -> float:
    """A line in 1/L through the last length and the one `step` before it, at 1/L = 0."""
    (first, last), (a, b) = values["n"].values[[-1 - step, -1]], values.values[[-1 - step, -1]]
    return float((last * b - first * a) / (last - first))


def draw(table: xr.Dataset) -> Figure:
    """Delta S and I against 1/L, with what fronts of a known speed would make them."""
    figure, panels = canvas(1, 2)
    n = table["n"].values
    words = (r"$\Delta S/\delta^2$", r"$I/\delta^2$")
    for axes, name, word in zip(panels, ("deviation", "information"), words, strict=True):
        for k, q in enumerate(table["levels"].values):
            axes.plot(1 / n, table[name].sel(levels=q), "os^D"[k % 4] + "-", ms=4, color=f"C{k}", label=f"q = {q}")
            whole = 1 / (2 * speed(int(q)))
            axes.plot(0, whole if name == "deviation" else whole / 2, "_", ms=14, mew=2, color=f"C{k}")
        axes.set(xlabel="$1/L$", ylabel=f"{word} [nat]", ylim=(0, None))
        axes.legend(loc="lower left")
    lettered(panels, ("bars at 0: $1/2v$", "of the halves; bars at 0: $1/4v$"))
    what = rf"spins with qudits of q levels, p1 = 1, exact, $\delta$ = {table.attrs['delta']:g}"
    headline(figure, f"{table.attrs['preset']} preset: {what}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The numbers."""
    lines = []
    for q in table["levels"].values:
        for name in ("deviation", "information"):
            values = ", ".join(f"{float(v):.4f}" for v in table[name].sel(levels=q))
            end = limit(table[name].sel(levels=q), 1 if name == "deviation" else 2)
            picture = 1 / ((2 if name == "deviation" else 4) * speed(int(q)))
            told = f"{values}; line in 1/L ends at {end:.3f}, 1/(2v) or 1/(4v) = {picture:.3f}"
            lines.append(f"q = {q}, {name} / delta^2 at L = {table['n'].values.tolist()}: {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
