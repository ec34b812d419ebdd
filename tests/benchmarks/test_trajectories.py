"""The benchmark of trajectories: its two sides solve one chain."""

import numpy as np
import pytest

from benchmarks.trajectories import Case, density, deviation, exact, sampled


def test_trajectories_of_the_benchmark_are_those_of_the_density_matrix():
    case = Case(n=4, dephasing=0.1, ends=0.5, time=1.0)
    rms, largest = deviation(sampled(case, realizations=100, dt=0.2, cutoff=1e-8, unraveling="jumps"), exact(case))
    assert rms < 1.8
    assert largest < 4


@pytest.mark.slow
@pytest.mark.parametrize("unraveling", ["jumps", "diffusion"])
def test_trajectories_of_forty_sites_agree_with_tebd(unraveling):
    """At strong dephasing a density operator of chi = 32 is good to 1e-3."""
    case = Case(n=40, dephasing=0.5, ends=0.5, time=2.0)
    coarse, fine = (density(case, chi=chi, dt=0.2) for chi in (16, 32))
    assert np.abs(coarse.values - fine.values).max() < 5e-3
    found = sampled(case, realizations=60, dt=0.1, cutoff=1e-7, unraveling=unraveling)
    rms, largest = deviation(found, fine)
    assert 0.5 < rms < 1.5
    assert largest < 4.5
