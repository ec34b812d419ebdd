"""What is computed: `quick` takes minutes on one core; `paper` has the paper's sizes and realizations."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from tnness.records.style import thousands

PARAMETERS = r"$\kappa_0 = 1$, $a\Gamma_0 = 5$, $T_0 = \theta = \bar g = 1$, $\delta g_{1,2} = 0.05$"
"""The paper's units and numbers, for a figure's title."""


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Realizations of one size at several alpha, the same at every eps."""

    n: int
    alpha: tuple[float, ...]
    eps: tuple[float, ...]
    realizations: int


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of all figures."""

    name: str
    thermal: tuple[Ensemble, ...]  # Figs. 1 and 7: one dimension, several sizes
    plane: tuple[Ensemble, ...]  # Fig. 4: two dimensions, several sizes
    charge: Ensemble  # Fig. 5
    charge_plane: Ensemble  # Fig. 6
    spreading: Ensemble  # Fig. 7; eps holds the times


def decades(start: float, stop: float, count: int) -> tuple[float, ...]:
    """Evenly spaced logarithms."""
    return tuple(float(x) for x in np.geomspace(start, stop, count))


ALPHA = (0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 3.0)
PLANE = (0.15, 0.2, 0.3, 0.5, 1.0)
EPS = decades(1e-5, 1e-1, 13)
TIMES = decades(1e-1, 1e9, 41)

PRESETS = {
    "quick": Preset(
        name="quick",
        thermal=tuple(
            Ensemble(n=n, alpha=ALPHA, eps=EPS, realizations=m) for n, m in ((250, 800), (1000, 800), (4000, 400))
        ),
        plane=tuple(
            Ensemble(n=n, alpha=PLANE, eps=decades(1e-4, 1e-1, 10), realizations=m) for n, m in ((25, 128), (100, 30))
        ),
        charge=Ensemble(n=2000, alpha=(0.05, 0.2, 0.3, 0.5, 0.8, 1.5, 3.0), eps=EPS, realizations=200),
        charge_plane=Ensemble(
            n=100, alpha=(0.05, 0.3, 0.5, 1.0, 3.0), eps=(1e-4, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8), realizations=3
        ),
        spreading=Ensemble(n=1000, alpha=(0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 3.0), eps=TIMES, realizations=240),
    ),
    "paper": Preset(
        name="paper",
        thermal=tuple(
            Ensemble(n=n, alpha=ALPHA, eps=EPS, realizations=m)
            for n, m in ((250, 500), (1000, 500), (4000, 500), (16_000, 48))
        ),
        plane=tuple(
            Ensemble(n=n, alpha=PLANE, eps=decades(1e-4, 1e-1, 10), realizations=m)
            for n, m in ((25, 512), (50, 500), (100, 500))
        ),
        charge=Ensemble(n=2000, alpha=(0.05, 0.2, 0.3, 0.5, 0.8, 1.5, 3.0), eps=EPS, realizations=500),
        charge_plane=Ensemble(
            n=100,
            alpha=(0.05, 0.3, 0.5, 1.0, 3.0),
            eps=(1e-6, 1e-5, 1e-4, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8),
            realizations=100,
        ),
        spreading=Ensemble(n=1000, alpha=(0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 3.0), eps=TIMES, realizations=500),
    ),
}


def counts(table: xr.Dataset) -> str:
    """The realizations of every size in words."""
    pairs = zip(table["n"].values, table["realizations"].values, strict=True)
    return ", ".join(f"{int(count)} at N = {thousands(int(n))}" for n, count in pairs)
