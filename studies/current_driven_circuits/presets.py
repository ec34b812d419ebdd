"""What is computed: `quick` in a quarter of an hour of one core, `paper` at greater lengths."""

from dataclasses import dataclass

from points import Point


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A line through the phase diagram: gates by what is varied, and two lengths whose ratio gives the exponents."""

    name: str
    gates: tuple[tuple[float, float], ...]  # (p1, p2)
    varied: str  # p1 or p2
    lengths: tuple[int, int]
    chi: int

    def points(self) -> list[tuple[Point, Point]]:
        """Pairs of the same gates at both lengths."""
        short, long = self.lengths
        return [
            (Point(n=short, p1=p1, p2=p2, chi=self.chi), Point(n=long, p1=p1, p2=p2, chi=self.chi))
            for p1, p2 in self.gates
        ]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of all figures."""

    name: str
    cuts: tuple[Cut, ...]
    haar: tuple[int, ...]  # lengths of Fig. 11
    drawn: tuple[int, ...]  # lengths at which circuits are drawn, too
    steps: int  # gates of each of them


GAUSSIAN = tuple((10.0**-k, 0.0) for k in (6, 5.5, 5, 4.5, 4, 3.5, 3, 2.5, 2, 1.5, 1, 0.5, 0))
FEW = (0.01, 0.03, 0.1, 0.3, 0.5)

PRESETS = {
    "quick": Preset(
        name="quick",
        cuts=(
            Cut(name="I to II: p2 = 0", gates=GAUSSIAN, varied="p1", lengths=(50, 100), chi=0),
            Cut(name="II to III: p1 = 1/2", gates=tuple((0.5, p) for p in FEW), varied="p2", lengths=(6, 12), chi=64),
            Cut(name="I to III: p2 = 1/2", gates=tuple((p, 0.5) for p in FEW), varied="p1", lengths=(6, 12), chi=64),
        ),
        haar=(2, 3, 4, 5, 6, 7, 8, 10, 12),
        drawn=(2, 3, 4, 5),
        steps=40_000,
    ),
    "paper": Preset(
        name="paper",
        cuts=(
            Cut(name="I to II: p2 = 0", gates=GAUSSIAN, varied="p1", lengths=(100, 200), chi=0),
            Cut(name="II to III: p1 = 1/2", gates=tuple((0.5, p) for p in FEW), varied="p2", lengths=(20, 40), chi=128),
            Cut(name="I to III: p2 = 1/2", gates=tuple((p, 0.5) for p in FEW), varied="p1", lengths=(20, 40), chi=128),
        ),
        haar=(2, 3, 4, 5, 6, 7, 8, 10, 12, 20),
        drawn=(2, 3, 4, 5, 6, 7),
        steps=200_000,
    ),
}
