"""What the figures share: their options, titles, and where they and the data behind them are kept."""

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

FIGURES = Path(__file__).parent / "figures"
STORE = Path("runs") / "anderson_transition"
PresetOption = Annotated[str, typer.Option("--preset", help=f"one of {', '.join(PRESETS)}")]
StoreOption = Annotated[Path, typer.Option("--store", help="where realisations are kept, and found again")]
LEADS = r"leads ($t_\parallel, t_\perp$) = (3, 1), $t_c$ = 1, T = 0"


def preset_named(name: str) -> Preset:
    """A preset, or a clear refusal."""
    if name not in PRESETS:
        raise typer.BadParameter(f"there is no preset {name!r}: it is one of {', '.join(PRESETS)}")
    return PRESETS[name]


def save(figure: Figure, averages: xr.Dataset, name: str, preset: Preset, folder: Path = FIGURES) -> Path:
    """Write the figure and the averages it shows; return the figure's path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{name}_{preset.name}"
    averages.to_netcdf(f"{stem}.nc", engine="h5netcdf")
    target = Path(f"{stem}.png")
    figure.savefig(target, dpi=110)
    print(target)
    return target
