"""The shape of the package: few modules at the root, few floors, one meaning for every public name."""

import ast
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tnness"
JUDGED = ("runs", "records", "stopping", "model", "study", "cli")
CLASSES = ("TEBD", "Exact", "Accelerated", "Gaussian", "Trajectories", "Transfer", "Spectral", "Engine", "Run")
PROBLEMS = ("Lindbladian", "ChainGenerator", "Circuit", "TransferChain", "RandomBar", "FactorisedHopping")


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def definitions(path):
    """Public classes and functions at the top of a module, and the values of its constants."""
    names, constants = [], {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            names.append(node.name)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = ast.unparse(node.value)
    return names, {name: value for name, value in constants.items() if name.isupper() and not name.startswith("_")}


def test_the_root_has_no_more_than_four_modules():
    assert len(list(PACKAGE.glob("*.py"))) <= 4


def test_the_house_has_about_a_dozen_floors():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["id"] == "layers")["layers"]
    assert len(layers) <= 13
    assert any(contract["type"] == "acyclic_siblings" for contract in contracts)


def test_no_two_classes_or_functions_have_one_name():
    places = defaultdict(set)
    for path in modules():
        for name in definitions(path)[0]:
            places[name].add(str(path.relative_to(ROOT)))
    assert {name: where for name, where in places.items() if len(where) > 1 and name != "sweep"} == {}


def test_no_constant_of_one_name_has_two_values():
    values = defaultdict(set)
    for path in modules():
        for name, value in definitions(path)[1].items():
            values[name].add(value)
    assert {name: found for name, found in values.items() if len(found) > 1} == {}


@pytest.mark.parametrize("folder", JUDGED)
def test_nothing_between_engine_and_record_asks_for_a_class(folder):
    """No `isinstance` on engines, runs or problems: what they are is told by what they do."""
    for path in (PACKAGE / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
                asked = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
                assert not asked & {*CLASSES, *PROBLEMS}, f"{path}:{node.lineno}"
                assert not any(name.endswith(("Run", "Engine")) for name in asked), f"{path}:{node.lineno}"
