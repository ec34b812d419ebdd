"""Options of the figures, and where they are kept."""

from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness.study import scripts
from tnness.study.scripts import StoreOption, WorkersOption

__all__ = ["StoreOption", "WorkersOption"]

FIGURES = Path(__file__).parent / "figures"
STORE = Path("runs") / "current_driven_circuits"
PresetOption = scripts.preset_option(PRESETS)


def preset_named(name: str) -> Preset:
    """A preset, or a clear refusal."""
    return scripts.preset_named(PRESETS, name)


def title(figure: Figure, what: str, dataset: xr.Dataset) -> None:
    """Say in the figure what was computed and how."""
    figure.suptitle(f"{dataset.attrs['preset']} preset: {what}", fontsize=8)


def save(figure: Figure, dataset: xr.Dataset, name: str, folder: Path = FIGURES) -> Path:
    """Write the figure and the data behind it."""
    return scripts.save(figure, {"": dataset}, folder / f"{name}_{dataset.attrs['preset']}", dpi=100)
