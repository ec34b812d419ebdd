"""The adjoint error: an observable evolved backwards tells what truncation has done to its expectation.

O(t) = exp(G^T t) O is evolved as a matrix product of covectors, by the transposed gates. After the time in which the
chain forgets its state, <O(t)|P> is the expectation in the steady state, whatever P is: <O>_P - <O(t)|P> is the error
of <O>_P with its sign. Gates of the run's own time step and order leave the Trotter error out of it.

Truncation of O(t) would spoil this: what it drops reads P as any operator does. So what P changes is added up instead:
one step takes P = P_0 through P_1, P_2, ... P_L by its layers U_m, each truncated like the run, and

    <O(t)|P> - <O>_P = sum_k <O_k| U_m |P_(m-1)> - <O_k|P_m>,    m = L, L-1, ... 1, L, ...,   P_L = P,

which is exact without truncation of O_k, and wrong by that truncation times the error of P with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tnness.engines.metric import scaled_bonds, scaled_covectors
from tnness.network.chain_state import ChainState
from tnness.network.overlap import Overlap, overlap
from tnness.network.product_sum import product_sum
from tnness.network.product_view import covectors_of
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation
from tnness.operators.terms import Operator
from tnness.problems.generator import ChainGenerator
from tnness.streams import stream

Real = NDArray[np.float64]

MEMORIES = 2.0
"""Times of the chain's memory for which observables are evolved: a tenth is left of a kick after one, of which an error
would keep as much."""
VANISHED = 1e-13
"""Norm of an observable less its expectation, relative to that of the expectation, that counts as none."""


class Backwards:
    """The evolution of observables backwards, and their errors in a state.

    Parameters
    ----------
    generator: of the chain. state: P, scaled by the metric. order, dt: of its Trotter steps.
    truncation: of the covectors. time: for which they are evolved. seed: of random directions.
    """

    def __init__(
        self,
        generator: ChainGenerator,
        state: ChainState,
        order: int,
        dt: float,
        truncation: Truncation,
        time: float,
        seed: int = 0,
    ) -> None:
        self.generator, self.truncation, self.seed = generator, truncation, seed
        self.steps = max(1, math.ceil(time / dt - 1e-9))
        self._layers = [(parity, fraction * dt) for parity, fraction in layers(order, 1)]
        bonds = scaled_bonds(generator)
        self._forwards = Gates(bonds, np.dtype(float))
        self._backwards = Gates([np.ascontiguousarray(bond.T) for bond in bonds], np.dtype(float))
        self._trace = ChainState.product(scaled_covectors(generator))
        self._states = self._one_step(state.copy(np.float64))

    def _one_step(self, state: ChainState) -> list[ChainState]:
        """Return P and the states after each layer of a step, truncated to the bonds of P."""
        if state.centre is None:
            state.canonicalise(0)
        chi = max(state.bond_dimensions)
        truncation, states = Truncation(chi=chi, cutoff=self.truncation.cutoff, method="svd"), [state]
        for number, (parity, time) in enumerate(self._layers):
            state = ChainState(list(state.tensors), state.centre, state.log_norm)
            sweep_layer(state, self._forwards.layer(parity, time), truncation, stream(self.seed, "step", number))
            state.normalise()
            states.append(state)
        for state in states:
            trace = overlap(self._trace, state)
            state.log_norm -= trace.logarithm + math.log(trace.mantissa)
        return states

    def error(self, operator: Operator, report: Callable[[float], None] = lambda fraction: None) -> float:
        """Return <O>_P - <O(t)|P>, the error of <O>_P with its sign, in the operator's unit.

        report: called with the share of the evolution that is done.
        """
        state, moved = self._states[0], 0.0
        value = overlap(self.covector(operator), state).value
        covector = self.covector(operator - value)
        if not self._size(covector) > VANISHED * abs(value):  # a multiple of the identity
            return 0.0
        for step in range(self.steps):
            after = state
            for number, (parity, time) in reversed(list(enumerate(self._layers))):
                before = self._states[number]
                gates = self._forwards.layer(parity, time)
                moved += overlap(covector, before, gates).value - overlap(covector, after).value
                self._advance(covector, parity, time, step * len(self._layers) + number)
                after = before
            report((step + 1) / self.steps)
        return -moved

    def _size(self, covector: ChainState) -> float:
        """Return the norm of a covector relative to that of the trace."""
        square = overlap(covector, covector)
        return math.sqrt(max(0.0, Overlap(square.mantissa, square.logarithm - 2 * self._trace.log_norm).value))

    def covector(self, operator: Operator) -> ChainState:
        """Return the Hermitian part of an operator as a matrix product of covectors, which read scaled states."""
        spaces, metric = self.generator.spaces, self.generator.metric
        weights, products = [], []
        for coefficient, covectors in covectors_of(operator + 0.0, spaces):  # there may be no other term
            product = [covectors.get(i, space.trace) for i, space in enumerate(spaces)]
            if metric is not None:
                product = [vector / weight for vector, weight in zip(product, metric, strict=True)]
            weights.append(coefficient)
            products.append(product)
        return product_sum(products, weights)

    def evolved(self, covector: ChainState) -> ChainState:
        """Return exp(G^T t) O."""
        covector = covector.copy()
        for step in range(self.steps):
            for number, (parity, time) in enumerate(self._layers):
                self._advance(covector, parity, time, step * len(self._layers) + number)
        return covector

    def _advance(self, covector: ChainState, parity: int, time: float, number: int) -> None:
        """Apply a layer of transposed gates, in place."""
        rng = stream(self.seed, "adjoint directions", number)
        sweep_layer(covector, self._backwards.layer(parity, time), self.truncation, rng)
        covector.normalise()

    def errors(self, operators: Sequence[Operator], report: Callable[[str, float], None]) -> Real:
        """Return the error of every operator: one evolution each. report: called with a text and the share done."""
        found = []
        for k, operator in enumerate(operators):
            text = f"adjoint {k + 1}/{len(operators)}"
            found.append(self.error(operator, lambda part, k=k, text=text: report(text, (k + part) / len(operators))))
        return np.array(found)
