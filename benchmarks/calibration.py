"""Calibration: claims of certified steady states held against exact answers, on random chains of many kinds.

    python -m benchmarks.calibration --runs 150 --seed 1 --store calibration-1.jsonl  # compute what is missing, print
    python -m benchmarks.calibration --runs 0 --store calibration-1.jsonl             # only print the tables
    python -m benchmarks.calibration --seed 1 --again weak-link:0                     # one run once more, in detail
    python -m benchmarks.calibration --runs 23 --kick-seeds 10 --store kicks.jsonl    # do verdicts depend on the kick?

Each run draws a chain (`benchmarks.calibration_models`), its start (a product, or the identity) and its bond dimension:
the full one, which truncates nothing, or one that is too small. The engine `tebd` runs on it with its defaults, in a
process that may use `--limit` CPU seconds: a run that is cut counts as refused. The store holds a line of JSON per run,
with all values, claims and exact answers; the same command goes on from it, and `--runs` may grow. Run k is of kind
k modulo the number of kinds, and its random numbers depend on the seed, its kind and its number within its kind only.

The tables count, by kind, over the observables (one-site operators, products on neighbours, currents):

- `conv`: outcomes `converged`. `wrong`: of these, those with an element whose error is beyond 2 times its claim and 1 %
  of its observable's scale; and every `converged` without a start named where the steady state is not unique.
- `alarms`: runs that are refused although each observable is right within the tolerance. `right`: all that are right.
- `covered`: share of the observables of converged runs whose errors are within their claims, every element, with the
  90 % interval of Wilson. An observable that vanishes by symmetry is left out.
- `claim/true`: median over the same. `worst`: largest error over claim, of elements whose error is above 1e-6.
- `kicks`: share of the CPU time that went into kicks.

The scale of an observable is its largest exact element, and at least 1e-3 (all operators are of the order of 1).
"""

from __future__ import annotations

import json
import math
import multiprocessing
import resource
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import binomtest
from threadpoolctl import threadpool_limits

from benchmarks.calibration_models import KINDS, Drawn, Truth, draw
from tnness import TEBD, TnnessError, steady_state
from tnness.engines.ask import TOLERANCE
from tnness.engines.kicks import Kicks
from tnness.engines.tebd_run import TEBDRun

SMALLEST_SCALE = 1e-3
"""The scale of an observable is at least this."""
BEYOND, OF_SCALE = 2.0, 0.01
"""A claim is wrong by more than BEYOND times itself and OF_SCALE of the scale."""
ROUND = 1e-10
"""What counts as round-off."""
NOTED = 1e-6
"""Errors above this enter the worst ratio."""


@dataclass(frozen=True)
class Result:
    """One run, with its exact answer.

    kind, index, seed: what was drawn. kick_seed: which of several runs of the same chain, with other random numbers of
    the engine. n, chi, start: of the run. full: the bond dimension that truncates nothing.
    outcome: the certificate's, or why there is none. seconds, kick_seconds: of CPU time. time, forgets_in: of the
    certificate. gap, unique, oscillates: of the exact answer. values, errors, exact: by observable; an error is one
    number, or one per element.
    """

    kind: str
    index: int
    seed: int
    n: int
    chi: int
    full: int
    start: str | None
    limit: float
    outcome: str = "cut"
    seconds: float = math.nan
    kick_seconds: float = math.nan
    time: float = math.nan
    forgets_in: float = math.nan
    gap: float = math.nan
    unique: bool = True
    oscillates: bool = False
    kick_seed: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, Any] = field(default_factory=dict)
    exact: dict[str, Any] = field(default_factory=dict)

    @property
    def claims(self) -> bool:
        """Whether the outcome claims an answer."""
        return self.outcome.startswith(("converged", "exact"))

    @property
    def names_its_start(self) -> bool:
        """Whether the outcome claims the answer that belongs to a start only."""
        return self.outcome.startswith("converged from")

    @cached_property
    def judged(self) -> list[Judged]:
        """Every observable that has an answer."""
        value, exact = ({k: np.asarray(v, float) for k, v in of.items()} for of in (self.values, self.exact))
        return [Judged(name, value[name], exact[name], self._claim(name)) for name in value]

    def _claim(self, name: str) -> NDArray[np.float64]:
        claim = self.errors.get(name)
        return np.asarray(math.nan if claim is None else claim, float)

    @property
    def wrong(self) -> bool:
        """Whether the run claims what is not so."""
        if not self.claims:
            return False
        unnamed = not self.unique and not self.names_its_start
        return unnamed or any(observable.wrong for observable in self.judged)

    @property
    def right(self) -> bool:
        """Whether every observable is within the tolerance that was asked for, and the steady state is unique."""
        return self.unique and bool(self.judged) and all(o.error.max() <= TOLERANCE * o.scale for o in self.judged)

    @property
    def kick_share(self) -> float:
        """Share of the run's time that went into kicks."""
        return self.kick_seconds / self.seconds if self.seconds > 0 else math.nan


@dataclass(frozen=True)
class Judged:
    """An observable's values beside the exact ones; claim: one number, or one per element."""

    name: str
    value: NDArray[np.float64]
    exact: NDArray[np.float64]
    claim: NDArray[np.float64]

    @property
    def error(self) -> NDArray[np.float64]:
        """The true error of every element; infinite where there is no number."""
        return np.nan_to_num(np.abs(self.value - self.exact), nan=math.inf)

    @property
    def scale(self) -> float:
        """The largest exact element, and at least SMALLEST_SCALE."""
        return max(SMALLEST_SCALE, float(np.abs(self.exact).max()))

    @property
    def vanishes(self) -> bool:
        """Whether it is 0 by symmetry: claims of it say nothing."""
        return bool(max(np.abs(self.exact).max(), self.error.max()) < ROUND)

    @property
    def wrong(self) -> bool:
        """Whether an element is far beyond its claim."""
        beyond = ~(self.error <= BEYOND * self.claim)  # a claim that is missing is beyond too
        return bool((beyond & (self.error > OF_SCALE * self.scale)).any())

    @property
    def covered(self) -> bool:
        """Whether every element is within its claim."""
        return bool((self.error <= self.claim + ROUND).all())

    @property
    def caution(self) -> float:
        """The largest claim over the largest error."""
        return float(np.max(self.claim) / max(ROUND, self.error.max()))

    @property
    def excess(self) -> float:
        """The largest error over its claim, of elements whose error is above NOTED."""
        with np.errstate(divide="ignore"):
            ratio = self.error / self.claim
        return float(np.max(np.where(self.error > NOTED, ratio, 0.0)))


# ---------------------------------------------------------------- one run


def drawn(name: str, seed: int, index: int, limit: float, kick_seed: int = 0) -> tuple[Drawn, Result]:
    """Return a model and the settings of its run."""
    model, rng = draw(name, seed, index)
    dim = model.problem().generator().dims[0]
    full = dim ** (model.n // 2)
    small = [chi for chi in (full // 4, full // 2, 3 * full // 4) if 4 <= chi < full]
    chi = int(rng.choice(small)) if small and rng.random() < 0.5 else max(16, full)
    return model, Result(name, index, seed, model.n, chi, full, model.start(rng), limit, kick_seed=kick_seed)


def solve(model: Drawn, chi: int, start: str | None, seed: int, kick: bool = True) -> dict[str, Any]:
    """Return what the engine says, as fields of a `Result`."""
    began = time.process_time()
    with kick_clock() as spent, threadpool_limits(1):
        try:
            record = steady_state(model, engine=TEBD(chi=chi), initial=start, seed=seed, kick=kick, name=model.kind)
        except TnnessError as error:
            return {"outcome": f"refused: {error}", "seconds": time.process_time() - began}
    seconds, data = time.process_time() - began, record.dataset
    names = [name for name in model.observables() if name in data]
    each = {name: data[f"{name}_error"].values.tolist() for name in names if f"{name}_error" in data}
    return {
        "outcome": record.outcome,
        "seconds": seconds,
        "kick_seconds": spent[0],
        "time": record.time,
        "forgets_in": record.certificate.further.get("forgets_in", math.nan),
        "values": {name: data[name].values.tolist() for name in names},
        "errors": each,
    }


@contextmanager
def kick_clock() -> Iterator[list[float]]:
    """Measure the CPU seconds spent in kicks: the list's only number."""
    spent, places = [0.0], ((Kicks, "step"), (TEBDRun, "begin_kicks"))
    before = [getattr(owner, name) for owner, name in places]

    def timed(function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                spent[0] += time.process_time() - began

        return call

    for (owner, name), function in zip(places, before, strict=True):
        setattr(owner, name, timed(function))
    try:
        yield spent
    finally:
        for (owner, name), function in zip(places, before, strict=True):
            setattr(owner, name, function)


def within_limit(name: str, seed: int, index: int, limit: float, kick_seed: int = 0) -> Result:
    """Return a run in a process of its own, which may use `limit` seconds of CPU time beside the exact answer."""
    model, result = drawn(name, seed, index, limit, kick_seed)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, model, result))
    process.start()
    theirs.close()
    told = asdict(result)
    try:
        while True:
            told |= ours.recv()
    except EOFError:
        process.join()
    if process.exitcode == -signal.SIGXCPU:
        told |= {"outcome": "cut", "seconds": limit}
    elif process.exitcode != 0:
        raise RuntimeError(f"{name}:{index} of seed {seed} ended with exit code {process.exitcode}")
    return Result(**told)


def _child(connection: Connection, model: Drawn, result: Result) -> None:
    truth = Truth.of(model, result.start)
    exact = {key: values.tolist() for key, values in truth.values.items()}
    known = {"gap": truth.gap, "unique": truth.unique, "oscillates": truth.oscillates}
    connection.send(known | {"exact": exact})
    allowed = math.ceil(time.process_time() + result.limit)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, allowed + 10))
    connection.send(solve(model, result.chi, result.start, result.seed + result.kick_seed))
    connection.close()


# ---------------------------------------------------------------- the store


def stored(path: Path) -> list[Result]:
    """Return the runs in a file; a last line that was not finished is left out."""
    lines = path.read_text().splitlines() if path.exists() else []
    results = []
    for number, line in enumerate(lines):
        try:
            results.append(Result(**json.loads(line)))
        except json.JSONDecodeError:
            if number + 1 < len(lines):
                raise
    return results


def append(path: Path, result: Result) -> None:
    """Add a run to a file, behind whole lines only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text() if path.exists() else ""
    if text and not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1])
    with path.open("a") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def complete(path: Path, runs: int, seed: int, kinds: list[str], limit: float, kick_seeds: int = 1) -> list[Result]:
    """Compute the runs that the file does not hold; return all it then holds."""
    results = stored(path)
    if results and (results[0].seed, results[0].limit) != (seed, limit) and runs:
        raise typer.BadParameter(
            f"{path} holds runs of seed {results[0].seed} and {results[0].limit:g} s, not of {seed} and {limit:g} s"
        )
    done = {(result.kind, result.index, result.kick_seed) for result in results}
    wanted = [(kinds[k % len(kinds)], k // len(kinds), kick) for k in range(runs) for kick in range(kick_seeds)]
    for number, key in enumerate(wanted):
        if key in done:
            continue
        name, index, kick = key
        result = within_limit(name, seed, index, limit, kick)
        append(path, result)
        results.append(result)
        mark = "WRONG" if result.wrong else "alarm" if result.right and not result.claims else ""
        about = f"{name}:{index} n={result.n} chi={result.chi}/{result.full}"
        print(f"{number + 1:4d} {about:40} {result.seconds:6.1f} s  {result.outcome[:60]:60} {mark}", flush=True)
    return results


# ---------------------------------------------------------------- the tables


def row(name: str, results: list[Result]) -> str:
    """Return one line of the table."""
    claiming = [r for r in results if r.claims]
    right = [r for r in results if r.right]
    alarms, wrong = [r for r in right if not r.claims], [r for r in results if r.wrong]
    cut = [r for r in results if r.outcome == "cut"]
    judged = [o for r in claiming if r.unique or r.names_its_start for o in r.judged if not o.vanishes]
    covered, share = sum(o.covered for o in judged), "-"
    if judged:
        low, high = binomtest(covered, len(judged)).proportion_ci(0.9, "wilson")
        share = f"{covered / len(judged):4.0%} [{low:.0%}, {high:.0%}]"
    caution = [o.caution for o in judged if o.error.max() > ROUND]
    median = f"{np.median(caution):10.1f}" if caution else f"{'-':>10}"
    worst = f"{max(o.excess for o in judged):7.2f}" if judged else f"{'-':>7}"
    kicks = np.median([r.kick_share for r in claiming]) if claiming else math.nan
    counts = f"{len(results):5d} {len(claiming):5d} {len(cut):4d} {len(wrong):6d} {len(alarms):3d}/{len(right):<3d}"
    seconds = np.nanmean([r.seconds for r in results])
    kick_share = "-" if math.isnan(kicks) else f"{kicks:.0%}"
    return f"{name:24} {counts} {share:>18} {median} {worst} {seconds:8.1f} {kick_share:>6}"


def tables(results: list[Result]) -> Iterable[str]:
    """Return all lines."""
    head = f"{'kind':24} {'runs':>5} {'conv':>5} {'cut':>4} {'wrong':>6} {'alarms':>7} {'covered':>18}"
    yield f"{head} {'claim/true':>10} {'worst':>7} {'CPU s':>8} {'kicks':>6}"
    for name in KINDS:
        own = [r for r in results if r.kind == name]
        if own:
            yield row(name, own)
    yield row("all", results)
    for label, own in (
        ("full chi", [r for r in results if r.chi >= r.full]),
        ("too small chi", [r for r in results if r.chi < r.full]),
        ("from the identity", [r for r in results if r.start is None]),
        ("from a product", [r for r in results if r.start is not None]),
    ):
        if own:
            yield row(label, own)
    yield ""
    yield from _kick_costs(results)
    yield from _agreement(results)
    yield "\noutcomes"
    for outcome, count in Counter(_without_numbers(r.outcome) for r in results).most_common():
        alarms = sum(r.right and not r.claims and _without_numbers(r.outcome) == outcome for r in results)
        yield f"{count:5d}  {outcome}" + (f"  ({alarms} of these were right)" if alarms else "")
    for title, own in (
        ("wrong", [r for r in results if r.wrong]),
        ("refused, but right", [r for r in results if r.right and not r.claims]),
    ):
        yield f"\n{title}: {len(own)}"
        yield from (_described(r) for r in own)


def _kick_costs(results: list[Result]) -> Iterable[str]:
    kicked = [r for r in results if r.claims and r.forgets_in > 0 and r.kick_seconds > 0]
    for label, own in (
        ("T >= 4 t_p", [r for r in kicked if r.time >= 4 * r.forgets_in]),
        ("T < 4 t_p", [r for r in kicked if r.time < 4 * r.forgets_in]),
    ):
        if own:
            shares = [r.kick_share for r in own]
            pooled = sum(r.kick_seconds for r in own) / sum(r.seconds for r in own)
            told = f"median {np.median(shares):.0%}, nine tenths below {np.quantile(shares, 0.9):.0%}"
            yield f"kicks where {label}: {len(own)} runs, {pooled:.0%} of all CPU time, {told}"


def _agreement(results: list[Result]) -> Iterable[str]:
    """Tell how many verdicts agree with most of those on the same chain, where the engine's seed was changed."""
    chains: dict[tuple[str, int], list[bool]] = {}
    for r in results:
        chains.setdefault((r.kind, r.index), []).append(r.claims)
    several = [verdicts for verdicts in chains.values() if len(verdicts) > 1]
    if several:
        agreeing, whole = sum(max(sum(v), len(v) - sum(v)) for v in several), sum(map(len, several))
        share = f"{agreeing} of {whole} agree ({agreeing / whole:.1%})"
        yield f"verdicts on {len(several)} chains with other kicks: {share}"


def _without_numbers(outcome: str) -> str:
    """Return an outcome without its particulars: what is in brackets, behind a colon of `refused`, and any number."""
    return outcome if outcome == "cut" else outcome.partition(" (")[0].partition(" at t")[0][:80]


def _described(result: Result) -> str:
    kicked = f"+{result.kick_seed}" if result.kick_seed else ""
    lines = [
        f"{result.kind}:{result.index} seed {result.seed}{kicked}, "
        f"n = {result.n}, chi = {result.chi} of {result.full}, "
        f"start {result.start or 'identity'}, T = {result.time:.4g}, t_p = {result.forgets_in:.3g}, "
        f"gap = {result.gap:.2e} (gap T = {result.gap * result.time:.2g})"
        f"{'' if result.unique else ', not unique'}: {result.outcome}"
    ]
    for o in result.judged:
        place = int(np.argmax(o.error))
        claim = np.broadcast_to(o.claim, o.error.shape).ravel()[place]
        lines.append(
            f"    {o.name:8} error {o.error.ravel()[place]:.2e}  claim {claim:.2e}  scale {o.scale:.2e}"
            f"{'  WRONG' if o.wrong else ''}"
        )
    return "\n".join(lines)


def main(
    runs: Annotated[int, typer.Option(min=0, help="how many in all; 0 only prints")] = 150,
    seed: Annotated[int, typer.Option(min=0, help="of everything that is drawn")] = 1,
    limit: Annotated[float, typer.Option(help="CPU seconds that one run may use")] = 30.0,
    kinds: Annotated[str, typer.Option(help="names with commas between; default: all")] = "",
    store: Annotated[Path | None, typer.Option(help="file of the runs; default calibration-SEED.jsonl")] = None,
    kick_seeds: Annotated[int, typer.Option(min=1, help="runs of each chain with other random numbers")] = 1,
    again: Annotated[str, typer.Option(metavar="KIND:INDEX", help="only this run, with details, not stored")] = "",
) -> None:
    """Run what is missing, and print the tables."""
    chosen = [name.strip() for name in kinds.split(",") if name.strip()] or list(KINDS)
    unknown = [name for name in [*chosen, *([again.partition(":")[0]] if again else [])] if name not in KINDS]
    if unknown:
        raise typer.BadParameter(f"no kind {unknown[0]!r}; the kinds are {', '.join(KINDS)}")
    if again:
        name, _, index = again.partition(":")
        result = within_limit(name, seed, int(index), limit)
        print(f"{result.seconds:.1f} s, of these {result.kick_seconds:.1f} s in kicks")
        print(_described(result))
        return
    path = store or Path(f"calibration-{seed}.jsonl")
    results = complete(path, runs, seed, chosen, limit, kick_seeds)
    print(*tables([r for r in results if r.kind in chosen]), sep="\n")


if __name__ == "__main__":
    typer.run(main)
