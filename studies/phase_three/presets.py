"""What is computed: `quick` in ten minutes of one core, `paper` with the lengths that the README's conclusion needs."""

from dataclasses import dataclass

from points import Point, Sizes

HALF = (0.5, 0.5)
OTHERS = ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25))


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of all figures."""

    name: str
    sizes: tuple[Sizes, ...]  # Delta S and I against L
    chis: tuple[Point, ...]  # convergence in the bond dimension
    steps: tuple[Point, ...]  # in the time step
    deltas: tuple[Point, ...]  # of finite delta to order delta^2
    lower: tuple[Point, ...] = ()  # long chains of `sizes` at smaller bond dimensions

    def points(self) -> list[Point]:
        """Everything."""
        found = [point for sizes in self.sizes for point in sizes.points()]
        return [*found, *self.chis, *self.steps, *self.deltas]


SHORT = {4: 0, 5: 216, 6: 216, 8: 216}


def at(n: int, chi: int, dt: float = 1.6, delta: float | None = None, tolerance: float = 1e-3) -> Point:
    """A point at p1 = p2 = 1/2."""
    return Point(n=n, p1=0.5, p2=0.5, chi=chi, dt=dt, delta=delta, tolerance=tolerance)


PRESETS = {
    "quick": Preset(
        name="quick",
        sizes=(
            Sizes(gates=(HALF,), chi={**SHORT, 12: 96, 16: 160, 20: 128}),
            Sizes(gates=OTHERS, chi={4: 0, 6: 216, 8: 216, 12: 96, 16: 160, 20: 160}),
        ),
        chis=tuple(at(20, chi) for chi in (32, 64, 96, 128)),
        steps=tuple(at(6, 216, dt=dt, tolerance=1e-4) for dt in (0.8, 1.6, 2.4)),
        deltas=tuple(at(4, 0, delta=delta) for delta in (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)),
    ),
    "paper": Preset(
        name="paper",
        sizes=(
            Sizes(gates=(HALF,), chi={**SHORT, 12: 96, 16: 160, 20: 128, 28: 128, 40: 128}),
            Sizes(gates=OTHERS, chi={4: 0, 6: 216, 8: 216, 12: 96, 16: 160, 20: 160}),
        ),
        chis=tuple(at(n, chi) for n in (20, 40) for chi in (32, 64, 96, 128)),
        steps=tuple(at(8, 216, dt=dt, tolerance=1e-4) for dt in (0.4, 0.8, 1.6, 2.4)),
        deltas=tuple(at(n, 216, delta=delta) for n in (4, 8) for delta in (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)),
        lower=tuple(at(n, chi) for n, chi in {12: 64, 20: 96}.items()),
    ),
}
