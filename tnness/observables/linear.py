"""Linear observables: which operators an observable reads, and with which coefficients.

An observable is linear if each of its elements is sum_k c_k <O_k> + constant, with coefficients that do not depend on
the state. It is measured on views that answer with chosen numbers instead of a state's expectations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tnness.errors import Unavailable
from tnness.observables.observable import Observable
from tnness.observables.views import View
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import Operator, as_operator, total

PROBES = 4
"""Random answers, each with both signs, under which an observable must prove linear."""
SIZED = 8
"""Random answers from which its size is found, to about a quarter."""
MOST_READINGS = 2000
"""Largest number of expectations that a linear observable may read."""
ALIKE = 1e-9
"""Relative difference of two measurements that counts as round-off."""

Real = NDArray[np.float64]


class Asking(View):
    """A view without a state: it answers the k-th question for an expectation with the k-th of given numbers."""

    def __init__(self, spaces: Sequence[LocalSpace], answer: Callable[[int], float]) -> None:
        super().__init__(spaces)
        self.asked: list[Operator] = []
        self._answer = answer

    def expect(self, operator: Operator) -> float | complex:
        """Return the next number, or two as a complex one for an operator that is not Hermitian; note what is asked."""
        self._check_sites(operator)
        real = self._next((operator + operator.dagger()) / 2 if not operator.is_hermitian else operator)
        imaginary = 0.0 if operator.is_hermitian else self._next((operator - operator.dagger()) / 2j)
        return self._read(operator, real + 1j * imaginary)

    def _next(self, operator: Operator) -> float:
        self.asked.append(operator)
        if len(self.asked) > MOST_READINGS:
            raise Unavailable(f"it reads more than {MOST_READINGS} expectations")
        return self._answer(len(self.asked) - 1)


def linear_operators(observable: Observable, spaces: Sequence[LocalSpace], rng: np.random.Generator) -> list[Operator]:
    """Return for each element of an observable, in C order, the operator of which it is the expectation.

    Parameters
    ----------
    observable: the observable. spaces: local space of each site. rng: of the answers that test it.

    Raises
    ------
    Unavailable: it is no linear function of expectations; the reason in one line.

    >>> from tnness.observables.observable import expectation
    >>> from tnness.operators.basis import spin_half as s
    >>> rng = np.random.default_rng(1)
    >>> [str(o) for o in linear_operators(expectation([s.Z(0), s.X(1)], "site"), [s, s], rng)]
    ['Z(0)', 'X(1)']
    """
    constant, asked = _measured(observable, spaces, lambda k: 0.0)
    slopes = np.array([_measured(observable, spaces, _unit(k))[0] - constant for k in range(len(asked))])
    slopes = slopes.reshape(len(asked), constant.size)
    for answers in rng.standard_normal((PROBES, len(asked))):
        for sign in (1.0, -1.0):
            told, again = _measured(observable, spaces, lambda k, chosen=sign * answers: float(chosen[k]))
            scale = np.abs(constant).max(initial=0.0) + np.abs(answers) @ np.abs(slopes).max(axis=1, initial=0.0)
            expected = constant + sign * answers @ slopes
            if [*map(str, again)] != [*map(str, asked)] or not np.abs(told - expected).max(
                initial=0.0
            ) <= ALIKE * scale:
                raise Unavailable("it is no linear function of expectations")
    return [_combined(asked, slopes[:, i], float(constant[i])) for i in range(constant.size)]


def sizes(observable: Observable, spaces: Sequence[LocalSpace], rng: np.random.Generator) -> Real | None:
    """Return the root mean square of each element, in C order, if the expectations that it reads were random.

    Each expectation has a random sign and the size of its operator, sqrt(tr O^2 / tr 1): this is the change of the
    observable if all elements of the marginals change by 1. It is found from a few random answers. Return None for an
    observable that is no linear function of expectations.

    >>> from tnness.observables.observable import expectation
    >>> from tnness.operators.basis import spin_half as s
    >>> found = sizes(expectation([s.Z(0), 3 * s.Z(1)], "site"), [s, s], np.random.default_rng(1))
    >>> bool(0.3 < found[0] < 3 and 1 < found[1] < 9)
    True
    """
    try:
        constant, asked = _measured(observable, spaces, lambda k: 0.0)
        of = np.array([_size(operator, spaces) for operator in asked])
        square = np.zeros_like(constant)
        for answers in rng.standard_normal((SIZED, len(asked))) * of:
            up, down = (_answered(observable, spaces, sign * answers) - constant for sign in (1.0, -1.0))
            if not np.abs(up + down).max(initial=0.0) <= ALIKE * np.abs(up).max(initial=1.0):
                return None
            square += up**2 / SIZED
    except Unavailable:
        return None
    return np.sqrt(square)


def _answered(observable: Observable, spaces: Sequence[LocalSpace], answers: Real) -> Real:
    """Return the elements, flat, where the k-th question is answered by answers[k]."""
    return _measured(observable, spaces, lambda k: float(answers[k]) if k < len(answers) else np.nan)[0]


def _size(operator: Operator, spaces: Sequence[LocalSpace]) -> float:
    """Return sqrt(tr O^2 / tr 1), as if the terms were orthogonal to each other."""
    square = 0.0
    for term in operator:
        coefficient, matrices, _ = term.graded()
        mean = [float(np.mean(np.abs(m) ** 2)) * spaces[site].levels for site, m in matrices.items()]
        square += abs(coefficient) ** 2 * float(np.prod(mean))
    return float(np.sqrt(square))


def _unit(place: int) -> Callable[[int], float]:
    return lambda k: float(k == place)


def _measured(
    observable: Observable, spaces: Sequence[LocalSpace], answer: Callable[[int], float]
) -> tuple[Real, list[Operator]]:
    """Return the elements, flat, and the operators that were asked for."""
    view = Asking(spaces, answer)
    return _values(observable, view), view.asked


def _values(observable: Observable, view: Asking) -> Real:
    """Return the elements of an observable, flat."""
    try:
        with np.errstate(all="ignore"):
            values = observable(view).reshape(-1)
    except (Unavailable, ArithmeticError, ValueError) as error:
        raise Unavailable(f"it is no linear function of expectations: {error}") from error
    if not np.isfinite(values).all():
        raise Unavailable("it is no linear function of expectations")
    return values


def _combined(asked: Sequence[Operator], coefficients: Real, constant: float) -> Operator:
    """Return sum_k c_k O_k + constant."""
    terms = [c * operator if c != 1 else operator for c, operator in zip(coefficients, asked, strict=True) if c != 0]
    return total([*terms, *([as_operator(constant)] if constant else [])])
