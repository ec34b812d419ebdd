"""What the figures share: their options, their titles, and where they and the data behind them are kept."""

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr
from ensemble import tally
from matplotlib.figure import Figure
from presets import PRESETS, Preset

FIGURES = Path(__file__).parent / "figures"
STORE = Path("runs") / "mbl_transition"

PresetOption = Annotated[str, typer.Option("--preset", help=f"one of {', '.join(PRESETS)}")]
WorkersOption = Annotated[int, typer.Option("--workers", min=0, help="processes, one BLAS thread each")]
StoreOption = Annotated[Path, typer.Option("--store", help="where the points are kept, and found again")]


def preset_named(name: str) -> Preset:
    """A preset, or a clear refusal."""
    if name not in PRESETS:
        raise typer.BadParameter(f"there is no preset {name!r}: it is one of {', '.join(PRESETS)}")
    return PRESETS[name]


def engine_of(chi: int) -> str:
    """How an engine is called in a title."""
    return "exact" if chi == 0 else rf"TEBD, $\chi$ = {chi}"


def title(figure: Figure, what: str, dataset: xr.Dataset) -> None:
    """Say in the figure what was computed, how, and how many points there are."""
    choice = f"drive {dataset.attrs['drive']!r}, field_weight {dataset.attrs['field_weight']:g}"
    figure.suptitle(f"{dataset.attrs['preset']} preset: {what}; {choice}; {tally(dataset)}", fontsize=8)


def save(figure: Figure, dataset: xr.Dataset, name: str, folder: Path = FIGURES) -> Path:
    """Write the figure and the data behind it; return the figure's path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{name}_{dataset.attrs['preset']}"
    packed = {variable: {"zlib": True, "complevel": 9} for variable in dataset.data_vars}
    dataset.to_netcdf(stem.with_suffix(".nc"), engine="h5netcdf", encoding=packed)
    figure.savefig(stem.with_suffix(".png"), dpi=110)
    print(stem.with_suffix(".png"))
    return stem.with_suffix(".png")
