r"""Realizations of free fermions under white noise on a few sites: pure Gaussian states, many time steps at once.

A time step is half a step of h, a kick exp(-i theta n_c) on each noisy site, half a step of h, with
theta = eta sqrt(gamma dt): the symmetric form of Lezama & Bar Lev (5), its average second order in dt. In the
eigenbasis of h, steps are phases D = e^{-i e dt} and kicks are rank one. The outcome of K steps in a row then follows
from the K amplitudes s_j at the noisy site,

    s_j = w D^{j + 1/2} phi + sum_{l < j} g_{j-l} z_l s_l,    z = e^{-i theta} - 1,  g_m = w D^m w^+,
    phi' = D^K phi + sum_l D^{K - l - 1/2} w^+ z_l s_l:

two matrix products and a triangular solution, where step by step the state would be read from memory K times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.engines.fermions.quadratic import Quadratic
from tnness.records.snapshot import Snapshot
from tnness.streams import restore_stream, save_stream

Matrix = NDArray[Any]
Vector = NDArray[np.float64]

STEP_BLOCK = 32
"""Steps taken at once: the products cost 16 n N flops a step, the triangular solution 4 STEP_BLOCK N."""


class GaussianTrajectories:
    """Orbitals of several realizations of the noise.

    Parameters
    ----------
    form: the problem; its dephasing is the noise. orbitals: the initial state (n, N), the same for all.
    noises: one random generator per realization.
    block: steps taken at once (default 32).
    """

    def __init__(
        self, form: Quadratic, orbitals: Matrix, noises: Sequence[np.random.Generator], block: int = STEP_BLOCK
    ) -> None:
        self.energies, self.vectors = np.linalg.eigh(form.hamiltonian)
        self.noises, self.block, self.count = list(noises), block, orbitals.shape[1]
        self.sites = form.noisy
        self.strengths = np.sqrt(form.dephasing[self.sites])
        self._at = np.ascontiguousarray(self.vectors[self.sites])  # w (m, n)
        start = self.vectors.conj().T @ orbitals
        self._state = np.ascontiguousarray(np.tile(start, len(self.noises)))  # (n, realizations N), eigenbasis

    def advance(self, length: float, steps: int) -> None:
        """Evolve by a time, in a number of equal steps."""
        dt = length / steps
        kernels = _Kernels(self, dt, min(self.block, steps))
        done = 0
        while done < steps:
            count = min(self.block, steps - done)
            if count != kernels.count:
                kernels = _Kernels(self, dt, count)
            self._state = kernels.apply(self._state, self._kicks(count, dt))
            done += count

    def save(self) -> Snapshot:
        """Return the orbitals, and the state of the random generator of each realization."""
        noises = np.array([save_stream(noise) for noise in self.noises])
        return Snapshot({"orbitals": self._state, "noises": noises})

    def load(self, snapshot: Snapshot) -> None:
        """Take over the saved orbitals and random generators."""
        self._state = np.ascontiguousarray(snapshot.arrays["orbitals"])
        self.noises = [restore_stream(noise) for noise in snapshot.arrays["noises"]]

    def orbitals(self) -> Matrix:
        """Return the orbitals on the sites: (realizations, n, N)."""
        flat = self.vectors @ self._state
        return flat.reshape(len(flat), len(self.noises), self.count).transpose(1, 0, 2)

    def unitarity(self, size: int) -> float:
        """Return the largest |phi^+ phi - 1| of the first `size` orbitals."""
        part = self._state.reshape(len(self._state), len(self.noises), self.count)[:, :, :size]
        grams = np.einsum("ark,arl->rkl", part.conj(), part)
        return float(np.abs(grams - np.eye(size)).max(initial=0.0))

    def _kicks(self, count: int, dt: float) -> Matrix:
        """z of the next steps: (realizations, count m); each realization draws step by step, site by site."""
        drawn = np.array([rng.standard_normal((count, len(self.sites))) for rng in self.noises])
        return (np.exp(-1j * math.sqrt(dt) * self.strengths * drawn) - 1).reshape(
            len(self.noises), count * len(self.sites)
        )


class _Kernels:
    """The matrices of a block of `count` steps."""

    def __init__(self, system: GaussianTrajectories, dt: float, count: int) -> None:
        self.count, self.size = count, system.count
        at, sites = system._at, len(system._at)
        halves = np.exp(-0.5j * dt * np.multiply.outer(np.arange(2 * count + 1), system.energies))  # D^{k/2}
        size = len(system.energies)
        self.read = (halves[1::2, None] * at).reshape(count * sites, size)  # w D^{j+1/2}: (count m, n)
        late = halves[1::2][::-1, None] * at.conj()  # D^{K-l-1/2} w^+
        self.write = np.ascontiguousarray(late.reshape(count * sites, size).T)  # (n, count m)
        self.turn = halves[2 * count][:, None]
        lags = np.einsum("ca,ka,da->kcd", at, halves[2::2], at.conj())  # g_m, m = 1..count: (count, m, m)
        self.memory = np.zeros((count, sites, count, sites), complex)
        for lag in range(1, count):
            steps = np.arange(lag, count)
            self.memory[steps, :, steps - lag] = lags[lag - 1]
        self.memory = self.memory.reshape(count * sites, count * sites)

    def apply(self, state: Matrix, kicks: Matrix) -> Matrix:
        amplitudes = self.read @ state  # (count m, realizations N)
        for number, kick in enumerate(kicks):
            part = slice(number * self.size, (number + 1) * self.size)
            unit = np.eye(len(kick)) - self.memory * kick
            solved = linalg.solve_triangular(
                unit, amplitudes[:, part], lower=True, unit_diagonal=True, check_finite=False
            )
            amplitudes[:, part] = kick[:, None] * solved
        return self.turn * state + self.write @ amplitudes
