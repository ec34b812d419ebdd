"""A short chain as eps -> 0: its discrete levels, and the state that the drive leaves on them.

Where the drive resolves single levels rho is diagonal in the eigenbasis of H, up to terms of order eps, with the
populations of a rate equation in which eps cancels:

    sum_m (W_nm p_m - W_mn p_n) = 0,    W_nm = sum_k |<n|L_k|m>|^2.

No chain of finite length gets around it: every order parameter ends there, at a value of its own.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from ensemble import MODEL, ROOT_SEED, Ensemble, choice, exact_temperatures, made, moments
from scipy.optimize import brentq
from scipy.special import softmax

from tnness.observables.views import View
from tnness.operators.basis import spin_half
from tnness.problems.lindbladian import Lindbladian
from tnness.study.collect import collect
from tnness.study.point import Measure, Setting
from tnness.study.sweep import sweep


class Mixture(View):
    """The state sum_n p_n |n><n| of spins 1/2, as far as a thermometer reads it.

    populations: p (levels,). vectors: |n> in its columns, (2^n, levels).
    """

    def __init__(self, populations: np.ndarray, vectors: np.ndarray) -> None:
        super().__init__([spin_half] * (len(vectors).bit_length() - 1))
        self._rho = (vectors * populations) @ vectors.conj().T

    def marginal(self, sites: Sequence[int]) -> np.ndarray:
        """The reduced density matrix of consecutive sites."""
        before, inside = 2 ** sites[0], 2 ** len(sites)
        parts = self._rho.reshape((before, inside, len(self._rho) // (before * inside)) * 2)
        return np.einsum("aibajb->ij", parts)


def weakest(setting: Setting) -> xr.Dataset:
    """What is left as eps -> 0, and when: for a sweep over (n, h).

    Returns
    -------
    beta (bond) and energy of the limit; `spacing`, of the levels in the middle half of the spectrum [J]; `jumps`, per
    unit of time and of eps at infinite temperature: levels are resolved where eps * jumps < spacing.
    """
    model = setting.job.model
    chain = model.problem()
    energies, vectors = np.linalg.eigh(hamiltonian(chain))
    rates = transition_rates(chain, vectors) / model.eps
    populations = stationary(rates)
    quarter = len(energies) // 4
    return xr.Dataset(
        {
            "beta": ("bond", model.observables()["beta"](Mixture(populations, vectors))),
            "energy": ((), populations @ energies),
            "spacing": ((), (energies[-1 - quarter] - energies[quarter]) / (len(energies) - 1 - 2 * quarter)),
            "jumps": ((), rates.sum() / len(energies)),
        }
    )


def equilibrium(setting: Setting) -> xr.Dataset:
    """beta (bond) of the thermal state exp(-b H)/Z that has the energy of the limit eps -> 0, and its b as `global`."""
    model = setting.job.model
    chain = model.problem()
    energies, vectors = np.linalg.eigh(hamiltonian(chain))
    wanted = stationary(transition_rates(chain, vectors)) @ energies
    coldest = 100 / np.ptp(energies)
    inverse = brentq(lambda b: softmax(-b * energies) @ energies - wanted, -coldest, coldest)
    view = Mixture(softmax(-inverse * energies), vectors)
    return xr.Dataset({"beta": ("bond", model.observables()["beta"](view)), "global": ((), inverse)})


def hamiltonian(chain: Lindbladian) -> np.ndarray:
    """H of the whole chain: (2^n, 2^n)."""
    alone = Lindbladian(chain.spaces)
    alone.hamiltonian_terms = list(chain.hamiltonian_terms)
    return 1j * alone.effective_generator().toarray()


def transition_rates(chain: Lindbladian, vectors: np.ndarray) -> np.ndarray:
    """W_nm, from level m to level n, both in the order of the columns of `vectors`; W_nn are jumps that stay."""
    everywhere = range(chain.n)
    levels = {site: space.levels for site, space in enumerate(chain.spaces)}
    rates = np.zeros((vectors.shape[1],) * 2)
    for jump in chain.jumps:
        matrix = jump.operator.matrix(everywhere, levels)
        rates += jump.rate * np.abs(vectors.conj().T @ (matrix @ vectors)) ** 2
    return rates


def stationary(rates: np.ndarray) -> np.ndarray:
    """The populations that a rate equation leaves alone, of sum 1: the last equation is the sum."""
    equations = rates - np.diag(rates.sum(axis=0))
    equations[-1] = 1.0
    return np.linalg.solve(equations, np.eye(len(rates))[-1])


def limits(ensembles: Sequence[Ensemble], store: Path, workers: int) -> xr.Dataset:
    """The limit eps -> 0 of every exactly solved chain of some ensembles.

    Returns
    -------
    `limit_mean` and `limit_variance` of the local temperatures over the bonds, `spacing` and `jumps`, with the
    dimensions n, h and realization; no variables where nothing is solved exactly.
    """
    tables = []
    for ensemble in ensembles:
        if ensemble.exact:
            table = _swept(ensemble, store, workers, "levels", weakest)
            mean, variance = moments(table)
            tables.append(table[["spacing", "jumps"]].assign(limit_mean=mean, limit_variance=variance).drop_attrs())
    return xr.merge(tables, join="outer", compat="no_conflicts") if tables else xr.Dataset()


def thermal(ensemble: Ensemble, store: Path, workers: int) -> xr.Dataset:
    """What a thermometer reads in global equilibrium: `thermal_mean`, `thermal_variance`; see `limits`."""
    if not ensemble.exact:
        return xr.Dataset()
    mean, variance = moments(_swept(ensemble, store, workers, "thermal", equilibrium))
    return xr.Dataset({"thermal_mean": mean, "thermal_variance": variance}).drop_attrs()


def calibrated(ensembles: Sequence[Ensemble], store: Path, workers: int) -> xr.Dataset:
    """`calibrated_mean`, `calibrated_variance` of what thermometers read that agree with each other in equilibrium.

    A bond's reading is divided by its own in the thermal state of `equilibrium`, relative to the mean over the bonds:
    what its thermometer shows of a thermal chain beyond the first order in beta does not count as a variation. With
    the dimensions of `ensemble.data`; no variables where nothing is solved exactly.
    """
    tables = []
    for one in ensembles:
        if one.exact:
            beta = exact_temperatures(one, store, workers)
            thermal_beta = _swept(one, store, workers, "thermal", equilibrium)["beta"]
            mean, variance = moments(agreeing(beta, thermal_beta).to_dataset(name="beta"))
            tables.append(xr.Dataset({"calibrated_mean": mean, "calibrated_variance": variance}).drop_attrs())
    return xr.merge(tables, join="outer", compat="no_conflicts") if tables else xr.Dataset()


def agreeing(beta: xr.DataArray, thermal_beta: xr.DataArray) -> xr.DataArray:
    """beta_i <beta_th> / beta_th,i with the mean over the bonds."""
    return beta * thermal_beta.mean("bond") / thermal_beta


def _swept(ensemble: Ensemble, store: Path, workers: int, name: str, measure: Measure) -> xr.Dataset:
    """What is measured at every (n, h, realization) of the exactly solved chains; nothing of it depends on eps."""
    folder, grid = store / f"{choice(ensemble)}_{name}", {"n": ensemble.exact, "h": ensemble.h}
    sweep(
        MODEL,
        grid,
        store=made(folder),
        parameters={"drive": ensemble.drive, "field_weight": ensemble.field_weight, "eps": 1.0},
        realizations=ensemble.realizations,
        independent=("n", "h"),
        seed=ROOT_SEED,
        engine="exact",
        measure=measure,
        workers=workers,
        progress=True,
    )
    own = {axis: list(values) for axis, values in grid.items()}
    return collect(folder, certificate=False).sel(own | {"realization": range(ensemble.realizations)})
