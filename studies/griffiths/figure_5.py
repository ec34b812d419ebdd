"""Fig. 5: current through a line of random links against eps, beside the mean resistivity of eq. (5)."""

from pathlib import Path

import xarray as xr
from analysis import mean_current, resistive_current
from matplotlib.figure import Figure
from networks import averaged_currents
from presets import PRESETS, Preset

from tnness.records.style import canvas, dots, headline, shade
from tnness.study.scripts import script


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Mean current and its error."""
    return averaged_currents(preset.charge, store, workers)


def draw(table: xr.Dataset) -> Figure:
    """Data, and eq. (5) without any free number for alpha < 1."""
    figure, (axes,) = canvas(1, 1)
    eps = table["eps"].values
    for k, alpha in enumerate(table["alpha"].values):
        one, color = table.sel(alpha=alpha), shade(k, table.sizes["alpha"])
        dots(axes, eps, one["current"], one["current_error"], ms=3, color=color, label=rf"$\alpha$ = {alpha:g}")
        axes.plot(eps, mean_current(alpha, eps), "-", lw=0.8, color=color)
        if alpha < 1:
            axes.plot(eps, resistive_current(alpha, eps), ":", lw=0.8, color=color)
    axes.set(xscale="log", yscale="log", xlabel=r"$\epsilon$", ylabel="current $j$")
    axes.legend(loc="lower right", ncols=2)
    what = rf"charge network, d = 1, N = {table.attrs['n']}, V = 0.1 N, $\sigma_0 = 1$, $a\Gamma_0 = 5$"
    told = f"{table.attrs['realizations']} realizations; mean resistance of a link: exact (lines), eq. (5) (dotted)"
    headline(figure, f"{table.attrs['preset']} preset: {what}\n{told}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The currents over both laws."""
    lines, eps = [], table["eps"].values
    for alpha in table["alpha"].values:
        one = table["current"].sel(alpha=alpha).values
        ratio, exact = one / resistive_current(alpha, eps), one / mean_current(alpha, eps)
        lines.append(
            f"over the exact mean: {exact[0]:.3f} to {exact[-1]:.3f}; alpha = {alpha:<4g} "
            f"j = {one[0]:.3e} to {one[-1]:.3e}; over eq. (5): {ratio[0]:.2f} to {ratio[-1]:.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
