"""Linear observables: the operators that they read."""

import numpy as np
import pytest

from tnness import Observable, Unavailable, expectation, purity, two_point
from tnness import spin_half as s
from tnness.observables.linear import linear_operators

SPACES = [s] * 3


def operators(observable):
    found = linear_operators(observable, SPACES, np.random.default_rng(3))
    return [operator.matrix(range(3), dict.fromkeys(range(3), 2)) for operator in found]


def whole(operator):
    return operator.matrix(range(3), dict.fromkeys(range(3), 2))


def test_combinations_of_expectations_are_operators():
    def measure(view):
        z = np.array([view.expect(s.Z(i)) for i in range(3)])
        return [1 + 2 * z[0] - z.sum() / 3, view.expect(s.X(0) * s.X(2))]

    found = operators(Observable(measure, dims=("k",)))
    total = s.Z(0) + s.Z(1) + s.Z(2)
    for one, other in zip(found, [1 + 2 * s.Z(0) - total / 3, s.X(0) * s.X(2)], strict=True):
        np.testing.assert_allclose(one, whole(other), atol=1e-14)


def test_correlations_and_constants_are_linear():
    found = operators(two_point(s.Sx, s.Sx))
    assert len(found) == 9
    np.testing.assert_allclose(found[5], whole(s.Sx(1) * s.Sx(2)), atol=1e-14)
    np.testing.assert_allclose(operators(Observable(lambda view: 2.0))[0], 2 * np.eye(8))


@pytest.mark.parametrize(
    "observable",
    [
        two_point(s.Sx, s.Sx, connected=True),
        purity(),
        Observable(lambda view: abs(view.expect(s.Z(0)))),
        Observable(lambda view: max(view.expect(s.Z(0)), view.expect(s.Z(1)))),
        Observable(lambda view: view.expect(s.Z(0)) / view.expect(s.Z(1))),
        Observable(lambda view: np.log(view.expect(s.Z(0)))),
        Observable(lambda view: view.expect(s.Z(0)) if view.expect(s.Z(1)) > 0 else view.expect(s.Z(2))),
        Observable(lambda view: view.marginal([0])[0, 0].real),
    ],
)
def test_what_is_not_linear_is_refused(observable):
    with pytest.raises(Unavailable, match="it is no linear function of expectations"):
        operators(observable)


def test_expectations_are_linear():
    found = operators(expectation([s.Z(i) for i in range(3)], "site"))
    np.testing.assert_allclose(found[2], whole(s.Z(2)), atol=1e-14)


def test_parts_of_complex_expectations_are_linear():
    hop = s.Sp(0) * s.Sm(1)
    found = operators(Observable(lambda view: [view.expect(hop).real, view.expect(hop).imag], dims=("part",)))
    matrix = whole(hop)
    np.testing.assert_allclose(found[0], (matrix + matrix.conj().T) / 2, atol=1e-14)
    np.testing.assert_allclose(found[1], (matrix - matrix.conj().T) / 2j, atol=1e-14)
