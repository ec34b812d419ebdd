"""Models by registered name, as file.py:Class, and from the packages that are installed."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

from tnness.errors import InputError, ModelError
from tnness.model import registry
from tnness.model.parameters import parameters
from tnness.model.protocol import generator_of
from tnness.model.registry import broken_packages, find, models, register

SOURCE = '''
from dataclasses import dataclass
from tnness.operators.basis import spin_half as s
from tnness.problems.lindbladian import Lindbladian

@dataclass(frozen=True, kw_only=True)
class Decay:
    """A chain that decays."""

    n: int = 3  # sites
    gamma: float = 1.0  # rate [1/time]

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        for i in range(self.n):
            chain.jump(s.Sm(i), rate=self.gamma)
        return chain

    def observables(self):
        return {}

class Nothing:
    pass
'''


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    models()
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))
    monkeypatch.setattr(registry, "_broken", dict(registry._broken))
    monkeypatch.setattr(registry, "_loaded", registry._loaded)


def chain_class(module="somewhere"):
    @dataclass(frozen=True)
    class Chain:
        n: int = 2

        def problem(self): ...

        def observables(self): ...

    Chain.__module__ = module
    return Chain


# ---------------------------------------------------------------- by name


def test_the_project_registers_its_systems():
    assert {"mbl-heisenberg", "ssep", "xx-dephasing", "xxz-driven"} <= set(models())
    assert list(models()) == sorted(models())
    assert not broken_packages()
    for name, cls in models().items():
        assert find(name) is cls
        assert cls.registered_name == name


@pytest.mark.parametrize("name", ["mbl-heisenberg", "ssep", "xx-dephasing", "xxz-driven"])
def test_every_system_says_what_it_is(name):
    cls = find(name)
    assert cls.engines[0] == "tebd"
    assert "doi:" in (cls.__doc__ or "")
    assert all(parameter.description for parameter in parameters(cls).values())
    assert cls().small().n < cls().n


def test_did_you_mean():
    with pytest.raises(InputError, match=r"no model 'xxz-drivn' \(did you mean 'xxz-driven'\?\)"):
        find("xxz-drivn")
    with pytest.raises(InputError, match=r"known: .*ssep"):
        find("????")
    with pytest.raises(InputError, match=r"a model in a file is given as file.py:Class"):
        find("my_chain.py")


def test_a_class_registers_under_its_name():
    cls = chain_class()
    assert register("test-chain")(cls) is cls
    assert find("test-chain") is cls
    register("test-chain")(chain_class())  # the same class, imported again
    assert register("test-other")(cls) is find("test-other")


def test_one_name_for_two_classes_is_an_error():
    register("test-chain")(chain_class("first"))
    with pytest.raises(ModelError, match=r"'test-chain' is registered twice: by first\..*Chain and by second\..*Chain"):
        register("test-chain")(chain_class("second"))
    assert find("test-chain").__module__ == "first"


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_name_is_text(name):
    with pytest.raises(ModelError, match="registered under a name"):
        register(name)


def test_what_is_no_model_is_refused():
    class NoObservables:
        def problem(self): ...

    class NoDataclass(NoObservables):
        def observables(self): ...

    with pytest.raises(ModelError, match=r"NoObservables has no method observables\(\)"):
        register("test-chain")(NoObservables)
    with pytest.raises(ModelError, match="NoDataclass is not a dataclass"):
        register("test-chain")(NoDataclass)
    assert "test-chain" not in models()


# ---------------------------------------------------------------- from a file


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_chain.py"
    path.write_text(SOURCE)
    return path


def test_a_class_in_a_file(file):
    cls = find(f"{file}:Decay")
    assert generator_of(cls(n=2)).dims == (4, 4)
    assert parameters(cls)["gamma"].unit == "1/time"
    assert find(f"{file}:Decay") is cls


def test_a_path_relative_to_here(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    assert find("my_chain.py:Decay") is find(f"{file}:Decay")


def test_a_file_may_register_too(file):
    file.write_text(
        "from tnness.model.registry import register\n" + SOURCE.replace("@dataclass", '@register("decay")\n@dataclass')
    )
    cls = find(f"{file}:Decay")
    assert find("decay") is cls


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"there is no file '.*other.py' to take model 'Decay' from"):
        find(f"{tmp_path}/other.py:Decay")


def test_no_such_class(file):
    with pytest.raises(InputError, match=r"has no class 'Decoy' \(did you mean 'Decay'\?\)"):
        find(f"{file}:Decoy")
    with pytest.raises(InputError, match="has no class 's'"):
        find(f"{file}:s")
    with pytest.raises(ModelError, match=r"Nothing has no method problem\(\)"):
        find(f"{file}:Nothing")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def broken(:", "could not be loaded: SyntaxError"),
        ("import no_such_module_at_all", "could not be loaded: ModuleNotFoundError"),
        ("1 / 0", "could not be loaded: ZeroDivisionError"),
    ],
)
def test_a_file_that_cannot_be_loaded(tmp_path, source, reason):
    path = tmp_path / "broken.py"
    path.write_text(source)
    for _ in range(2):  # the second time too
        with pytest.raises(InputError, match=reason):
            find(f"{path}:Decay")


def test_an_error_of_ours_in_a_file_is_shown_as_it_is(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("from tnness.model.registry import register\nregister('')\n")
    with pytest.raises(ModelError, match="registered under a name"):
        find(f"{path}:Decay")


# ---------------------------------------------------------------- from installed packages


def test_one_broken_package_does_not_take_the_others(monkeypatch):
    points = [
        EntryPoint("broken", "no_such_module_at_all", registry.ENTRY_POINT),
        EntryPoint("tnness", "tnness_models", registry.ENTRY_POINT),
    ]
    monkeypatch.setattr(registry.importlib.metadata, "entry_points", lambda group: points)
    monkeypatch.setattr(registry, "_loaded", False)
    assert "ssep" in models()
    assert list(broken_packages()) == ["broken (no_such_module_at_all)"]
    assert "ModuleNotFoundError" in broken_packages()["broken (no_such_module_at_all)"]
