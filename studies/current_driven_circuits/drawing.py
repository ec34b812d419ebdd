"""Options of the figures, and where they are kept."""

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

FIGURES = Path(__file__).parent / "figures"
PresetOption = Annotated[str, typer.Option("--preset", help=f"one of {', '.join(PRESETS)}")]
StoreOption = Annotated[Path, typer.Option("--store", help="where the points are kept, and found again")]


def preset_named(name: str) -> Preset:
    """A preset, or a clear refusal."""
    if name not in PRESETS:
        raise typer.BadParameter(f"there is no preset {name!r}: it is one of {', '.join(PRESETS)}")
    return PRESETS[name]


def save(figure: Figure, dataset: xr.Dataset, name: str, folder: Path = FIGURES) -> Path:
    """Write the figure and the data behind it."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{name}_{dataset.attrs['preset']}"
    dataset.to_netcdf(f"{stem}.nc", engine="h5netcdf")
    figure.savefig(f"{stem}.png", dpi=110)
    print(f"{stem}.png")
    return Path(f"{stem}.png")
