"""What is computed: `quick` in half a minute of one core, `paper` in ten, with longer chains and one more Delta."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of the figure. A bond dimension of 0 means exact diagonalisation."""

    name: str
    deltas: tuple[float, ...]  # anisotropies
    gammas: tuple[float, ...]  # rates of the contacts, for the driven chain
    driven: dict[int, int]  # length -> bond dimension: the driven chain
    response: dict[int, int]  # linear response
    noise: dict[int, int]  # counting statistics
    gap: dict[int, int]  # slowest rate


PRESETS = {
    "quick": Preset(
        name="quick",
        deltas=(0.0, 1.0),
        gammas=(0.5, 1.0, 2.0),
        driven={4: 0, 5: 0, 6: 0, 7: 0},
        response={4: 0, 6: 0, 12: 24},
        noise={3: 0, 4: 0, 5: 0},
        gap={3: 0, 4: 0, 5: 0},
    ),
    "paper": Preset(
        name="paper",
        deltas=(0.0, 1.0, 1.5),
        gammas=(0.5, 1.0, 2.0),
        driven={4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 20: 32},
        response={4: 0, 6: 0, 8: 0, 12: 32, 20: 32},
        noise={3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0},
        gap={3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0},
    ),
}
