"""The pages of the documentation: their code runs, and what is generated is complete."""

import ast
import doctest
import importlib
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import commands
import executed
import gallery
import matplotlib
import outcomes
import pytest
import reference
import studies_pages

import tnness
from tnness import models
from tnness.network.truncation import TRUNCATIONS
from tnness.records import words
from tnness.records.certificate import MEANING

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    str(path.relative_to(DOCS)): path.read_text()
    for path in sorted(DOCS.rglob("*.md"))
    if any(block.language in ("python", "console") for block in executed.blocks_of(path.read_text()))
}
LONG = ("beyond.md", *(f"tutorials/{name}.md" for name in ("certificate", "counting", "disorder", "fermions")))
"""Pages that take more than five seconds of processor time; building the site runs them, too."""
ELSEWHERE = [name for name, text in PAGES.items() if executed.is_executed_elsewhere(text)]


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("Agg")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in PAGES if name not in ELSEWHERE],
)
@pytest.mark.filterwarnings("default")
def test_the_code_of_a_page_runs(name, tmp_path):
    outputs = executed.execute(PAGES[name], tmp_path, name)
    assert outputs
    json.loads(executed.notebook(PAGES[name]))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_page_that_is_executed_elsewhere_names_a_test_that_reads_it(name):
    test = DOCS.parent / executed.ELSEWHERE.search(PAGES[name])[1]
    assert Path(name).name in test.read_text()


def test_a_block_that_fails_is_shown_with_its_page(tmp_path):
    page = "# A page\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n"
    with pytest.raises(executed.PageError, match=r"somewhere: AssertionError: \nassert x == 2"):
        executed.execute(page, tmp_path, "somewhere")


def test_a_command_that_fails_stops_the_page(tmp_path):
    with pytest.raises(executed.PageError, match="there is no model"):
        executed.execute("```console\ntnness show nothing-like-it\n```\n", tmp_path)


def test_outputs_stand_below_their_blocks_and_figures_are_files(tmp_path):
    page = (
        "# A page\n\n```python\nx = 2\nprint('two')\nx + 1\n```\n\n"
        "```python\nimport matplotlib.pyplot as plt\nplt.figure()\n```\n\nThe end.\n"
    )
    shown, files = executed.with_outputs(page, executed.execute(page, tmp_path), "fig")
    assert "```\n```{.text .output}\ntwo\n3\n```\n" in shown
    assert list(files) == ["fig-1.svg"]
    assert b"<svg" in files["fig-1.svg"]
    assert shown.rstrip().endswith("The end.")


def test_outputs_name_files_as_a_reader_in_the_folder_would(tmp_path):
    ((_, output),) = executed.execute("```python\nfrom pathlib import Path\nPath('a').resolve()\n```\n", tmp_path)
    assert "('a')" in output.text


def test_a_fence_keeps_nothing_that_markdown_does_not_know(tmp_path):
    page = (
        '# A page\n\n=== "Tab"\n\n    ```python needs="no_such_package"\n    import no_such_package\n    ```\n\n'
        '```python title="a.py"\nx = 1\n```\n\n```python figure="of nothing"\n2\n```\n'
    )
    shown, _ = executed.with_outputs(page, executed.execute(page, tmp_path), "fig")
    assert [line.strip() for line in shown.splitlines() if "```" in line] == [
        *("```python", "```"),
        *('```python title="a.py"', "```"),
        *("```python", "```", "```{.text .output}", "```"),
    ]
    assert "    import no_such_package\n    ```" in shown


def test_what_a_page_registers_is_forgotten_after_it(tmp_path):
    page = (
        '```python title="own.py"\nimport tnness\n\ntnness.register_truncation("of-a-page")(print)\n```\n\n'
        "```python\nimport own\n\nassert tnness.Truncation(method='of-a-page').chi == 64\n```\n"
    ).replace("import own", "import tnness\nimport own")
    executed.execute(page, tmp_path)
    assert "of-a-page" not in TRUNCATIONS
    executed.execute(page, tmp_path)  # the module is new as well, or the method would not be registered again


def test_a_notebook_has_the_text_and_the_code_of_its_page():
    page = '# Title\n\n```python title="a.py"\nx = 1\n```\n\nText.\n\n```console\ntnness models \\\n    --names\n```\n'
    cells = json.loads(executed.notebook(page))["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "markdown", "code"]
    assert cells[1]["source"] == "%%writefile a.py\nx = 1"
    assert cells[3]["source"].split() == ["!tnness", "models", "--names"]
    assert cells[3]["execution_count"] is None


def test_a_notebook_is_executed(tmp_path):
    page = (
        "# Title\n\n```python\nprint('two')\n```\n\n"
        '```python\nimport matplotlib.pyplot as plt\nplt.figure()\n```\n\n```python needs="no_such_package"\n1\n```\n'
    )
    cells = json.loads(executed.notebook(page, executed.execute(page, tmp_path)))["cells"]
    printed, drawn, left = [cell for cell in cells if cell["cell_type"] == "code"]
    assert printed["outputs"] == [{"output_type": "stream", "name": "stdout", "text": "two\n"}]
    assert (printed["execution_count"], drawn["execution_count"], left["execution_count"]) == (1, 2, None)
    assert drawn["outputs"][0]["data"]["image/svg+xml"].startswith("<?xml")
    assert left["outputs"] == []


def test_links_of_a_study_lead_into_the_site():
    moved = studies_pages.linked(
        "[a](../../docs/papers.md) ![b](figures/x.png) [c](../cavity/README.md#d) [e](https://x.org) [f](run.py)",
        "studies/griffiths/README.md",
        "studies/griffiths.md",
    )
    assert moved == (
        "[a](../papers.md) ![b](griffiths/figures/x.png) [c](cavity.md#d) [e](https://x.org) [f](../repository.md)"
    )


def test_a_section_of_the_readme_is_a_page():
    page = studies_pages.of_readme("What is possible, and how long it takes", "start/possible.md")
    assert page.startswith("# What is possible")
    assert "](../chains.md)" in page
    assert "\n## " not in page


def test_every_study_has_a_page_with_the_figures_that_it_shows():
    files = studies_pages.pages()
    for readme in (DOCS.parent / "studies").glob("*/README.md"):
        name = readme.parent.name
        page = files[f"{name}.md"].decode()
        for figure in readme.parent.glob("figures/*.png"):
            if f"(figures/{figure.name})" in readme.read_text():
                assert f"({name}/figures/{figure.name})" in page
                assert zlib.crc32(files[f"{name}/figures/{figure.name}"]) == zlib.crc32(figure.read_bytes())


TAG = re.compile(r"<(?=[A-Za-z])(?!(?:br|div|a|img|https?)\b)")


@pytest.mark.parametrize(
    "page", [*DOCS.rglob("*.md"), *DOCS.parent.glob("studies/*/README.md")], ids=lambda p: p.parent.name + "/" + p.name
)
def test_no_average_is_taken_for_a_tag(page):
    """<O> in a sentence is a tag for HTML, and vanishes: it is written `<O>` or &lt;O>."""
    prose = re.sub(r"``[^`]*``|`[^`]*`", "", re.sub(r"(?ms)^( *)```.*?^\1```", "", page.read_text()))
    assert TAG.findall(prose) == []


@pytest.mark.parametrize("name", models())
def test_the_page_of_a_model_tells_its_parameters_observables_and_engines(name):
    from tnness.model.parameters import parameters
    from tnness.model.protocol import summary
    from tnness.runs.job import offered_engines

    cls = models()[name]
    text = gallery.page(name, cls, gallery.Example(f"tnness run {name}"), "")
    assert summary(cls) in text
    for parameter in parameters(cls):
        assert f"| `{parameter}` |" in text
    for engine in offered_engines(cls):
        assert f"`{engine}`" in text
    assert "## Observables" in text


@pytest.mark.parametrize("name", models())
def test_what_a_model_agrees_with_is_held_by_tests_to_that_accuracy(name):
    """Each item names a test; every `to NUMBER` and `within NUMBER` in it is a number of that test's file."""
    from tnness.model.protocol import description

    _, agreed = gallery.agreements(description(models()[name]))
    assert agreed
    for what, test in agreed:
        tree = ast.parse((DOCS.parent / gallery.test_file(test, models()[name])).read_text())
        numbers = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        claimed = re.findall(r"\b(?:to|within) (\d[\d.]*(?:e-?\d+)?)(?=[,;: ]|$)", what)
        assert claimed, what
        for accuracy in claimed:
            assert float(accuracy) in numbers, (what, test)


def test_the_small_instance_of_a_model_is_solved_and_drawn(tmp_path):
    cls = models()["ssep"]
    example = gallery.solved("ssep", cls, tmp_path)
    assert example.outcome == "converged"
    assert b"<svg" in example.image
    assert example.command == "tnness run ssep -p n=4 --out ssep.nc"


def test_a_model_with_a_start_of_its_own_is_drawn_in_time(tmp_path):
    example = gallery.solved("contact-process", models()["contact-process"], tmp_path)
    assert example.outcome == "complete"
    assert example.command == "tnness run contact-process -p n=4 --time 0:8:17 --out contact-process.nc"


def test_the_studies_of_a_model_are_found_in_their_scripts():
    assert "mbl_transition" in dict(gallery.studies_with("mbl-heisenberg", models()["mbl-heisenberg"]))
    assert "cavity" not in dict(gallery.studies_with("ssep", models()["ssep"]))


def test_a_model_that_cannot_be_solved_has_a_reason(tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Odd:
        n: int = 2

        def problem(self):
            from tnness import Lindbladian, spin_half

            chain = Lindbladian([spin_half] * 2)
            chain.hamiltonian(spin_half.X(5))
            return chain

        def observables(self):
            return {}

    example = gallery.solved("odd", Odd, tmp_path)
    assert example.image is None
    assert "site 5" in example.reason


def test_every_command_stands_in_the_reference():
    text = commands.page()
    for name in ("run", "converge", "sweep", "status", "collect", "plot", "check", "show", "models", "verify"):
        assert f"\n## {name}\n" in text
    assert "--chi" in text


def test_every_outcome_is_explained_with_what_to_do():
    assert outcomes.TO_DO.keys() == words.CLAIMS.keys()
    text = outcomes.page()
    assert TAG.findall(text) == []
    for known in (*words.CLAIMS, *MEANING):
        assert f"\n| `{known}` |" in text


@pytest.mark.parametrize("module", ["gallery", "studies_pages", "house_docstrings"])
def test_the_examples_of_the_tools_run(module):
    if module == "house_docstrings":
        pytest.importorskip("griffe")  # comes with the extra `docs`
    failures, tried = doctest.testmod(importlib.import_module(module))
    assert tried > 0
    assert failures == 0


def test_every_public_name_stands_in_the_reference():
    text = (DOCS / "reference" / "python.md").read_text()
    for name in tnness.__all__:
        wanted = f"`{name}`" if name in reference.SITES else f"::: tnness.{name}\n"
        assert wanted in reference.completed(text), name
    assert reference.completed(text.replace("::: tnness.evolve\n", "")).endswith("## More\n\n::: tnness.evolve\n")
