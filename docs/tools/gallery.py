"""The gallery: a page for each registered model, made from its docstring, its parameters and its observables.

Nothing on these pages is written by hand. The figure is that of the small instance that `tnness check` uses, solved by
the model's first engine; a model that takes longer than a few seconds, or needs times, has a page without a figure.
"""

from __future__ import annotations

import json
import re
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMES = [0.5 * i for i in range(17)]
"""Times of the evolution that is drawn where there is no steady state to ask for, or where it is empty."""


@dataclass(frozen=True)
class Example:
    """The small instance of a model, solved. image: its figure as SVG; None if there is none, for a reason."""

    command: str
    seconds: float = 0.0
    outcome: str = ""
    image: bytes | None = None
    reason: str = ""


def pages(folder: Path) -> dict[str, bytes]:
    """Return the files of the gallery by their path in it: an index, a page for each model, figures.

    folder: for records and figures on their way.
    """
    from tnness.cli.models import by_system
    from tnness.model import registry

    files, lines = dict[str, bytes](), [INDEX]
    for heading, group in by_system(registry.models()).items():
        lines += [f"## {heading}", "", '<div class="grid cards" markdown>', ""]
        for name, cls in group.items():
            example = solved(name, cls, folder)
            figure = f"{name}.svg" if example.image is not None else ""
            if example.image is not None:
                files[figure] = example.image
            files[f"{name}.md"] = page(name, cls, example, figure).encode()
            lines += _card(name, cls, figure)
        lines += ["</div>", ""]
    files["index.md"] = "\n".join(lines).encode()
    return files


INDEX = """# Gallery

Every model that is shipped, with the figure of its small instance; `tnness models` lists them, too. The
[studies](../studies/index.md) have the figures of papers.
"""


def _card(name: str, cls: type, figure: str) -> list[str]:
    """Return the lines that stand for a model in the index."""
    from tnness.model.protocol import summary

    shown = f"[![figure of {name}]({figure}){{ loading=lazy }}]({name}.md)<br>" if figure else ""
    return [f"- {shown}[`{name}`]({name}.md)<br>{_cell(summary(cls))}", ""]


def page(name: str, cls: type, example: Example, figure: str) -> str:
    """Return the page of one model."""
    from tnness.model.parameters import parameters
    from tnness.model.protocol import description, draw
    from tnness.runs.job import observables_of, offered_engines

    text, agreed = agreements(description(cls))
    heading, _, rest = text.partition("\n")
    instance = draw(_small(cls), 0)
    lines = [f"# {name}", "", f"**{heading}**", "", prose(rest.strip()), ""]
    lines += ["```sh", f"tnness show {name}", example.command, "```", ""]
    if figure:
        lines += [
            f"![the observables of {name}, small instance]({figure})",
            "",
            f"The figure is that of this command: {example.outcome}, in {example.seconds:.1f} s of processor time.",
            "",
        ]
    elif example.reason:
        lines += [f"No figure is drawn here: {example.reason}.", ""]
    if agreed:
        lines += ["## What agrees with what is known", ""]
        lines += [
            f"- {prose(item)}: [`{test}`](../repository.md), in `{test_file(test, cls)}`" for item, test in agreed
        ]
        lines += [""]
    lines += ["## Parameters", "", "| name | type | default | unit | meaning |", "|---|---|---|---|---|"]
    for key, p in parameters(cls).items():
        default = "required" if p.required else json.dumps(p.default)
        lines.append(
            f"| `{key}` | {_cell(p.type_name)} | `{_cell(default)}` | {_cell(p.unit)} | {_cell(p.description)} |"
        )
    lines += ["", "## Observables", "", "| name | dimensions | unit | meaning |", "|---|---|---|---|"]
    for key, o in observables_of(instance, name).items():
        lines.append(f"| `{key}` | {', '.join(o.dims) or '-'} | {_cell(o.unit)} | {_cell(o.description)} |")
    lines += ["", f"Engines: {', '.join(f'`{e}`' for e in offered_engines(cls))}; the first is the default.", ""]
    used = studies_with(name, cls)
    if used:
        lines += ["## Studies that use it", "", *(f"- [{title}](../studies/{study}.md)" for study, title in used), ""]
    return "\n".join(lines)


def agreements(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a docstring without its section `Agrees`, and of that each item with the test that holds it.

    >>> agreements("A chain.\\n\\nAgrees\\n------\\n- with a formula,\\n  to 1e-9: test_it\\n- with another: test_that")
    ('A chain.', [('with a formula, to 1e-9', 'test_it'), ('with another', 'test_that')])
    """
    rest, _, section = text.partition("\n\nAgrees\n------\n")
    items = [" ".join(item.split()) for item in re.split(r"^- ", section, flags=re.MULTILINE) if item.strip()]
    return rest, [(what, test) for what, _, test in (item.rpartition(": ") for item in items)]


def test_file(test: str, cls: type) -> str:
    """Return the path of the file that holds a test of a model: its own file, or one that it shares with another."""
    tests, own = ROOT / "tests" / "models", cls.__module__.rpartition(".")[2]
    for path in (tests / f"test_{own}.py", *sorted(tests.glob("test_*.py"))):
        if path.exists() and f"\ndef {test}(" in path.read_text():
            return path.relative_to(ROOT).as_posix()
    raise LookupError(f"no test of a model is called {test}")


def solved(name: str, cls: type, folder: Path) -> Example:
    """Solve the small instance of a model and draw it; say in a line why there is no figure."""
    from tnness import evolve, steady_state
    from tnness.errors import TnnessError
    from tnness.model.parameters import parameters
    from tnness.model.protocol import values_of
    from tnness.study.figure import plot

    instance = _small(cls)
    default = {key: p.default for key, p in parameters(cls).items()}
    changed = {k: v for k, v in values_of(instance).items() if v is not None and v != _listed(default[k])}
    given = "".join(f" -p {k}={json.dumps(v, separators=(',', ':'))}" for k, v in changed.items())
    command = f"tnness run {name}{given} --out {name}.nc"
    begun, reason = time.process_time(), ""
    try:
        record = None if _has_a_start(instance) else steady_state(instance, name=name, max_time=1000.0)
    except TnnessError as error:
        record, reason = None, str(error)
    if record is None:
        command = f"tnness run {name}{given} --time 0:{TIMES[-1]:g}:{len(TIMES)} --out {name}.nc"
        try:
            record = evolve(instance, TIMES, name=name)
        except TnnessError as error:
            return Example(command, reason=reason or str(error))
    seconds = time.process_time() - begun
    path = folder / f"{name}.nc"
    record.save(path)
    try:
        image = plot(path, folder / f"{name}.svg").read_bytes()
    except TnnessError as error:
        return Example(command, seconds, record.outcome, None, str(error))
    return Example(command, seconds, record.outcome, image)


def _has_a_start(instance: Any) -> bool:
    """True for a model that names a state to start from: it is the way from there that is of interest."""
    from tnness.model.protocol import draw
    from tnness.runs.job import engine_for

    if not hasattr(instance, "initial_state"):
        return False
    return isinstance(draw(instance, 0).initial_state(engine_for(instance).name), str)


def studies_with(name: str, cls: type) -> list[tuple[str, str]]:
    """Return the studies whose scripts name a model, or import its module: (folder, title)."""
    module = cls.__module__.rpartition(".")[2]
    wanted = re.compile(rf'"{re.escape(name)}"|(tnness_models|models)\.{module}\b')
    found = []
    for readme in sorted((ROOT / "studies").glob("*/README.md")):
        if any(wanted.search(script.read_text()) for script in readme.parent.glob("*.py")):
            found.append((readme.parent.name, readme.read_text().splitlines()[0].lstrip("# ")))
    return found


def prose(text: str) -> str:
    """Return the text of a docstring as Markdown: indented formulas stay as they are, links become links.

    >>> prose("<n_i> is `<n>`")
    '&lt;n\\\\_i> is `<n>`'
    >>> prose("Ends.\\n\\n    a = b\\n\\ndoi:10.1/x.")
    'Ends.\\n\\n    a = b\\n\\n[doi:10.1/x](https://doi.org/10.1/x).'
    """
    lines = []
    for line in text.splitlines():
        if line.startswith("    "):
            lines.append(line)
            continue
        parts = re.split(r"(`[^`]*`)", line)
        line = "".join(p if p.startswith("`") else re.sub(r"([*_|])", r"\\\1", p).replace("<", "&lt;") for p in parts)
        line = re.sub(r"doi:(10\.[^\s,;)]*[^\s,;).])", lambda m: _doi(m[1].replace("\\", "")), line)
        lines.append(line)
    return "\n".join(lines)


def _doi(number: str) -> str:
    return f"[doi:{number}](https://doi.org/{number})"


def _small(cls: type) -> Any:
    from tnness.model.parameters import build

    instance = build(cls, {}, cls.__name__)
    return instance.small() if hasattr(instance, "small") else instance


def _listed(value: Any) -> Any:
    return json.loads(json.dumps(value, default=list))


def _cell(text: str) -> str:
    return textwrap.shorten(str(text), 400).replace("|", "\\|").replace("<", "&lt;")
