"""The benchmark of the hopping gate compares two forms of one map."""

import numpy as np
import scipy.linalg as linalg
from numpy.testing import assert_allclose

from benchmarks.hopping import STEP, gate_matrix, hop, main
from tnness.operators.basis import boson, coefficients, density_matrix


def test_the_matrix_is_that_of_the_gate():
    b, rng = boson(2), np.random.default_rng(0)
    vector, unitary = rng.standard_normal(81), linalg.expm(-1j * STEP * hop(3).matrix)
    rho = density_matrix(vector, (b, b))
    assert_allclose(gate_matrix(3) @ vector, coefficients(unitary @ rho @ unitary.conj().T, (b, b)).ravel(), atol=1e-13)


def test_it_prints_a_line_for_each_number_of_levels_and_a_ratio_where_there_is_a_matrix(capsys):
    main(levels=[3, 4], chi=2, largest=1e-4, runs=1)
    small, large = capsys.readouterr().out.splitlines()[-2:]
    assert len(small.split()) == 6  # 52 kB
    assert len(large.split()) == 4  # 524 kB: not made
