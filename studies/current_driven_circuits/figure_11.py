"""Fig. 11: purity of a circuit without conservation: the printed chain, the Haar average, and drawn circuits."""

import numpy as np
import typer
import xarray as xr
from drawing import PresetOption, preset_named, save
from matplotlib.figure import Figure
from presets import Preset
from scipy.stats import unitary_group

from tnness import find, steady_state

BLOCKS = 40
"""Averages in a row from which the error of a drawn circuit's purity is taken: each is longer than its memory."""


def data(preset: Preset) -> xr.Dataset:
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
        attrs={"preset": preset.name, "steps": preset.steps},
    )


def drawn(n: int, steps: int, seed: int) -> tuple[float, float]:
    """Mean purity along one circuit of Haar gates and its error, from the averages of blocks."""
    rng = np.random.default_rng(seed)
    up, rho, purities = np.diag([1.0, 0.0]), np.eye(2**n) / 2**n, []
    for gate in unitary_group.rvs(4, size=steps, random_state=rng):
        bond = int(rng.integers(n))  # 0: the fresh spin and site 0
        if bond == 0:
            rho = apply(gate, np.kron(up, rho), 0, n + 1)
            rho = np.einsum("aiaj->ij", rho.reshape(2, 2**n, 2, 2**n))
        else:
            rho = apply(gate, rho, bond - 1, n)
        purities.append(float(np.vdot(rho, rho).real))
    blocks = np.array(purities[steps % BLOCKS :]).reshape(BLOCKS, -1).mean(axis=1)[1:]  # the first one still relaxes
    return float(blocks.mean()), float(blocks.std(ddof=1) / np.sqrt(len(blocks)))


def apply(gate: np.ndarray, rho: np.ndarray, site: int, n: int) -> np.ndarray:
    """U rho U^+ for a gate on sites `site` and `site` + 1 of n spins."""
    shape = (2**site, 4, -1)
    half = np.matmul(gate, rho.reshape(*shape)).reshape(2**n, 2**n)
    return np.matmul(gate, half.conj().T.reshape(*shape)).reshape(2**n, 2**n).conj().T


def draw(dataset: xr.Dataset) -> Figure:
    """What -log2 of the purity lacks of the chain's length."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    n = dataset["n"].values
    for name, colour, label in (("haar", "C0", "Haar average"), ("printed", "C1", "chain as printed, (F6)")):
        axes.plot(n, n - dataset[name], "o", ms=5, mfc="none", color=colour, label=f"{label}: TEBD")
        axes.plot(n, n - dataset[f"{name}_closed"], "-", lw=0.9, color=colour, label=f"{label}: closed form")
    m, mean = dataset["n_drawn"].values, dataset["drawn"].values
    error = dataset["drawn_error"].values / mean / np.log(2)
    axes.errorbar(
        m, m + np.log2(mean), error, fmt="k.", capsize=3, label=f"drawn circuits, {dataset.attrs['steps']} gates"
    )
    axes.set(xlabel="L", ylabel=r"$L + \log_2 E\,$Tr$\rho^2$  [bit]")
    axes.legend(fontsize=8)
    figure.suptitle(f"{dataset.attrs['preset']} preset: Haar gates, one end coupled to polarised spins", fontsize=8)
    return figure


def main(preset: PresetOption = "quick") -> None:
    """Compute and draw the figure."""
    dataset = data(preset_named(preset))
    for n, mean, error in zip(*(dataset[k].values for k in ("n_drawn", "drawn", "drawn_error")), strict=True):
        haar, printed = 3 * 2.0**n / (2 * 4.0**n + 1), 2 / (2.0**n + 1)
        print(f"L = {n}: drawn {mean:.5f}({error:.5f}), Haar {haar:.5f}, printed {printed:.5f}")
    save(draw(dataset), dataset, "figure_11")


if __name__ == "__main__":
    typer.run(main)
