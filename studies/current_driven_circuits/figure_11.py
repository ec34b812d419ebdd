"""Fig. 11: purity of a circuit without conservation: the printed chain, the Haar average, and drawn circuits."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from scipy.stats import unitary_group

from tnness import find, steady_state
from tnness.records.style import canvas, dots, headline, power_of_ten
from tnness.study.scripts import script

BLOCKS = 40
"""Averages in a row from which the error of a drawn circuit's purity is taken: each is longer than its memory."""


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """-log2 E Tr rho^2 for every length: two chains, their closed forms, and Monte Carlo."""
    lengths = np.array(preset.haar)
    model = find("haar-circuit")
    chains = {
        bulk: [float(-np.log2(steady_state(model(n=n, bulk=bulk), tolerance=1e-5)["purity"])) for n in preset.haar]
        for bulk in ("haar", "printed")
    }
    means, errors = zip(*(drawn(n, preset.steps, seed=n) for n in preset.drawn), strict=True)
    return xr.Dataset(
        {
            "haar": ("n", chains["haar"]),
            "printed": ("n", chains["printed"]),
            "haar_closed": ("n", -np.log2(3 * 2.0**lengths / (2 * 4.0**lengths + 1))),
            "printed_closed": ("n", -np.log2(2 / (2.0**lengths + 1))),
            "drawn": ("n_drawn", list(means)),
            "drawn_error": ("n_drawn", list(errors)),
        },
        coords={"n": lengths, "n_drawn": list(preset.drawn)},
        attrs={"steps": preset.steps},
    )


def drawn(n: int, steps: int, seed: int, d: int = 2) -> tuple[float, float]:
    """Mean purity along one circuit of Haar gates on sites of d levels and its error, from the averages of blocks."""
    rng = np.random.default_rng(seed)
    pure, rho, purities = np.diag([1.0, *[0.0] * (d - 1)]), np.eye(d**n) / d**n, []
    for gate in unitary_group.rvs(d**2, size=steps, random_state=rng):
        bond = int(rng.integers(n))  # 0: the fresh site and site 0
        if bond == 0:
            rho = apply(gate, np.kron(pure, rho), 0, n + 1, d)
            rho = np.einsum("aiaj->ij", rho.reshape(d, d**n, d, d**n))
        else:
            rho = apply(gate, rho, bond - 1, n, d)
        purities.append(float(np.vdot(rho, rho).real))
    blocks = np.array(purities[steps % BLOCKS :]).reshape(BLOCKS, -1).mean(axis=1)[1:]  # the first one still relaxes
    return float(blocks.mean()), float(blocks.std(ddof=1) / np.sqrt(len(blocks)))


def apply(gate: np.ndarray, rho: np.ndarray, site: int, n: int, d: int = 2) -> np.ndarray:
    """U rho U^+ for a gate on sites `site` and `site` + 1 of n sites of d levels."""
    shape = (d**site, d**2, -1)
    half = np.matmul(gate, rho.reshape(*shape)).reshape(d**n, d**n)
    return np.matmul(gate, half.conj().T.reshape(*shape)).reshape(d**n, d**n).conj().T


def draw(table: xr.Dataset) -> Figure:
    """What -log2 of the purity lacks of the chain's length."""
    figure, (axes,) = canvas(1, 1)
    n = table["n"].values
    for name, color, label in (("printed", "C1", "chain as printed, (F6)"), ("haar", "C0", "Haar average")):
        axes.plot(n, n - table[name], "o", ms=5, mfc="none", color=color, label=f"{label}: TEBD")
        axes.plot(n, n - table[f"{name}_closed"], "-", lw=0.9, color=color, label=f"{label}: closed form")
    m, mean = table["n_drawn"].values, table["drawn"].values
    error = table["drawn_error"].values / mean / np.log(2)
    dots(
        axes,
        m,
        m + np.log2(mean),
        error,
        color="k",
        label=f"drawn circuits, {power_of_ten(table.attrs['steps'])} gates",
    )
    axes.set(xlabel="length $L$", ylabel=r"$L + \log_2 E\,\mathrm{Tr}\,\rho^2$ [bit]")
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.55))
    headline(figure, f"{table.attrs['preset']} preset: Haar gates, one end coupled to polarised spins")
    return figure


def tell(table: xr.Dataset) -> str:
    """Purities of drawn circuits beside both closed forms."""
    lines = []
    for n, mean, error in zip(*(table[k].values for k in ("n_drawn", "drawn", "drawn_error")), strict=True):
        haar, printed = 3 * 2.0**n / (2 * 4.0**n + 1), 2 / (2.0**n + 1)
        lines.append(f"L = {n}: drawn {mean:.5f}({error:.5f}), Haar {haar:.5f}, printed {printed:.5f}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
