"""What the figures share: their options, titles, and where they and the data behind them are kept."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import xarray as xr
from matplotlib import colormaps
from matplotlib.figure import Figure
from presets import PRESETS, Preset

FIGURES = Path(__file__).parent / "figures"
PresetOption = Annotated[str, typer.Option("--preset", help=f"one of {', '.join(PRESETS)}")]
PARAMETERS = r"$\kappa_0 = 1$, $a\Gamma_0 = 5$, $T_0 = \theta = \bar g = 1$, $\delta g_{1,2} = 0.05$"


def preset_named(name: str) -> Preset:
    """A preset, or a clear refusal."""
    if name not in PRESETS:
        raise typer.BadParameter(f"there is no preset {name!r}: it is one of {', '.join(PRESETS)}")
    return PRESETS[name]


def colour(number: int, count: int) -> tuple[float, float, float, float]:
    """One of a row of colours."""
    return colormaps["viridis"](0.9 * number / max(1, count - 1))


def save(figure: Figure, averages: xr.Dataset, name: str, preset: Preset, folder: Path = FIGURES) -> Path:
    """Write the figure and the averages it shows; return the figure's path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{name}_{preset.name}"
    averages.astype(np.float32).to_netcdf(f"{stem}.nc", engine="h5netcdf")
    target = Path(f"{stem}.png")
    figure.savefig(target, dpi=110)
    print(target)
    return target
