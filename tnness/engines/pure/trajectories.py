"""Trajectories of pure states as matrix-product states: many realizations evolve together.

A time step is half a step of H, a step of the jumps, half a step of H; the two half steps of H between jumps are joined
into one step. H goes by Trotter steps of second or fourth order. The jumps go window by window
(`tnness.engines.pure.unraveling`); where some windows are bonds, by half a step from one end to the other and half a
step back. The averages are therefore of second order in the time step.

For white noise time step and noise are those of `tnness.engines.fermions.trajectories`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.engines.pure.splitting import pieces
from tnness.engines.pure.unraveling import Jumps, Noise, Unraveling
from tnness.engines.pure.view import PureView
from tnness.errors import ModelError
from tnness.network.chain_state import ChainState
from tnness.network.stacked import StackedState
from tnness.network.trotter import Gates, clocked_layers, layers
from tnness.network.truncation import Truncation
from tnness.problems.envelope import piece_of, value_at
from tnness.problems.lindbladian import Lindbladian
from tnness.records.snapshot import Snapshot
from tnness.streams import restore_stream, save_stream

Array = NDArray[Any]


class MPSTrajectories:
    """The states of several realizations.

    Parameters
    ----------
    problem: H with terms on sites and neighbours. unraveling: of its jumps. state: the initial amplitudes of all
    realizations. noises: one random generator per realization. truncation: of the bonds.
    substeps: Trotter steps of H in a time step. order: of these, 2 or 4.

    Raises
    ------
    ModelError: a chain of one site, terms beyond neighbours, operations at given times, sites that are not quantum.
    """

    def __init__(
        self,
        problem: Lindbladian,
        unraveling: Unraveling,
        state: ChainState,
        noises: Sequence[np.random.Generator],
        truncation: Truncation,
        substeps: int = 1,
        order: int = 4,
    ) -> None:
        self.problem, self.unraveling = problem, unraveling
        self.stack = StackedState.copies(state, len(noises))
        self.noises, self.truncation, self.substeps = list(noises), truncation, substeps
        self.jumps = self.steps = 0
        self._hamiltonian = BondHamiltonian(problem, order)
        self._parities = [problem.parities[i] for i in range(problem.n)]
        self._layers = [(parity, fraction / substeps) for parity, fraction in layers(order, substeps)]
        start = PureView(state, problem.spaces)
        self.pieces = [] if unraveling.name == Noise.name else pieces(problem, unraveling.windows, start.marginal)

    def advance(self, start: float, length: float, steps: int) -> None:
        """Evolve from a time on by a length, in a number of equal steps."""
        dt = length / steps
        for step in range(steps):
            time = start + step * dt
            self._free(time - (dt / 2 if step else 0.0), dt if step else dt / 2)
            self._jump(time + dt / 2, dt)
        self._free(start + length - dt / 2, dt / 2)
        for piece in self.pieces:
            piece.advance(length, steps, self._layers)
        self.steps += steps

    def save(self) -> Snapshot:
        """Return the states, the position of each noise stream, and what is counted."""
        arrays: dict[str, Array] = {f"stack_{i:04d}": tensor for i, tensor in enumerate(self.stack.tensors)}
        arrays["noises"] = np.array([save_stream(noise) for noise in self.noises])
        arrays |= {"dropped": self.stack.dropped, "largest": self.stack.largest}
        arrays |= {f"piece_{k}": np.array(piece.twins) for k, piece in enumerate(self.pieces)}
        return Snapshot(arrays, {"centre": self.stack.centre, "jumps": self.jumps, "steps": self.steps})

    def load(self, snapshot: Snapshot) -> None:
        """Become the states that were saved."""
        arrays, numbers = snapshot.arrays, snapshot.numbers
        self.noises = [restore_stream(noise) for noise in arrays["noises"]]
        tensors = [np.ascontiguousarray(arrays[f"stack_{i:04d}"]) for i in range(self.problem.n)]
        self.stack = StackedState(tensors, int(numbers["centre"]), arrays["dropped"], arrays["largest"])
        self.jumps, self.steps = int(numbers["jumps"]), int(numbers["steps"])

        for k, piece in enumerate(self.pieces):
            piece.twins = list(arrays[f"piece_{k}"])

    @property
    def splitting(self) -> float:
        """The error of the time step, in units of the largest value of an operator; NaN where it is not known."""
        return max((piece.error() for piece in self.pieces), default=math.nan)

    @property
    def rare_jumps(self) -> int | None:
        """The number of jumps so far of all realizations, if these differ by jumps alone; else None."""
        jumping = self.unraveling.name == Jumps.name and self.unraveling.windows
        return self.jumps if jumping and self.steps else None

    def _free(self, time: float, length: float) -> None:
        for gates in self._hamiltonian.layers(time, length, self.substeps):
            self.stack.layer(gates, self.truncation)

    def _jump(self, middle: float, dt: float) -> None:
        """Turn all windows by a step. middle: the time at which rates that depend on it are read."""
        windows = self.unraveling.windows
        if not windows:
            return
        rates = [window.rates(middle) for window in windows]
        if max(len(window.sites) for window in windows) == 1:
            self._pass(rates, dt)
            return
        self._pass(rates, dt / 2)
        self._pass(rates, dt / 2)

    def _pass(self, rates: Sequence[Array], length: float) -> None:
        """Turn all windows one after the other, from the end where the centre is to the other."""
        stack, windows = self.stack, self.unraveling.windows
        drawn = np.array([self.unraveling.draw(noise) for noise in self.noises])
        order = list(range(len(windows)))
        if not self.unraveling.blind:
            stack.move_centre(0 if stack.centre <= (stack.n - 1) / 2 else stack.n - 1)
        rightwards = stack.centre == 0
        strings = np.zeros((stack.count, stack.n), bool)
        for number in order if rightwards else reversed(order):
            if not rates[number].any():
                continue
            sites, rho = windows[number].sites, None
            if not self.unraveling.blind:
                rho = stack.site_density(sites[0]) if len(sites) == 1 else stack.pair_density(sites[0])
            turned = self.unraveling.turn(number, rho, rates[number], length, drawn, self.noises)
            if turned is None:
                continue
            if turned.jumps is not None:
                self.jumps += int(turned.jumps.sum())
            if turned.strings is not None:
                strings[turned.strings, : sites[0]] ^= True
            if len(sites) == 1:
                stack.on_site(sites[0], turned.matrices)
            else:
                stack.on_bond(sites[0], turned.matrices, self.truncation, rightwards)
        self._string(strings)
        if not self.unraveling.blind:
            stack.move_centre(stack.n - 1 if rightwards else 0)

    def _string(self, strings: Array) -> None:
        """Apply the parity of sites to the states whose odd jumps happened to the right of them."""
        for site in np.flatnonzero(strings.any(axis=0)).tolist():
            parity = self._parities[site]
            if parity is not None:
                turned = np.where(strings[:, site, None, None], parity, np.eye(len(parity)))
                self.stack.tensors[site] = np.matmul(turned[:, None], self.stack.tensors[site])


class BondHamiltonian:
    """The Hamiltonian as gates on bonds, which may depend on time."""

    def __init__(self, problem: Lindbladian, order: int) -> None:
        if problem.n == 1:
            raise ModelError("a trajectory takes two sites at least; engine 'exact' takes a single one")
        dull = next((i for i, space in enumerate(problem.spaces) if not space.quantum), None)
        if dull is not None:
            raise ModelError(f"site {dull} ({problem.spaces[dull].name}) holds probabilities, which have no amplitudes")
        if problem.scheduled:
            raise ModelError(
                f"{problem.scheduled[0].name} acts at a given time, which a trajectory does not take: engines 'tebd' "
                "and 'exact' do"
            )
        self._order = order
        bonds = range(problem.n - 1)
        constant = problem.constant()
        self._static: list[Any] = [-1j * constant.bond_hamiltonian_shared(i) for i in bonds]
        self._gates = Gates(self._static, np.dtype(complex))
        self._driven = []
        for driven in (d for d in problem.driven if not d.is_rate):
            part = Lindbladian(problem.spaces)
            part.hamiltonian(driven.operator)
            self._driven.append((driven, [-1j * part.bond_hamiltonian_shared(i) for i in bonds]))

    def layers(self, start: float, length: float, steps: int) -> Iterator[list[Any]]:
        """Yield the layers of so many Trotter steps."""
        dt = length / steps
        if not self._driven:
            for parity, fraction in layers(self._order, steps):
                yield self._gates.layer(parity, fraction * dt)
            return
        pieces = [piece_of(driven.function, start, start + length) for driven, _ in self._driven]
        for parity, fraction, clock in clocked_layers(self._order, steps):
            values = [
                value_at(piece, start + clock * dt, driven.name)
                for piece, (driven, _) in zip(pieces, self._driven, strict=True)
            ]
            yield [self._gate(i, fraction * dt, values) if i % 2 == parity else None for i in range(len(self._static))]

    def _gate(self, bond: int, length: float, values: Sequence[float]) -> Array:
        matrix = self._static[bond] + sum(
            value * parts[bond] for value, (_, parts) in zip(values, self._driven, strict=True)
        )
        gate: Array = linalg.expm(length * matrix)
        return gate
