"""The weakly driven MBL chain against dense steady states.

EXACT is what the direct solvers leave of 1e-16 on a generator whose slowest rate is eps.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from measured import exact_values, exact_view, measure, tebd_values
from tnness.errors import InputError, ModelError
from tnness.model.parameters import build
from tnness.model.protocol import generator_of
from tnness.model.registry import find

EXACT = 1e-9
MBL = find("mbl-heisenberg")
REFERENCE = systems.mbl_exact_reference()
FOUR = {"n": 4, "h": 2.0, "eps": 0.3, "fields_z": REFERENCE.fields_z[:4], "fields_x": REFERENCE.fields_x[:4]}
NAMES = {
    "sz": ("site",),
    "sx": ("site",),
    "ss": ("bond",),
    "beta": ("bond",),
    "energy": (),
    "beta_variation": (),
}


@pytest.fixture(scope="module")
def reference_view():
    return exact_view(MBL(**REFERENCE.parameters()))


@pytest.mark.parametrize(
    ("field_weight", "variation"),
    [(1.0, REFERENCE.beta_variation_whole), (0.5, REFERENCE.beta_variation_half)],
)
def test_reference_case(reference_view, field_weight, variation):
    values = measure(MBL(**REFERENCE.parameters(), field_weight=field_weight), reference_view)
    assert_allclose(values["energy"], REFERENCE.energy, atol=EXACT)
    assert_allclose(values["beta_variation"], variation, atol=EXACT)


@pytest.mark.parametrize("field_weight", [1.0, 0.5])
@pytest.mark.parametrize("drive", ["correlated", "one-sided", "singlet"])
def test_every_observable_equals_dense(drive, field_weight):
    model = MBL(**FOUR, drive=drive, field_weight=field_weight)
    values = exact_values(model)
    assert {name: o.dims for name, o in model.observables().items()} == NAMES
    for name, expected in systems.mbl_exact(**FOUR, drive=drive, field_weight=field_weight).items():
        assert_allclose(values[name], expected, atol=EXACT, err_msg=name)


def field(size):
    # away from 0, where the chain has dark states and more than one steady state
    return st.lists(st.floats(0.1, 1.0) | st.floats(-1.0, -0.1), min_size=size, max_size=size).map(tuple)


@given(
    h=st.floats(0.5, 8.0),
    eps=st.floats(0.05, 2.0),
    z=field(3),
    x=field(3),
    drive=st.sampled_from(["correlated", "one-sided", "singlet"]),
)
@settings(max_examples=25, deadline=None)
def test_any_disorder_equals_dense(h, eps, z, x, drive):
    parameters = {"n": 3, "h": h, "eps": eps, "fields_z": z, "fields_x": x, "drive": drive}
    rho = systems.jump_chain_steady_state(*systems.mbl_dense(**parameters))
    expected = systems.mbl_observables(rho, h, z, x)
    values = exact_values(MBL(**parameters))
    for name in ("sz", "sx", "ss", "energy"):
        assert_allclose(values[name], expected[name], atol=EXACT, err_msg=name)
    # the error of beta is that of the populations times dbeta/dw, which grows in the cold
    assert_allclose(np.tanh(values["beta"]), np.tanh(expected["beta"]), atol=1e-7)


def test_literal_drive_ends_at_infinite_temperature():
    values = exact_values(MBL(**FOUR, drive="literal"))
    for name in ("sz", "sx", "ss", "beta", "energy"):
        assert_allclose(values[name], 0, atol=EXACT, err_msg=name)


def test_mirrored_chain_has_mirrored_temperatures():
    mirrored = FOUR | {"fields_z": FOUR["fields_z"][::-1], "fields_x": FOUR["fields_x"][::-1]}
    assert_allclose(exact_values(MBL(**mirrored))["beta"], exact_values(MBL(**FOUR))["beta"][::-1], atol=EXACT)


def test_vanishing_drive_reaches_the_rate_equation_of_the_eigenstates():
    hamiltonian, jumps = systems.mbl_dense(**(FOUR | {"eps": 1.0}))
    rho = systems.weak_drive_steady_state(hamiltonian, jumps)
    expected = systems.mbl_observables(rho, FOUR["h"], FOUR["fields_z"], FOUR["fields_x"])
    values = exact_values(MBL(**(FOUR | {"eps": 1e-4})))
    for name in NAMES:
        assert_allclose(values[name], expected[name], atol=1e-3, err_msg=name)  # corrections of order eps


def test_end_sites_keep_their_whole_field():
    whole, half = MBL(**FOUR), MBL(**FOUR, field_weight=0.5)
    view = exact_view(whole)
    assert not np.allclose(whole.observables()["beta"](view), half.observables()["beta"](view))
    two = {**FOUR, "n": 2, "fields_z": (0.4, -0.9), "fields_x": (0.1, 0.7)}  # no site is shared
    view = exact_view(MBL(**two))
    expected = MBL(**two).observables()["beta"](view)
    assert_allclose(MBL(**two, field_weight=0.5).observables()["beta"](view), expected, atol=0)


@pytest.mark.parametrize("drive", ["correlated", "singlet"])
def test_tebd_reaches_the_exact_steady_state(drive):
    parameters = FOUR | {"eps": 0.5, "drive": drive}
    model = MBL(**parameters)
    values, run = tebd_values(model, until=60.0, chi=16, dt=0.2)  # chi 16 is exact at n = 4, e^-30 is left
    assert run.trace_drift == pytest.approx(0, abs=1e-10)
    for name, expected in systems.mbl_exact(**parameters).items():
        assert_allclose(values[name], expected, atol=1e-5, err_msg=name)  # the Trotter error of order 4 at dt = 0.2


def test_variation_is_not_a_number_at_infinite_temperature():
    values, _ = tebd_values(MBL(**FOUR), until=0.0)
    assert_allclose(values["beta"], 0, atol=1e-14)
    assert np.isnan(values["beta_variation"])


# ---------------------------------------------------------------- drives of every bond


def dissipator_of(drive, n=3):
    """What the model's jumps, dephasing included, make of a matrix: at eps = 1, as a function."""
    chain = MBL(n=n, eps=1.0, drive=drive, fields_z=(0.0,) * n, fields_x=(0.0,) * n).problem()
    jumps = [np.sqrt(j.rate) * j.operator.matrix(range(n), dict.fromkeys(range(n), 2)) for j in chain.jumps]

    def dissipated(rho):
        return sum(a @ rho @ a.conj().T - (a.conj().T @ a @ rho + rho @ a.conj().T @ a) / 2 for a in jumps)

    return dissipated


@pytest.mark.parametrize("n", [2, 3])
def test_singlet_chain_is_the_lindbladian_written_by_hand(n):
    """-i[H, rho] + eps sum_k D[L_k], L = |s><t_m| / sqrt 3 and S^z, on row-major vec(rho): its null space is a line."""
    h, eps, z, x = 1.5, 0.3, (0.4, -0.9, 0.6)[:n], (0.1, 0.7, -0.3)[:n]
    up, down = np.eye(2)
    singlet = (np.kron(up, down) - np.kron(down, up)) / np.sqrt(2)
    triplets = (np.kron(up, up), (np.kron(up, down) + np.kron(down, up)) / np.sqrt(2), np.kron(down, down))
    spins = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]]) / 2

    def at(matrix, site):
        before, after = np.eye(2**site), np.eye(2**n // 2**site // len(matrix))
        return np.kron(np.kron(before, matrix), after)

    hamiltonian = sum(at(np.kron(a, a), i) for i in range(n - 1) for a in spins)
    hamiltonian = hamiltonian + h * sum(at(z[i] * spins[2] + x[i] * spins[0], i) for i in range(n))
    jumps = [at(np.outer(singlet, t) / np.sqrt(3), i) for i in range(n - 1) for t in triplets]
    jumps += [at(spins[2], i) for i in range(n)]
    one = np.eye(2**n)
    by_hand = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    for a in jumps:
        decay = a.conj().T @ a
        by_hand = by_hand + eps * (np.kron(a, a.conj()) - (np.kron(decay, one) + np.kron(one, decay.T)) / 2)
    _, sizes, vectors = np.linalg.svd(by_hand)
    assert sizes[-1] < 1e-12 < 1e-3 < sizes[-2]
    rho = vectors[-1].conj().reshape(one.shape)
    rho = rho / np.trace(rho)
    assert np.linalg.eigvalsh(rho).min() > 0
    values = exact_values(MBL(n=n, h=h, eps=eps, fields_z=z, fields_x=x, drive="singlet"))
    assert_allclose(values["energy"], np.trace(hamiltonian @ rho).real, atol=EXACT)
    assert_allclose(values["sz"], [np.trace(at(spins[2], i) @ rho).real for i in range(n)], atol=EXACT)
    assert_allclose(values["sx"], [np.trace(at(spins[0], i) @ rho).real for i in range(n)], atol=EXACT)
    assert values["beta"].mean() > 0


@pytest.mark.parametrize(("drive", "rate"), [("correlated", 1 / 2), ("singlet", 1 / 4)])
def test_spins_relax_at_different_rates(drive, rate):
    """By the jumps of a bond; dephasing adds 1/2 for S^x."""
    for spin, dephasing in ((systems.SZ, 0.0), (systems.SX, 1 / 2)):
        operator = systems.site_operator(spin, 0, 2)
        relaxed = np.trace(operator @ dissipator_of(drive, n=2)(operator)) / np.trace(operator @ operator)
        assert_allclose(relaxed, -rate - dephasing, atol=1e-14)


@pytest.mark.parametrize("drive", ["correlated", "singlet"])
def test_drives_of_every_bond_cool_and_relax_its_exchange_alike(drive):
    """Infinite temperature loses 1/4 per bond; exchange relaxes at the rates 1/3 by the jumps, 2/3 by dephasing."""
    dissipated, exchange = dissipator_of(drive), systems.S_DOT_S
    for bond in (np.kron(exchange, np.eye(2)), np.kron(np.eye(2), exchange)):
        assert_allclose(np.trace(bond @ dissipated(np.eye(8))) / 8, -1 / 4, atol=1e-14)
    relaxed = np.trace(exchange @ dissipator_of(drive, n=2)(exchange)) / np.trace(exchange @ exchange)
    assert_allclose(relaxed, -1 / 3 - 2 / 3, atol=1e-14)


def test_singlet_drive_makes_the_exchange_out_of_the_identity():
    """sum_k [L_k, L_k^+] = -(4/3) S_i . S_{i+1}: the same in all directions of spin."""
    assert_allclose(dissipator_of("singlet", n=2)(np.eye(4)), -4 / 3 * systems.S_DOT_S, atol=1e-14)
    zz = np.diag([1.0, -1.0, -1.0, 1.0]) / 4
    assert_allclose(dissipator_of("correlated", n=2)(np.eye(4)), -4 * zz, atol=1e-14)


@given(h=st.floats(0.5, 4.0), eps=st.floats(0.01, 1.0), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_singlet_drive_cools_the_chain_to_a_positive_mean_temperature(h, eps, seed):
    values = exact_values(MBL(n=4, h=h, eps=eps, drive="singlet").draw(np.random.default_rng(seed)))
    assert values["beta"].mean() > 0
    assert values["ss"].mean() < 0


# ---------------------------------------------------------------- disorder


def test_draw_takes_fields_z_then_fields_x():
    rng = np.random.default_rng(7)
    z, x = rng.uniform(-1, 1, 5), rng.uniform(-1, 1, 5)
    drawn = MBL(n=5).draw(np.random.default_rng(7))
    assert drawn.fields_z == tuple(z)
    assert drawn.fields_x == tuple(x)
    assert drawn == MBL(n=5).draw(np.random.default_rng(7))
    assert drawn != MBL(n=5).draw(np.random.default_rng(8))
    assert drawn.draw(np.random.default_rng(9)) == drawn


def test_given_fields_are_kept_and_do_not_move_the_others():
    drawn = MBL(n=3).draw(np.random.default_rng(7))
    given_z = MBL(n=3, fields_z=(0.1, 0.2, 0.3)).draw(np.random.default_rng(7))
    assert given_z.fields_z == (0.1, 0.2, 0.3)
    assert given_z.fields_x == drawn.fields_x
    given_x = MBL(n=3, fields_x=[0.1, 0.2, 0.3]).draw(np.random.default_rng(7))
    assert (given_x.fields_z, given_x.fields_x) == (drawn.fields_z, (0.1, 0.2, 0.3))


def test_fields_must_be_drawn_first():
    with pytest.raises(ModelError, match="model 'mbl-heisenberg': fields_z and fields_x are neither given nor drawn"):
        generator_of(MBL(n=4), "mbl-heisenberg")
    with pytest.raises(InputError, match="draw"):
        MBL(n=4, fields_z=(0.0,) * 4).observables()


def test_small_keeps_the_first_sites():
    assert MBL().small() == MBL(n=4)
    drawn = MBL(n=7, h=5.0).draw(np.random.default_rng(0))
    assert drawn.small() == replace(drawn, n=4, fields_z=drawn.fields_z[:4], fields_x=drawn.fields_x[:4])
    assert MBL(n=2).small().n == 2


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1: a chain has"),
        ({"eps": -0.1}, "eps = -0.1: a rate"),
        ({"eps": float("nan")}, "finite"),
        ({"h": float("inf")}, "finite"),
        ({"drive": "corelated"}, "did you mean 'correlated'"),
        ({"field_weight": 0.3}, "field_weight = 0.3"),
        ({"n": 3, "fields_z": [0.1, 0.2]}, "fields_z takes one number per site, n = 3"),
        ({"n": 2, "fields_x": [0.1, float("nan")]}, r"fields_x\[1\]"),
        ({"fields_y": [0.1]}, "no parameter 'fields_y'"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(MBL, parameters, "mbl-heisenberg")


def test_checks_also_hold_without_build():
    with pytest.raises(InputError, match="drive = 'none'"):
        MBL(drive="none")
    with pytest.raises(InputError, match="fields_x"):
        MBL(n=3, fields_x=np.zeros(2))
    assert hash(MBL(n=3, fields_x=np.zeros(3))) == hash(MBL(n=3, fields_x=(0.0, 0.0, 0.0)))
