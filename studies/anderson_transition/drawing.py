"""What the figures share."""

from pathlib import Path

from presets import PRESETS

from tnness.study.scripts import preset_option

FIGURES = Path(__file__).parent / "figures"
STORE = Path("runs") / "anderson_transition"
PresetOption = preset_option(PRESETS)
LEADS = r"leads ($t_\parallel, t_\perp$) = (3, 1), $t_c$ = 1, T = 0"
