"""What is computed for each figure: `quick` for one core and some minutes, `paper` with the paper's numbers.

`potentials` is `paper` with a Fig. 3 that costs nothing beside Fig. 1.
"""

from dataclasses import dataclass, replace

import numpy as np

SITE = {"hopping": 1.0, "gamma": 1.0}
"""The paper's units: J = gamma = 1."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A family of curves: every disorder strength or size, on times that are even in the logarithm."""

    n: tuple[int, ...]
    disorder: tuple[float, ...]
    realizations: int  # of the disorder
    end: float  # last time
    start: float = 0.1
    count: int = 61
    noises: int = 1  # realizations of the noise in each disorder, where they are sampled
    tolerance: float = 1e-6  # of the exact average (see the engine): 1e-5 of the curves' height at worst

    @property
    def times(self) -> list[float]:
        """The times of the curves."""
        return [float(t) for t in np.geomspace(self.start, self.end, self.count)]

    @property
    def growth(self) -> tuple[float, float]:
        """The times between which a slope is fitted."""
        return 10.0, min(1e5, self.end / 10)

    def folder(self, engine: str, **fixed: object) -> str:
        """A name for the sweep of these curves."""
        lists = [f"{name}={','.join(f'{v:g}' for v in getattr(self, name))}" for name in ("n", "disorder")]
        numbers = [
            f"{name}={getattr(self, name):g}" for name in ("realizations", "noises", "end", "count", "tolerance")
        ]
        rest = [f"{name}={'-'.join(map(str, v)) if isinstance(v, tuple) else v}" for name, v in sorted(fixed.items())]
        return "_".join([engine, *lists, *numbers, *rest])


@dataclass(frozen=True, kw_only=True)
class Interacting:
    """A short chain with interactions: exact density matrices, and matrix-product trajectories for the entanglement."""

    delta: tuple[float, ...]
    disorder: float
    n_exact: int
    n_network: int
    realizations: int
    noises: int
    end: float
    count: int = 25

    @property
    def times(self) -> list[float]:
        """The times of the curves."""
        return [float(t) for t in np.geomspace(0.1, self.end, self.count)]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of all figures."""

    name: str
    energy: tuple[Curves, Curves]  # Fig. 1: against W, against L
    entanglement: tuple[Curves, Curves]  # Fig. 2
    spreading: tuple[Curves, Curves]  # Fig. 3
    longest: Curves | None  # Fig. 3: a chain longer than those, in few potentials
    hopping_sites: int  # Fig. 4
    lengths: tuple[float, ...]
    both: Curves  # Fig. 5: the exact average and samples of it
    interacting: Interacting  # Fig. 6
    many: Curves  # Fig. 7: noise on every so many sites
    spacings: tuple[int, ...]
    strengths: Curves  # Fig. 8: one noisy site
    gammas: tuple[float, ...]


STRENGTHS = (1.0, 2.0, 3.0, 5.0)
QUICK = (
    Curves(n=(100,), disorder=STRENGTHS, realizations=6, end=1e8, count=46),
    Curves(n=(12, 24, 48, 100), disorder=(1.0,), realizations=6, end=1e8, count=46),
)

PRESETS = {
    "quick": Preset(
        name="quick",
        energy=QUICK,
        entanglement=(
            Curves(n=(100,), disorder=STRENGTHS, realizations=8, noises=2, end=1e4, count=31),
            Curves(n=(12, 24, 48, 100), disorder=(1.0,), realizations=8, noises=2, end=3e4, count=31),
        ),
        spreading=QUICK,  # the same runs
        longest=Curves(n=(1000,), disorder=(1.0,), realizations=1, end=1e8, count=46),
        hopping_sites=1000,
        lengths=(1.0, 2.0, 4.0, 8.0),
        both=Curves(n=(50,), disorder=(2.0,), realizations=1, noises=50, end=1e3, count=31, tolerance=1e-8),
        interacting=Interacting(
            delta=(0.0, 0.5, 1.0), disorder=3.0, n_exact=6, n_network=8, realizations=4, noises=4, end=100.0
        ),
        many=Curves(n=(100,), disorder=(3.0,), realizations=8, end=1e7, count=41),
        spacings=(5, 10, 15, 20, 30),
        strengths=Curves(n=(100,), disorder=(3.0,), realizations=12, end=1e7, count=41, tolerance=1e-4),
        gammas=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    ),
    "paper": Preset(
        name="paper",
        energy=(
            Curves(n=(100,), disorder=STRENGTHS, realizations=100, end=1e8),
            Curves(n=(12, 24, 48, 100), disorder=(1.0,), realizations=100, end=1e8),
        ),
        entanglement=(
            Curves(n=(100,), disorder=STRENGTHS, realizations=100, noises=10, end=1e5),
            Curves(n=(12, 24, 48, 100), disorder=(1.0,), realizations=100, noises=10, end=1e5),
        ),
        spreading=(
            Curves(n=(1000,), disorder=STRENGTHS, realizations=100, end=1e6, count=41),
            Curves(n=(100, 200, 500, 1000), disorder=(1.0,), realizations=100, end=1e6, count=41),
        ),
        longest=None,
        hopping_sites=1000,
        lengths=(1.0, 2.0, 4.0, 8.0, 16.0),
        both=Curves(n=(100,), disorder=(2.0,), realizations=1, noises=1000, end=1e4, count=41, tolerance=1e-8),
        interacting=Interacting(
            delta=(0.0, 0.5, 1.0), disorder=3.0, n_exact=8, n_network=12, realizations=20, noises=10, end=1000.0
        ),
        many=Curves(n=(200,), disorder=(3.0,), realizations=40, end=1e7, count=41),
        spacings=(10, 15, 20, 30, 40),
        strengths=Curves(n=(100,), disorder=(3.0,), realizations=100, end=1e7, count=41, tolerance=1e-4),
        gammas=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    ),
}
PRESETS["potentials"] = replace(PRESETS["paper"], name="potentials", spreading=PRESETS["paper"].energy)
"""Fig. 3 from the evolutions of Fig. 1: the paper's number of potentials, to L = 100."""
