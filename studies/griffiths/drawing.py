"""What the figures share: their options, parameters and colours."""

from pathlib import Path

from matplotlib import colormaps
from presets import PRESETS

from tnness.study.scripts import preset_option

FIGURES = Path(__file__).parent / "figures"
STORE = Path("runs") / "griffiths"
PresetOption = preset_option(PRESETS)
PARAMETERS = r"$\kappa_0 = 1$, $a\Gamma_0 = 5$, $T_0 = \theta = \bar g = 1$, $\delta g_{1,2} = 0.05$"


def colour(number: int, count: int) -> tuple[float, float, float, float]:
    """One of a row of colours."""
    return colormaps["viridis"](0.9 * number / max(1, count - 1))
