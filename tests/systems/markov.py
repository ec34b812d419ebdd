"""Classical chains of two states a site, from rules: what a configuration turns into, and at which rate."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

Configuration = tuple[int, ...]
Moves = Callable[[Configuration], Iterator[tuple[Configuration, float]]]
Array = NDArray[np.float64]


def configurations(n: int) -> list[Configuration]:
    """Every configuration of n sites, 1 where a site is occupied."""
    return list(product((0, 1), repeat=n))


def with_values(configuration: Configuration, values: dict[int, int]) -> Configuration:
    """The configuration with other values on some sites."""
    return tuple(values.get(site, old) for site, old in enumerate(configuration))


def master_equation(n: int, moves: Moves) -> Array:
    """G of dp/dt = G p from a rule; (2^n, 2^n)."""
    states = configurations(n)
    number = {state: k for k, state in enumerate(states)}
    generator = np.zeros((len(states),) * 2)
    for state in states:
        for new, rate in moves(state):
            generator[number[new], number[state]] += rate
            generator[number[state], number[state]] -= rate
    return generator


def stationary(generator: Array) -> Array:
    """The p with G p = 0 and sum p = 1."""
    equations = generator.copy()
    equations[0] = 1.0
    return scipy.linalg.solve(equations, np.eye(len(generator))[0])


def evolved(generator: Array, start: Configuration, times: ArrayLike) -> Array:
    """p at each time, from one configuration: (times, 2^n)."""
    first = np.array([float(state == start) for state in configurations(len(start))])
    return np.array([scipy.linalg.expm(generator * t) @ first for t in np.asarray(times, dtype=float)])


def occupations(probability: Array) -> Array:
    """<n_i>: (..., n)."""
    n = round(np.log2(probability.shape[-1]))
    return probability @ np.array(configurations(n), float)


def occupation_correlation(probability: Array) -> Array:
    """<n_i n_j> - <n_i><n_j>: (n, n)."""
    states = np.array(configurations(round(np.log2(len(probability)))), float)
    density = probability @ states
    return (states.T * probability) @ states - np.outer(density, density)


def exclusion_moves(p: float, q: float, ends: tuple[float, float, float, float]) -> Moves:
    """Hops to the right at p, to the left at q; ends: rates in and out on the left, in and out on the right."""

    def moves(state: Configuration) -> Iterator[tuple[Configuration, float]]:
        last = len(state) - 1
        for i in range(last):
            if state[i] != state[i + 1]:
                yield with_values(state, {i: state[i + 1], i + 1: state[i]}), p if state[i] else q
        for site, (enters, leaves) in ((0, ends[:2]), (last, ends[2:])):
            yield with_values(state, {site: 1 - state[site]}), leaves if state[site] else enters

    return moves


def contact_moves(infection: float, recovery: float) -> Moves:
    """An active site activates each empty neighbour at infection/2 and recovers."""

    def moves(state: Configuration) -> Iterator[tuple[Configuration, float]]:
        for i, active in enumerate(state):
            if active:
                yield with_values(state, {i: 0}), recovery
                for j in (i - 1, i + 1):
                    if 0 <= j < len(state) and not state[j]:
                        yield with_values(state, {j: 1}), infection / 2

    return moves


def east_moves(gain: float, loss: float) -> Moves:
    """A site flips only if its left neighbour is occupied; the first one always may."""

    def moves(state: Configuration) -> Iterator[tuple[Configuration, float]]:
        for i, occupied in enumerate(state):
            if i == 0 or state[i - 1]:
                yield with_values(state, {i: 1 - occupied}), loss if occupied else gain

    return moves
