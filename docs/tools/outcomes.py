"""The reference of outcomes: what a run may end with, what that means, and what to do then."""

from __future__ import annotations

TO_DO = {
    "converged": "use it. Remarks: `from product:01; not unique` (it belongs to that start), `without a kick` (the "
    "engine is not kicked, so that slow modes are excluded by the tails alone)",
    "exact": "use it",
    "complete": "use it; with `without error estimates` it was asked for none (`--no-errors`). With `with statistical "
    "errors alone` nothing is known of the time step: compare with half of it, `--dt`",
    "unfinished": "give the same command again: it goes on",
    "measured": "judge it yourself",
    "not relaxed": "`--max-time` larger. If kicks stay, look for a weak link or contact; weak driving: `--accelerate`",
    "not settled": "`--chi` larger, or more time between jumps (`--set burst=...`)",
    "does not relax": "look for a part without dissipation, or ask for an evolution, `--time`",
    "truncation dominates": "`--chi` larger: `tnness run FILE.nc --chi 2CHI` goes on from the record. If only some "
    "observables are asked for, `--watch NAME`: purities and entropies need a larger chi than densities",
    "truncation keeps it from settling": "`--chi` larger",
    "Trotter error dominates": "`--dt` smaller, or `--order 4`",
    "not positive": "`--chi` larger",
    "quadrature dominates": "`--set reach=...` or `--set most=...` larger",
    "energy is not balanced": "`--chi` larger or `--dt` smaller",
    "the steady state may not be unique": "name the start by `--initial`, or add what lifts the degeneracy",
    "the steady state is not unique": "name the start by `--initial`",
    "trustworthy to": "use it up to that time; beyond, `--chi` larger or `--dt` smaller, as the outcome says",
    "trusted at no time": "as the outcome says: `--chi` larger or `--dt` smaller",
    "no error estimate": "`tnness converge`, or an engine with a stopping rule",
    "relaxed, but no error estimate": "`tnness converge`, or a schedule with several stages",
    "settled, but no error estimate": "`tnness converge`, or a schedule with several stages",
    "no number": "look at the observable: it divides by something that vanishes",
}
"""Beginning of an outcome -> what to do."""
HEAD = """# Outcomes

Every record states one outcome: `record.outcome`, the last lines of `tnness run` and `tnness show`, and the column
`status` of a table. Only `converged`, `exact` and `complete` are claims. Every other outcome keeps the numbers with
their errors, says what stands in the way, and names the option that changes it.

| outcome begins with | means | what to do |
|---|---|---|
"""
FIGURES = """
## Figures of a certificate

`tnness show FILE.nc --verbose` lists them, `record.certificate.figures()` gives them in Python, and a record holds each
as `certificate_NAME`. NaN: does not apply.

| figure | is |
|---|---|
"""


def page() -> str:
    """Return the page."""
    from tnness.records import certificate, words

    rows = [f"| `{begin}` | {meaning} | {TO_DO[begin]} |" for begin, meaning in words.CLAIMS.items()]
    figures = [f"| `{name}` | {_cell(text)} |" for name, text in certificate.MEANING.items()]
    return HEAD + "\n".join(rows) + "\n" + FIGURES + "\n".join(figures) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
