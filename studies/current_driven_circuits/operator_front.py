"""Operator spreading, (24)-(26): the front of growing operators, integrated and by its marginal speed."""

from pathlib import Path

import numpy as np
import scipy.linalg as linalg
import xarray as xr
from matplotlib.figure import Figure
from scipy.fft import dct, idct

from tnness.records.style import canvas, headline
from tnness.study.scripts import script

PRESETS = {"quick": 0.1}
"""The rate r2."""


def growth(r1: float, r2: float) -> float:
    """The faster growth rate of dn/dt = -r1 n + 2 r2 c, dc/dt = r1 n."""
    return (-r1 + np.sqrt(r1**2 + 8 * r1 * r2)) / 2


def marginal_speed(r1: float, r2: float, diffusion: float = 1.0) -> float:
    """min over s of (D s^2 + growth)/s = 2 sqrt(D growth): the speed at which a linear front settles."""
    return float(2 * np.sqrt(diffusion * growth(r1, r2)))


def integrated_speed(r1: float, r2: float, diffusion: float = 1.0) -> float:
    """Speed at which n = 1 moves out from a local operator, measured late, with the 1/t lag of linear fronts put back.

    Exact in time on a lattice of spacing a: exp(G dt) by Strang splitting of local growth and of diffusion.
    """
    mu = growth(r1, r2)
    spacing = 0.2 * np.sqrt(diffusion / mu)
    speed, steps = 2 * np.sqrt(diffusion * mu), 400
    time = 30 / mu  # the front is then e^-30 of what lies behind it: above round-off
    dt = time / steps
    x = spacing * np.arange(int(1.4 * speed * time / spacing))
    q = np.pi * np.arange(len(x)) / (len(x) - 1)
    kept = np.exp(-2 * diffusion / spacing**2 * (1 - np.cos(q)) * dt)
    local = linalg.expm(np.array([[-r1, 2 * r2], [r1, 0.0]]) * dt / 2)
    fields = np.zeros((2, len(x)))
    fields[0, 0], positions, times, log_scale = 1.0, [], [], 0.0
    for step in range(1, steps + 1):
        fields = local @ fields
        fields = np.array([_smooth(field, kept) for field in fields])
        fields = local @ fields
        size = fields.max()
        fields, log_scale = fields / size, log_scale + np.log(size)
        if step > steps // 2:
            last = np.flatnonzero(fields[0] > np.exp(-log_scale))[-1]
            ahead, behind = np.log(fields[0, last + 1]) + log_scale, np.log(fields[0, last]) + log_scale
            positions.append(x[last] + spacing * behind / (behind - ahead))  # where ln n = 0
            times.append(step * dt)
    # x(t) = v t - (D/v) ln t + const for a point source: fit both terms
    design = np.stack([times, np.log(times), np.ones(len(times))], axis=1)
    return float(np.linalg.lstsq(design, np.array(positions), rcond=None)[0][0])


def _smooth(field: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Diffuse by the cosine transform; round-off below the front is no field."""
    smoothed = idct(kept * dct(field, type=1), type=1)
    return np.where(smoothed > 1e-15 * smoothed.max(), smoothed, 0.0)


def data(r2: float, store: Path, workers: int = 0) -> xr.Dataset:
    """Both speeds against the ratio of the rates."""
    ratios = np.geomspace(1e-3, 1e3, 13)
    speeds = {
        f.__name__.removesuffix("_speed"): [f(r * r2, r2) for r in ratios] for f in (marginal_speed, integrated_speed)
    }
    found = {name: ("ratio", values) for name, values in speeds.items()}
    return xr.Dataset(found, coords={"ratio": ratios}, attrs={"r2": r2})


def estimated(table: xr.Dataset) -> xr.DataArray:
    """v^2 / D of (26): min(sqrt(r1 r2), r2)."""
    return np.minimum(np.sqrt(table["ratio"]), 1) * table.attrs["r2"]


def draw(table: xr.Dataset) -> Figure:
    """v^2 against the rates."""
    figure, (axes,) = canvas(1, 1)
    ratios, r2 = table["ratio"], table.attrs["r2"]
    axes.loglog(ratios, table["marginal"] ** 2 / r2, "-", label=r"marginal speed, $4 D \mu$")
    axes.loglog(ratios, table["integrated"] ** 2 / r2, "o", ms=4, mfc="none", label="integrated (24), (25)")
    axes.loglog(ratios, estimated(table) / r2, "k--", lw=0.9, label=r"(26): min($\sqrt{r_1 r_2}$, $r_2$)")
    axes.set(xlabel=r"$r_1 / r_2$", ylabel=r"$v_B^2 / (D r_2)$")
    axes.legend(loc="lower right")
    headline(figure, f"{table.attrs['preset']} preset: fronts of operators, $r_2$ = {r2:g}, D = 1")
    return figure


def tell(table: xr.Dataset) -> str:
    """The speeds."""
    lines, squares = [], table["marginal"] ** 2 / estimated(table)
    for k, ratio in enumerate(table["ratio"].values):
        one, two, three = (float(x[k]) for x in (table["marginal"], table["integrated"], squares))
        lines.append(f"r1/r2 = {ratio:8.3g}: v = {one:.4f}, integrated {two:.4f}, v^2/(26) = {three:.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
