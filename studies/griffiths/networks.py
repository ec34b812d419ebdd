"""The ensembles: many realisations of a network solved as one batch, and what is kept of each."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from presets import Ensemble

from tnness.engines.transfer import Transfer
from tnness_models.charge_network import ChargeNetwork
from tnness_models.energy_spreading import EnergySpreading
from tnness_models.thermal_network import ThermalNetwork

MEMORY = 4_000_000
"""Numbers in a batch: realisations are taken together up to this."""


def thermal(ensemble: Ensemble, dim: int = 1) -> xr.Dataset:
    """Mean and variance of the temperatures of each realisation, (alpha, eps, realisation)."""
    shape = (len(ensemble.alpha), len(ensemble.eps), ensemble.realisations)
    mean, variance = np.empty(shape), np.empty(shape)
    for a, alpha in enumerate(ensemble.alpha):
        model = ThermalNetwork(n=ensemble.n, alpha=alpha, dim=dim)
        islands = ensemble.n**dim
        links = ensemble.n - 1 if dim == 1 else 2 * ensemble.n * (ensemble.n - 1)
        for part, rng in _batches(ensemble, a, islands * ensemble.n ** (dim - 1)):
            count = part.stop - part.start
            lengths = model.links.draw(rng, (count, links))
            g1 = model.gbar + rng.uniform(-model.dg1, model.dg1, (count, islands))
            g2 = model.gbar + rng.uniform(-model.dg2, model.dg2, (count, islands))
            for e, eps in enumerate(ensemble.eps):
                found = Transfer().view(model.chain(lengths, g1, g2, eps)).solution().reshape(count, -1)
                mean[a, e, part], variance[a, e, part] = found.mean(axis=-1), found.var(axis=-1)
    return _dataset(ensemble, {"mean": mean, "variance": variance}, "eps")


def currents(ensemble: Ensemble, dim: int = 1) -> xr.Dataset:
    """Current density of each realisation, (alpha, eps, realisation)."""
    found = np.empty((len(ensemble.alpha), len(ensemble.eps), ensemble.realisations))
    for a, alpha in enumerate(ensemble.alpha):
        model = ChargeNetwork(n=ensemble.n, alpha=alpha, dim=dim)
        links = ensemble.n if dim == 1 else ensemble.n**2 + (ensemble.n - 1) ** 2
        width = 1 if dim == 1 else ensemble.n
        for part, rng in _batches(ensemble, a, ensemble.n**dim * width):
            lengths = model.links.draw(rng, (part.stop - part.start, links))
            for e, eps in enumerate(ensemble.eps):
                solution = Transfer().view(model.chain(lengths, eps)).solution()
                found[a, e, part] = model.total_current(lengths, eps, solution) / width
    return _dataset(ensemble, {"current": found}, "eps")


def spreading(ensemble: Ensemble) -> xr.Dataset:
    """sum_i (i - start)^2 e_i(t) of each realisation, (alpha, time, realisation)."""
    found = np.empty((len(ensemble.alpha), len(ensemble.eps), ensemble.realisations))
    for a, alpha in enumerate(ensemble.alpha):
        model = EnergySpreading(n=ensemble.n, alpha=alpha)
        squares = (np.arange(ensemble.n) - model.origin) ** 2
        for part, rng in _batches(ensemble, a, ensemble.n * ensemble.n):
            chain = model.chain(model.links.draw(rng, (part.stop - part.start, ensemble.n - 1)))
            for t, (_, view) in enumerate(Transfer().solve(chain, times=ensemble.eps).views):
                found[a, t, part] = view.decayed() @ squares
    return _dataset(ensemble, {"square_width": found}, "time")


def _batches(ensemble: Ensemble, number: int, size: int) -> Iterator[tuple[slice, np.random.Generator]]:
    """Slices of the realisations that fit in memory, each with its own generator: one seed per alpha and first one."""
    step = max(1, MEMORY // size)
    for first in range(0, ensemble.realisations, step):
        rng = np.random.default_rng([ensemble.n, number, first])
        yield slice(first, min(first + step, ensemble.realisations)), rng


def _dataset(ensemble: Ensemble, values: dict[str, np.ndarray], second: str) -> xr.Dataset:
    dims = ("alpha", second, "realisation")
    coordinates = {"alpha": list(ensemble.alpha), second: list(ensemble.eps)}
    dataset = xr.Dataset({name: (dims, array) for name, array in values.items()}, coordinates)
    return dataset.assign_attrs(n=ensemble.n, realisations=ensemble.realisations)
