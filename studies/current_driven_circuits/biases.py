"""Circuits of phase II at every bias: of one trajectory, and drawn as independent normals.

Gates act linearly on G = <c^+_i c_j>. Between antisymmetric reservoirs, from the profile of local equilibrium, G - 1/2
is therefore proportional to delta, circuit by circuit: the trajectory at full bias carries all others.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from presets import Length

from tnness.engines.fermions.entropy import entropy_of, negativity, occupations
from tnness.records.averages import TimeAverage
from tnness.study.point import Setting
from tnness.study.scripts import swept
from tnness_models.replica_solutions import phase_two

DELTAS = np.array([0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0])


def at_bias(full: np.ndarray, delta: float) -> np.ndarray:
    """G at a bias, from G at full bias."""
    half = np.eye(len(full)) / 2
    return half + delta * (full - half)


def shares(full: np.ndarray) -> dict[str, np.ndarray]:
    """Occupations' range, E_f and the candidate E_l of the two halves, at every bias: (delta,) each."""
    n = len(full)
    left, right = range(n // 2), range(n // 2, n)
    levels = np.linalg.eigvalsh(full)
    return {
        "lowest": 0.5 + DELTAS * (levels[0] - 0.5),
        "negativity": np.array([negativity(at_bias(full, delta), left, right) for delta in DELTAS]),
        "paired_negativity": paired_negativity(full),
    }


def paired_negativity(full: np.ndarray) -> np.ndarray:
    """Sum of the negativities of pairs of modes, one of each half, by the singular values of their G: (delta,).

    The candidate for the lower bound E_l (Eisert, Eisler, Zimboras, Phys. Rev. B 97, 165123 (2018)); unproven here.
    """
    half = len(full) // 2
    u, s, v = np.linalg.svd(full[:half, half:])
    one = np.einsum("ik,ij,jk->k", u.conj(), full[:half, :half], u).real[: len(s)]
    other = np.einsum("ki,ij,kj->k", v, full[half:, half:], v.conj()).real[: len(s)]
    a, b = (0.5 + np.outer(DELTAS, n - 0.5) for n in (one, other))  # (delta, pair)
    c = np.outer(DELTAS, s)
    both, none = a * b - c**2, (1 - a) * (1 - b) - c**2
    smallest = (both + none) / 2 - np.hypot((both - none) / 2, c)  # of the partial transpose
    return np.log(1 + 2 * np.maximum(0, -smallest)).sum(axis=1)


def sample(full: np.ndarray, profile: np.ndarray) -> dict[str, np.ndarray]:
    """All that is averaged, of G at full bias; entropies at every bias, their second order per delta^2."""
    half = len(full) // 2
    excess = np.abs(full - np.diag(profile)) ** 2
    blocks = (full, full[:half, :half], full[half:, half:])
    whole, left, right = (entropy_of(0.5 + np.outer(DELTAS, occupations(block) - 0.5)) for block in blocks)
    return {
        "deviation": entropy_of(0.5 + np.outer(DELTAS, profile - 0.5)) - whole,
        "information": left + right - whole,
        "second_deviation": 2 * excess.sum(),
        "second_information": np.array([4 * excess[:k, k:].sum() for k in range(1, len(full))]),
        "coherence": excess[:, half],
    } | shares(full)


def trajectory(setting: Setting) -> xr.Dataset:
    """Time averages over one trajectory, with their errors by blocking."""
    model, series = setting.model, defaultdict[str, TimeAverage](TimeAverage)
    start = model.initial_state(setting.engine.name)
    for _, view in setting.engine.solve(model.problem(), initial=start, seed=setting.seed).views:
        for name, value in sample(view.correlation, model.steady_density).items():
            series[name].add(value)
    found = {name: average.estimate() for name, average in series.items()}
    return table({name: each.value for name, each in found.items()} | {f"{k}_error": e.error for k, e in found.items()})


def normals(setting: Setting) -> xr.Dataset:
    """Negativities of G drawn as independent normals."""
    return table(shares(independent(setting.model, np.random.default_rng(setting.seed))))


def independent(model: Any, rng: np.random.Generator) -> np.ndarray:
    """G at full bias as independent normals with the mean and the exact variances, (D8)-(D10), of a circuit's."""
    variance = phase_two(model.n, model.p1, 1.0, 0.0)
    real, imaginary = rng.standard_normal((2, model.n, model.n))
    upper = np.triu(np.sqrt(variance / 2) * (real + 1j * imaginary), 1)
    diagonal = model.steady_density + np.sqrt(np.diag(variance)) * np.diag(real)
    return upper + upper.conj().T + np.diag(diagonal)


DIMS = {"second_deviation": (), "second_information": ("cut",), "coherence": ("site",)}


def table(values: dict[str, np.ndarray]) -> xr.Dataset:
    """Arrays by name, with their axes."""
    found = {name: (DIMS.get(name.removesuffix("_error"), ("delta",)), value) for name, value in values.items()}
    return xr.Dataset(found, coords={"delta": DELTAS})


def averaged(length: Length, store: Path, workers: int = 0) -> xr.Dataset:
    """Averages over all trajectories of a length, and their errors."""
    settle = length.gates // 5
    about = {"steps": length.gates, "settle": settle, "every": (length.gates - settle) // length.samples}
    found = swept(
        "random-circuit",
        {"n": (length.n,)},
        store / f"biases_n={length.n}_gates={length.gates}_samples={length.samples}",
        parameters={"p1": 1.0} | about,
        realizations=length.realizations,
        engine="gaussian",
        measure=trajectory,
        workers=workers,
    ).isel(n=0, drop=True)
    names = [str(name) for name in found if f"{name}_error" in found]
    means = {name: found[name].mean("realization") for name in names}
    errors = {f"{name}_error": np.sqrt((found[f"{name}_error"] ** 2).mean("realization")) for name in names}
    scale = np.sqrt(length.realizations)
    return xr.Dataset(means | {name: error / scale for name, error in errors.items()})
