"""Charges: their sums, and the refusal of what does not conserve them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tnness.errors import ModelError
from tnness.operators.basis import bit
from tnness.operators.charges import Charges
from tnness.problems.generator import ChainGenerator

HOP = np.zeros((4, 4))
HOP[1, 2] = HOP[2, 1] = 1.0
HOP[1, 1] = HOP[2, 2] = -1.0


def test_whole_charges_add_and_parities_add_modulo_two():
    charges = Charges([[[0, 0], [1, 1]], [[0, 0], [-1, 1]]], [0, 2])
    assert_array_equal(charges.fuse(*charges.sites), [[0, 0], [-1, 1], [1, 1], [0, 0]])
    codes = charges.codes(charges.fuse(*charges.sites))
    assert codes[0] == codes[3]
    assert len(set(codes.tolist())) == 3


def test_codes_tell_all_charges_of_a_long_chain_apart():
    charges = Charges([np.zeros((1, 3))], [0, 2, 2])
    labels = np.array([[q, a, b] for q in range(-300, 300) for a in (0, 1) for b in (0, 1)])
    assert len(set(charges.codes(labels).tolist())) == len(labels)


def test_a_generator_that_conserves_its_charges_is_taken():
    occupation = Charges([[0, 1]] * 3, [0])
    chain = ChainGenerator([bit] * 3, [np.zeros((2, 2))] * 3, [HOP] * 2, charges=occupation)
    assert chain.charges is occupation


@pytest.mark.parametrize(
    ("charges", "sites", "reason"),
    [
        (Charges([[0, 1]] * 3, [0]), [[[-1.0, 0], [1, 0]]] * 3, "site 0 changes a charge"),
        (Charges([[0, 1], [0, 2], [0, 1]], [0]), [np.zeros((2, 2))] * 3, "bond 0 changes a charge"),
        (Charges([[0, 1]] * 2, [0]), [np.zeros((2, 2))] * 3, "charges are needed"),
    ],
)
def test_charges_that_are_not_conserved_are_refused(charges, sites, reason):
    with pytest.raises(ModelError, match=reason):
        ChainGenerator([bit] * 3, sites, [HOP] * 2, charges=charges)


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"metric": [np.ones(2)] * 2}, "one vector of shape"),
        ({"metric": [np.array([1.0, 3.0])] * 3}, "powers of 2"),
        ({"metric": [np.array([1.0, 0.0])] * 3}, "powers of 2"),
        ({"resolution": 0.0}, "resolution = 0.0"),
        ({"resolution": 2.0}, "resolution = 2.0"),
    ],
)
def test_a_bad_metric_or_resolution_is_refused(about, reason):
    with pytest.raises(ModelError, match=reason):
        ChainGenerator([bit] * 3, [np.zeros((2, 2))] * 3, [HOP] * 2, **about)
