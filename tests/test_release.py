"""One version, in every place that must state it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version_everywhere():
    assert f"\nversion: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text()
    headings = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == PROJECT["version"]
    for path in (ROOT / "tnness").rglob("*.py"):
        assert f'"{PROJECT["version"]}"' not in path.read_text(), f"{path} states the version too"


def test_the_map_of_the_house_names_every_floor():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["id"] == "layers")["layers"]
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    named = [re.findall(r"`(\w+)`", row) for row in rows]
    for floor in layers:
        assert re.split(r"\s*\|\s*", floor) in named, floor


def test_every_package_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "tnness").rglob("__init__.py")}
    assert found | {"tnness_models"} == set(settings["packages"])


def test_the_conda_recipe_asks_for_what_the_package_needs():
    jinja2, yaml = pytest.importorskip("jinja2"), pytest.importorskip("yaml")
    source = (ROOT / "recipe" / "meta.yaml").read_text()
    given = {
        "load_file_data": lambda path, **_: tomllib.loads((ROOT / "recipe" / path).read_text()),
        "PYTHON": "python",
    }
    recipe = yaml.safe_load(jinja2.Environment().from_string(source).render(given))
    assert recipe["package"] == {"name": "tnness", "version": PROJECT["version"]}
    assert recipe["build"]["entry_points"] == [f"{name} = {place}" for name, place in PROJECT["scripts"].items()]
    needed = {"python " + PROJECT["requires-python"]}
    for dependency in PROJECT["dependencies"]:
        name, extra, bound = re.fullmatch(r"([\w-]+)(?:\[(\w+)\])?(>=[\w.]+)", dependency).groups()
        needed |= {f"{'matplotlib-base' if name == 'matplotlib' else name} {bound}"} | ({extra} if extra else set())
    assert set(recipe["requirements"]["run"]) == needed


def test_every_link_of_the_pages_at_the_root_leads_somewhere():
    for page in ROOT.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert link.startswith("https://") or (ROOT / link).exists(), f"{page.name}: {link}"
