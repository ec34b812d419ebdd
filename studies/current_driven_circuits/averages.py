"""Averages over trajectories against the averaged replica: deviations in units of their errors."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness import find, steady_state
from tnness.records.style import canvas, headline, lettered, power_of_ten
from tnness.study.scripts import script, swept
from tnness_models.replica_solutions import phase_two

BIASED = {"m_left": 0.4, "m_right": -0.3}
GATES = {"p1": 0.5, "p2": 0.3}
SAMPLES = 400
"""Of each trajectory, and those before its averages begin."""
PAIRS = {
    "density": "density",
    "h": "h",
    "a": "a",
    "purity": "purity",
    "leading_entropy_deviation": "entropy_deviation",
    "leading_mutual_information": "mutual_information",
}
"""Observables of a trajectory, and what the replica calls their averages."""


def dense(preset: Preset, n: int, coherences: bool, store: Path, workers: int) -> np.ndarray:
    """z of everything, circuits with interactions against the exact replica: (realization, quantity)."""
    about = BIASED | GATES | {"coherences": coherences}
    replica = steady_state(find("replica-abc")(n=n, **about), engine="exact")
    kept = {ours: theirs for ours, theirs in PAIRS.items() if coherences or ours != "a"}
    further = {"steps": preset.averages.gates[0], "negativity": False, "matrices": coherences, "cuts": None}
    further["every"] = preset.averages.gates[0] // SAMPLES
    found = swept(
        "random-circuit",
        {"n": (n,)},
        store / f"averages_{'quantum' if coherences else 'measured'}_gates={preset.averages.gates[0]}",
        parameters=about | further,
        realizations=preset.averages.realizations,
        engine="exact",
        workers=workers,
    )
    return deviations(found, {ours: replica[theirs].values for ours, theirs in kept.items()})


def gaussian(preset: Preset, store: Path, workers: int) -> np.ndarray:
    """z of densities, their variances and |G_ij|^2 without interactions, against the closed equations."""
    n, model = preset.averages.gaussian, find("random-circuit")
    about = {"p1": 0.8, "negativity": False, "matrices": True, "steps": preset.averages.gates[1]}
    about["every"] = preset.averages.gates[1] // SAMPLES
    closed = phase_two(n, 0.8, 1.0, 0.0)
    place = store / f"averages_gaussian_gates={preset.averages.gates[1]}"
    found = swept(
        "random-circuit",
        {"n": (n,)},
        place,
        parameters=about,
        realizations=preset.averages.realizations,
        engine="gaussian",
        workers=workers,
    )
    off = closed * (1 - np.eye(n))
    return deviations(found, {"density": model(n=n).steady_density, "h": np.diag(closed), "a": off})


def deviations(found: xr.Dataset, exact: dict[str, np.ndarray]) -> np.ndarray:
    """(average over one trajectory - exact) / its error by blocking: (realization, quantity)."""
    columns = []
    for name, expected in exact.items():
        here = found.isel(n=0)
        value, error = here[name].values, here[f"{name}_error"].values
        upper = (
            np.triu(np.ones(np.shape(expected)), 1).astype(bool) if name == "a" else np.ones(np.shape(expected), bool)
        )
        z = (value - expected)[:, upper] / error[:, upper]
        columns.append(z.reshape(len(z), -1))
    return np.concatenate(columns, axis=1)


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """z of every case, one row for each trajectory."""
    cases = {f"L = {n}, interactions": dense(preset, n, True, store, workers) for n in preset.averages.dense}
    short = preset.averages.dense[0]
    cases[f"L = {short}, measured, (54)"] = dense(preset, short, False, store, workers)
    cases[f"L = {preset.averages.gaussian}, Gaussian"] = gaussian(preset, store, workers)
    widest = max(z.shape[1] for z in cases.values())
    values = [np.pad(z, ((0, 0), (0, widest - z.shape[1])), constant_values=np.nan) for z in cases.values()]
    table = xr.Dataset({"z": (("case", "realization", "quantity"), np.array(values))}, coords={"case": list(cases)})
    return table.assign_attrs(gates=preset.averages.gates)


def rms(z: np.ndarray) -> float:
    """Root mean square of what is there."""
    return float(np.sqrt(np.nanmean(z**2)))


def of_means(z: np.ndarray) -> np.ndarray:
    """z of the averages over all trajectories, by the scatter between them: (quantity,)."""
    z = z[:, ~np.isnan(z).all(axis=0)]
    count = (~np.isnan(z)).sum(axis=0)
    return np.nanmean(z, axis=0) / np.nanstd(z, axis=0, ddof=1) * np.sqrt(count)


def draw(table: xr.Dataset) -> Figure:
    """Histograms of z of single trajectories, by blocking, with the normal law."""
    figure, panels = canvas(2, (table.sizes["case"] + 1) // 2, sharey=True)
    grid, titles = np.linspace(-5, 5, 201), []
    for axes, case in zip(panels, table["case"].values, strict=False):
        z = table["z"].sel(case=case).values
        flat, means = z[np.isfinite(z)], of_means(z)
        axes.hist(np.clip(flat, -5, 5), bins=np.linspace(-5, 5, 31), density=True, color="C4", alpha=0.7)
        axes.plot(grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), "k-", lw=0.9)
        axes.set_xlabel("deviation $z$ [errors]")
        titles.append(f"{case}\nrms {rms(flat):.2f}; of {len(means)} means {rms(means):.2f}")
    for axes in panels:
        axes.set_ylabel("probability density")
    for axes in panels[len(titles) :]:
        axes.set_axis_off()
    lettered(panels[: len(titles)], titles)
    short, long = (power_of_ten(gates) for gates in table.attrs["gates"])
    how = f"{table.sizes['realization']} trajectories of {short} gates, in the last panel {long}; lines: normal law"
    what = "z = (average over a trajectory - exact) / error by blocking"
    headline(figure, f"{table.attrs['preset']} preset: {what}; {how}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The deviations of every case."""
    lines = []
    for case in table["case"].values:
        z = table["z"].sel(case=case).values
        means, unknown = of_means(z), int(np.isnan(z[:, ~np.isnan(z).all(axis=0)]).sum())
        told = f"rms z {rms(z):.2f}, of the means {rms(means):.2f}, largest {np.abs(means).max():.1f}"
        lines.append(f"{case}: {told}; {unknown} of {np.isfinite(z).sum() + unknown} errors not known")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
