"""What is computed: `quick` in minutes of one core, `paper` with the lengths that tell a limit."""

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
        deltas=(0.0, 0.5, 1.0, 1.5),
        gammas=(0.5, 1.0, 2.0),
        driven={4: 0, 6: 0, 10: 24, 20: 32, 40: 32},
        response={4: 0, 6: 0, 10: 24, 20: 32, 40: 32},
        noise={3: 0, 4: 0, 5: 0, 6: 0, 8: 32, 12: 32, 16: 32},
        gap={3: 0, 4: 0, 5: 0, 6: 0, 8: 32, 12: 32, 20: 32},
    ),
}
