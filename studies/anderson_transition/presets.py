"""What is computed: `quick` takes minutes on one core; `paper` goes towards the letter's sizes, 12 to 20.

Figs. 1b and 2a of `paper` take an hour for L0 = 12 to 18. Fig. 2b takes an hour and a half, the bars take hours.
"""

from dataclasses import dataclass, field

CRITICAL = 16.5
"""W_c, by which the letter scales."""
LEADS = r"leads ($t_\parallel$, $t_\perp$) = (3, 1), $t_c$ = 1, T = 0"
"""The leads of Figs. 1b to 2b, for a figure's title."""
BIAS = r"$\delta\mu / W_c = 3 \times 10^{-3}$"
"""The letter's bias, for a figure's title."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of all figures."""

    name: str
    sizes: dict[int, int]  # Figs. 1b and 2a: L0 and realizations of each W
    disorder: tuple[float, ...]  # Figs. 1b and 2a
    scaling_sizes: dict[int, int]  # Fig. 2b: L0 and realizations of each W
    scaling_disorder: tuple[float, ...]  # Fig. 2b
    bars: dict[int, int]  # Lyapunov exponents: width and slices of each W
    bar_disorder: tuple[float, ...]
    entanglement: dict[int, int] = field(default_factory=dict)  # even L0 and realizations of each W: whole states
    entanglement_biases: tuple[float, ...] = (3e-3 * CRITICAL, 8.0)  # the letter's, and half of W_c
    share: dict[float, float] = field(default_factory=dict)  # Figs. 1b and 2a: of the realizations, where fewer will do

    def realizations(self, size: int, disorder: float) -> int:
        """How many cubes of a size Figs. 1b and 2a have at one W."""
        return round(self.sizes[size] * self.share.get(disorder, 1.0))


PRESETS = {
    "quick": Preset(
        name="quick",
        sizes={6: 400, 8: 200, 10: 100, 12: 40, 14: 16},
        entanglement={4: 24, 6: 8},
        disorder=(10.0, 16.5, 21.0),
        scaling_sizes={6: 200, 8: 100, 10: 16},
        scaling_disorder=(10.0, 13.0, 15.0, 16.5, 18.0, 21.0, 26.0),
        bars={3: 2_000_000, 4: 1_600_000, 6: 320_000},
        bar_disorder=(14.0, 15.0, 16.0, 16.5, 17.0, 18.0, 19.0),
    ),
    "paper": Preset(
        name="paper",
        sizes={12: 240, 14: 120, 16: 56, 18: 40},
        entanglement={4: 200, 6: 100, 8: 16},
        share={10.0: 0.25},
        disorder=(10.0, 16.5, 21.0),
        scaling_sizes={8: 400, 10: 200, 12: 150, 14: 32},
        scaling_disorder=(10.0, 12.0, 14.0, 15.5, 16.5, 17.5, 19.0, 21.0, 24.0),
        bars={4: 50_000_000, 6: 20_000_000, 8: 10_000_000, 10: 5_000_000, 12: 2_000_000},
        bar_disorder=(15.0, 15.5, 16.0, 16.25, 16.5, 16.75, 17.0, 17.5, 18.0),
    ),
}
