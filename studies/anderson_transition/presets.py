"""What is computed: `quick` takes minutes on one core; `paper` has the letter's sizes (days)."""

from dataclasses import dataclass

CRITICAL = 16.5
"""W_c, by which the letter scales."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of all figures."""

    name: str
    sizes: dict[int, int]  # Figs. 1b and 2a: L0 and realisations of each W
    disorder: tuple[float, ...]  # Figs. 1b and 2a
    scaling_sizes: dict[int, int]  # Fig. 2b: L0 and realisations of each W
    scaling_disorder: tuple[float, ...]  # Fig. 2b
    bars: dict[int, int]  # Lyapunov exponents: width and slices of each W
    bar_disorder: tuple[float, ...]


PRESETS = {
    "quick": Preset(
        name="quick",
        sizes={6: 400, 8: 200, 10: 100, 12: 40, 14: 16},
        disorder=(10.0, 16.5, 21.0),
        scaling_sizes={6: 200, 8: 100, 10: 16},
        scaling_disorder=(10.0, 13.0, 15.0, 16.5, 18.0, 21.0, 26.0),
        bars={3: 2_000_000, 4: 1_600_000, 6: 320_000},
        bar_disorder=(14.0, 15.0, 16.0, 16.5, 17.0, 18.0, 19.0),
    ),
    "paper": Preset(
        name="paper",
        sizes={12: 1000, 14: 1000, 16: 500, 18: 300, 20: 200},
        disorder=(10.0, 16.5, 21.0),
        scaling_sizes={10: 1000, 12: 1000, 14: 500, 16: 300},
        scaling_disorder=(10.0, 12.0, 14.0, 15.5, 16.5, 17.5, 19.0, 21.0, 24.0),
        bars={4: 50_000_000, 6: 20_000_000, 8: 10_000_000, 10: 5_000_000, 12: 2_000_000},
        bar_disorder=(15.0, 15.5, 16.0, 16.25, 16.5, 16.75, 17.0, 17.5, 18.0),
    ),
}
