"""One small sweep for many tests: noisy chains of two and three spins, two realizations each, solved exactly."""

from pathlib import Path

from tnness.study.sweep import sweep

NOISY = f"{Path(__file__).parent / 'study' / 'sweep_models.py'}:Noisy"
GRID = {"gamma": [0.5, 1.0], "n": [2, 3]}


def run(store, grid=None, realizations=2, **settings):
    """Sweep, in this process; settings are those of `sweep`."""
    settings = {"engine": "exact", "workers": 0, "independent": ["n"]} | settings
    return sweep(NOISY, GRID if grid is None else grid, store=store, realizations=realizations, **settings)
