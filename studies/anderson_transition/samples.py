"""The disorder, computed by sweeps: a store for each size, which takes in more realizations and more W.

A seed belongs to (L0, realization) and not to W, so that W moves one potential up and down.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from presets import CRITICAL, Preset

from tnness.engines.transfer import Transfer
from tnness.engines.wire.coherence import plain
from tnness.engines.wire.quadrature import Panel
from tnness.study.point import Setting
from tnness.study.scripts import swept

SEED = 2019
KNOWN = Path(__file__).parent / "data"
"""Collected sweeps: what they hold is not computed again."""
SLOPE_AT = 24.0
"""x = bias L0^3 / W_c at which Fig. 2b takes the derivative."""
REACH = 10.0
"""Radius, in half widths of Fig. 2b's windows, within which resonances are looked for: these windows hold many."""
NODES = 4
"""Energies between which resonances are integrated in closed form: C_d to 1e-6."""


def coherence(preset: Preset, store: Path, workers: int) -> dict[tuple[int, float], xr.Dataset]:
    """C_d, density and the integral's error at the letter's bias, by (L0, W): Figs. 1b and 2a."""
    rows = {}
    for size in preset.sizes:
        for w in preset.disorder:
            table = swept(
                "anderson-wire",
                {"disorder": (w,)},
                store / f"coherence_L{size}",
                parameters={"size": size},
                realizations=preset.realizations(size, w),
                independent=("size",),
                seed=SEED,
                engine=Transfer(nodes=NODES),
                workers=workers,
                certificate=True,
                known=KNOWN,
            )
            rows[size, w] = table.sel(disorder=w)
    return rows


def entanglement(preset: Preset, store: Path, workers: int) -> dict[tuple[float, int], xr.Dataset]:
    """Mutual information, negativity and the bound (S38) of the whole state, by (bias, L0)."""
    return {
        (bias, size): swept(
            "anderson-wire",
            {"disorder": preset.disorder},
            store / f"entanglement_L{size}_bias={bias:g}",
            parameters={"size": size, "bias": bias, "full": True},
            realizations=count,
            independent=("size",),
            seed=SEED,
            engine=Transfer(nodes=NODES),
            workers=workers,
            known=KNOWN,
        )
        for size, count in preset.entanglement.items()
        for bias in preset.entanglement_biases
    }


def slope(setting: Setting) -> dict[str, float]:
    """dC_d/dx at x = 24, exactly: the window's ends move, and with them G^d by the states at its ends."""
    model = setting.model.draw(np.random.default_rng(setting.seed))
    view = setting.engine.view(model.problem())
    found = view.nonequilibrium(model.bias)
    ends = [plain(view.chain, Panel(e - 1e-9, e + 1e-9), 1, False).halves for e in (-model.bias / 2, model.bias / 2)]
    growth = (ends[0] + ends[1]) / 2e-9 / 2  # dG/dbias
    derivative = 4 * np.vdot(found.coherence.halves, growth).real
    return {
        "slope": derivative * CRITICAL / model.sites,
        "coherence": found.coherence.mutual_coherence,
        "integral": found.relative_error,
    }


def slopes(preset: Preset, store: Path, workers: int) -> dict[tuple[int, float], xr.Dataset]:
    """dC_d/dx at x = 24, by (L0, W): Fig. 2b."""
    rows = {}
    for size, count in preset.scaling_sizes.items():
        table = swept(
            "anderson-wire",
            {"disorder": preset.scaling_disorder},
            store / f"slope_L{size}",
            parameters={"size": size, "bias": SLOPE_AT * CRITICAL / size**3},
            realizations=count,
            independent=("size",),
            seed=SEED,
            engine=Transfer(reach=REACH),
            measure=slope,
            workers=workers,
            known=KNOWN,
        )
        rows |= {(size, w): table.sel(disorder=w) for w in preset.scaling_disorder}
    return rows


def ratios(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Lambda = 1 / (gamma_min M) of bars, with errors: (width, disorder)."""
    parts = [
        swept(
            "anderson-bar",
            {"disorder": preset.bar_disorder},
            store / f"bar_M{width}_{length}",
            parameters={"width": width, "length": length},
            independent=("width", "disorder"),
            seed=SEED,
            engine=Transfer(blocks=64),
            workers=workers,
        )
        for width, length in preset.bars.items()
    ]
    names = {"localization_ratio": "ratio", "localization_ratio_error": "ratio_error"}
    kept = [part.isel(realization=0, drop=True)[list(names)].rename(names).drop_attrs() for part in parts]
    return xr.concat(kept, dim="width").assign_coords(width=list(preset.bars))
