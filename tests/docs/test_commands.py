"""README and every page: the commands that they show are ones that the program understands, and README's model runs."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import typer

from command_line import well
from systems import prosen_exact
from tnness import find, steady_state
from tnness.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "studies").glob("*/README.md")),
]
BLOCK = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```[ ]*$", re.MULTILINE | re.DOTALL)


def commands(text, program):
    """The commands of a program in the blocks of a page, as words."""
    for _, language, block in BLOCK.findall(text):
        if language in ("", "sh", "console", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith(f"{program} "):
                    yield shlex.split(line, comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_program_understands_every_command(page):
    program = typer.main.get_command(app)
    for _, name, *arguments in commands(page.read_text(), "tnness"):
        context = typer.Context(program, info_name="tnness")
        command = program.get_command(context, name)
        assert command is not None, f"there is no command {name}"
        command.make_context(name, arguments, parent=context)  # raises where an option is unknown


def test_the_commands_of_the_readme_are_found():
    names = [words[1] for words in commands(PAGES[0].read_text(), "tnness")]
    assert {"check", "run", "converge", "sweep", "status", "collect", "plot", "report", "show"} <= set(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_targets_and_benchmarks_exist(page):
    text = page.read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)", text) + [words[1] for words in commands(text, "make")]:
        assert f"\n{target}:" in makefile, f"there is no make {target}"
    for name in re.findall(r"python\s+-m\s+(benchmarks[.\w]*)", text):
        assert importlib.util.find_spec(name) is not None, f"there is no {name}"


def test_the_model_of_the_readme_is_valid_and_prosens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n# my_chain.py\n(.*?)^```", PAGES[0].read_text(), re.MULTILINE | re.DOTALL)
    Path("my_chain.py").write_text(code)
    assert "FAIL" not in well("check", "my_chain.py:MyXXZ").out
    model = find("my_chain.py:MyXXZ")
    z = steady_state(model(n=4, delta=0.5), engine="exact")["z"].values
    assert abs(z - prosen_exact(4, 0.5, 1.0)["z"]).max() < 1e-9
