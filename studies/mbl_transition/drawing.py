"""What the figures share: their script and its options, their titles, and where they and their data are kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
import xarray as xr
from ensemble import tally
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness.study import scripts
from tnness.study.scripts import StoreOption, WorkersOption

__all__ = ["StoreOption", "WorkersOption"]

FIGURES = Path(__file__).parent / "figures"
STORE = Path("runs") / "mbl_transition"

PresetOption = scripts.preset_option(PRESETS)
DriveOption = Annotated[
    str, typer.Option("--drive", help="the jumps of a bond: correlated, singlet, literal or one-sided")
]
WeightOption = Annotated[
    float, typer.Option("--field-weight", help="share of a bulk field in a bond's energy: 1 or 0.5")
]


def preset_named(name: str, drive: str, field_weight: float) -> Preset:
    """A preset with the choices made, or a clear refusal."""
    return scripts.preset_named(PRESETS, name).choosing(drive, field_weight)


def engine_of(chi: int) -> str:
    """How an engine is called in a title."""
    return "exact" if chi == 0 else rf"TEBD, $\chi$ = {chi}"


def title(figure: Figure, what: str, dataset: xr.Dataset) -> None:
    """Say in the figure what was computed, how, and how many points there are."""
    choice = f"drive {dataset.attrs['drive']!r}, field_weight {dataset.attrs['field_weight']:g}"
    counts = f"; {tally(dataset)}" if "status" in dataset else ""
    figure.suptitle(f"{dataset.attrs['preset']} preset: {what}\n{choice}{counts}", fontsize=8)


def choice_suffix(dataset: xr.Dataset) -> str:
    """What a file name says of the choices that differ from the default ones."""
    drive, weight = dataset.attrs["drive"], dataset.attrs["field_weight"]
    return ("" if drive == "correlated" else f"_{drive}") + ("" if weight == 1 else f"_field-weight={weight:g}")


def save(figure: Figure, dataset: xr.Dataset, name: str, folder: Path = FIGURES, with_data: bool = True) -> Path:
    """Write the figure and the data behind it; return the figure's path."""
    stem = folder / f"{name}_{dataset.attrs['preset']}{choice_suffix(dataset)}"
    return scripts.save(figure, {"": dataset} if with_data else {}, stem)


def script(
    name: str,
    data: Callable[[Preset, Path, int], xr.Dataset],
    draw: Callable[[xr.Dataset], Figure],
    table: Callable[[xr.Dataset], str] | None = None,
    with_data: bool = True,
) -> None:
    """Be the script of a figure: compute its data, print their table if there is one, draw and save."""

    def main(
        preset: PresetOption = "quick",
        workers: WorkersOption = 2,
        store: StoreOption = STORE,
        drive: DriveOption = "correlated",
        field_weight: WeightOption = 1.0,
    ) -> None:
        """Compute what is missing and draw the figure."""
        dataset = data(preset_named(preset, drive, field_weight), store, workers)
        if table is not None:
            print(table(dataset))
        save(draw(dataset), dataset, name, with_data=with_data)

    typer.run(main)


def comparison(
    name: str,
    data: Callable[[Preset, Path, int], xr.Dataset],
    draw: Callable[[xr.Dataset], Figure],
    table: Callable[[xr.Dataset], str],
) -> None:
    """Be the script of a figure that compares choices of the model, so that none is an option."""

    def main(preset: PresetOption = "quick", workers: WorkersOption = 2, store: StoreOption = STORE) -> None:
        """Compute what is missing, print the numbers and draw the figure."""
        dataset = data(scripts.preset_named(PRESETS, preset), store, workers)
        print(table(dataset))
        save(draw(dataset), dataset, name)

    typer.run(main)
