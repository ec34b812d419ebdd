"""The disorder loops: one file per (L0, W), realisations appended in order, never computed twice."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from presets import CRITICAL, Preset
from tqdm import tqdm

from tnness.engines.transfer import Transfer
from tnness.engines.wire.coherence import plain
from tnness.engines.wire.lyapunov import lyapunov
from tnness.engines.wire.quadrature import Panel
from tnness.engines.wire.window import Quadrature, integrate
from tnness_models.anderson_bar import AndersonBar
from tnness_models.anderson_wire import AndersonWire

SLOPE_AT = 24.0
"""x = bias L0^3 / W_c at which Fig. 2b takes the derivative."""


def kept(path: Path, count: int, one: Callable[[int], dict[str, np.ndarray]], told: str) -> xr.Dataset:
    """Realisations 0 .. count - 1 of a point; those in the file are not computed again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = xr.load_dataset(path, engine="h5netcdf") if path.exists() else None
    done = found.sizes["realisation"] if found is not None else 0
    for k in tqdm(range(done, count), desc=told, initial=done, total=count, disable=done >= count):
        values = {name: (("realisation", *"ab"[: np.ndim(v)]), np.asarray(v)[None]) for name, v in one(k).items()}
        new = xr.Dataset(values)
        found = new if found is None else xr.concat([found, new], dim="realisation")
        if k % 10 == 9 or k == count - 1:
            found.to_netcdf(path.with_suffix(".tmp"), engine="h5netcdf")
            path.with_suffix(".tmp").replace(path)
    assert found is not None
    return found.isel(realisation=slice(count))


def cube(size: int, disorder: float, realisation: int) -> AndersonWire:
    """A realisation; seeds do not depend on W, so that W moves one potential up and down."""
    return AndersonWire(size=size, disorder=disorder).draw(np.random.default_rng([size, realisation]))


def coherence(preset: Preset, store: Path) -> dict[tuple[int, float], xr.Dataset]:
    """C_d, density and current at the letter's bias: Figs. 1b and 2a."""
    rows = {}
    for size, count in preset.sizes.items():
        for disorder in preset.disorder:

            def one(k: int, size: int = size, disorder: float = disorder) -> dict[str, np.ndarray]:
                model = cube(size, disorder, k)
                view = Transfer().view(model.problem())
                found = view.nonequilibrium(model.bias)
                return {
                    "coherence": np.array(found.coherence.mutual_coherence),
                    "density": found.coherence.density.sum(axis=-1),
                    "current": np.array(found.coherence.current.mean()),
                    "error": np.array(found.relative_error),
                    "poles": np.array(found.poles),
                }

            path = store / f"coherence_L{size}_W{disorder:g}.nc"
            rows[size, disorder] = kept(path, count, one, f"L0 = {size}, W = {disorder:g}")
    return rows


def slopes(preset: Preset, store: Path) -> dict[tuple[int, float], xr.Dataset]:
    """dC_d/dx at x = 24, exactly: the window's ends move, and with them G^d by the states at its ends."""
    quadrature = Quadrature(tolerance=preset.scaling_tolerance)
    rows = {}
    for size, count in preset.scaling_sizes.items():
        bias = SLOPE_AT * CRITICAL / size**3
        for disorder in preset.scaling_disorder:

            def one(k: int, size: int = size, disorder: float = disorder, bias: float = bias) -> dict[str, np.ndarray]:
                chain = cube(size, disorder, k).problem()
                found = integrate(chain, -bias / 2, bias / 2, quadrature, "legendre")
                ends = [plain(chain, Panel(e - 1e-9, e + 1e-9), 1, False).halves for e in (-bias / 2, bias / 2)]
                growth = (ends[0] + ends[1]) / 2e-9 / 2  # dG/dbias
                derivative = 4 * np.vdot(found.coherence.halves, growth).real
                return {
                    "slope": np.array(derivative * CRITICAL / size**3),
                    "coherence": np.array(found.coherence.mutual_coherence),
                    "error": np.array(found.relative_error),
                }

            path = store / f"slope_L{size}_W{disorder:g}.nc"
            rows[size, disorder] = kept(path, count, one, f"slope: L0 = {size}, W = {disorder:g}")
    return rows


def ratios(preset: Preset, store: Path) -> xr.Dataset:
    """Lambda = 1 / (gamma_min M) of bars, with errors: (width, disorder)."""
    shape = (len(preset.bars), len(preset.bar_disorder))
    value, error = np.empty(shape), np.empty(shape)
    for i, (width, length) in enumerate(preset.bars.items()):
        for j, disorder in enumerate(preset.bar_disorder):

            def one(
                k: int, width: int = width, length: int = length, disorder: float = disorder
            ) -> dict[str, np.ndarray]:
                bar = AndersonBar(width=width, length=length, disorder=disorder)
                found = lyapunov(bar.problem(), np.random.default_rng([width, round(100 * disorder)]), blocks=64)
                return {"rate": found.values[-1:], "rate_error": found.errors[-1:]}

            path = store / f"bar_M{width}_W{disorder:g}_{length}.nc"
            found = kept(path, 1, one, f"M = {width}, W = {disorder:g}")
            rate, spread = float(found["rate"][0, 0]), float(found["rate_error"][0, 0])
            value[i, j], error[i, j] = 1 / (rate * width), spread / (rate**2 * width)
    dims = ("width", "disorder")
    coordinates = {"width": list(preset.bars), "disorder": list(preset.bar_disorder)}
    return xr.Dataset({"ratio": (dims, value), "ratio_error": (dims, error)}, coordinates)
