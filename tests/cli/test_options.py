"""One list of options: every setting of every engine, every field of the job, the same in three commands."""

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

import pytest
import typer

import tnness.study.converge
import tnness.study.sweep
from command_line import TINY, call, refused, well
from tnness.cli import options
from tnness.cli import run as run_module
from tnness.cli.app import app
from tnness.cli.fields import ANY, KIND_OF_TYPE, TEXT, FieldOption, kind_of
from tnness.cli.options import engine_flag
from tnness.engines import shipped
from tnness.engines.ask import Ask
from tnness.engines.registry import ENGINES
from tnness.errors import Interrupted
from tnness.runs.solve import Changes
from tnness.typed import Parameter, field_parameters

COMMANDS = ("run", "converge", "sweep")
SHIPPED = ("tebd", "tdvp", "accelerated", "exact", "gaussian", "spectral", "trajectories", "transfer")
FIELDS = [(engine, field) for engine in SHIPPED for field in field_parameters(ENGINES[engine])]
VARIED = {"chi", "dt"}
REACHED = [(command, *field) for command in ("run", "sweep") for field in FIELDS]
REACHED += [("converge", e, f) for e, f in FIELDS if f not in VARIED and field_parameters(ENGINES[e]).keys() >= VARIED]
SERVED = f"""
from dataclasses import dataclass
from typing import ClassVar

from tnness import Engine, Lindbladian, expectation, register_engine
from tnness import spin_half as s


@dataclass(frozen=True)
class Served:
    engines: ClassVar = {(*SHIPPED, "own")!r}

    def problem(self):
        chain = Lindbladian([s] * 2)
        chain.jump(s.Sm(0))
        return chain

    def observables(self):
        return {{name: expectation([s.Z(0)], "site") for name in ("z", "a", "b")}}


@register_engine("own")
@dataclass(frozen=True)
class Own(Engine):
    stages: int = 4  # of a step
    dt: float = 0.1  # time step
    tableau: tuple[float, ...] = ()  # coefficients

    def begin(self, problem, start):
        raise NotImplementedError

    def resume(self, problem, start, snapshot):
        raise NotImplementedError
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """The help of each command, in one line."""
    return {name: " ".join(well(name, "--help").out.split()) for name in COMMANDS}


@pytest.fixture
def served(here):
    """A model in a file that every engine serves, one of its own too."""
    (here / "served.py").write_text(SERVED)
    yield "served.py:Served"
    ENGINES.pop("own", None)


@dataclass
class Passed:
    """What a command passed on: the engine, the request, and the rest by name."""

    engine: Any = None
    ask: Any = None
    accept_old: bool = False
    varied: Any = None
    changes: Any = None
    files: Any = None


@pytest.fixture
def passed(monkeypatch) -> Passed:
    """Stop at what the commands call, and keep its arguments."""
    taken = Passed()

    def keep(**given):
        for name, value in given.items():
            setattr(taken, name, value)
        raise Interrupted("got here")

    def run(job, output, progress):
        keep(engine=job.engine, ask=job.ask, accept_old=output.accept_old)

    def converged(job, chi, dt, output, progress):
        keep(engine=job.engine, ask=job.ask, varied=(chi, dt))

    def swept(self):
        keep(engine=self.plan.engine_at({}), ask=self.plan.ask, accept_old=self.accept_old)

    def extend(path, changes, **files):
        keep(changes=changes, accept_old=files["accept_old"], files=files)

    monkeypatch.setattr(run_module, "run", run)
    monkeypatch.setattr(run_module, "extend", extend)
    monkeypatch.setattr(tnness.study.converge, "converged", converged)
    monkeypatch.setattr(tnness.study.sweep.Sweep, "run", swept)
    return taken


def command(name: str, model: str, *further: object) -> tuple[object, ...]:
    """The words of a command that is complete but for further options."""
    ends = {"run": ("--out", "r.nc"), "converge": ("--chi", "2,4", "--out", "r.nc"), "sweep": ("--store", "s")}
    return (name, model, *ends[name], *further)


def stopped(*arguments: object) -> None:
    """Call a command that gets as far as what it calls."""
    answer = call(*arguments)
    assert (answer.status, answer.err) == (130, "tnness: got here\n")


def typed_as(field: Parameter) -> tuple[str, Any]:
    """A value of a field other than its default, as it is typed and as it is kept."""
    kind = next(a for a in (get_args(field.annotation) or (field.annotation,)) if a is not type(None))
    if get_origin(field.annotation) is Literal:
        return get_args(field.annotation)[-1], get_args(field.annotation)[-1]
    if kind is int:
        value = 2 if field.default in (None, 1) else field.default // 2
        return str(value), value
    if kind is float:
        value = 0.05 if field.default is None else field.default / 2
        return repr(value), value
    if get_origin(kind) is tuple:
        return "4,8", (4, 8)
    value = "qr" if field.default == "svd" else "svd"
    return value, value


def of_command(name: str) -> list[Any]:
    return typer.main.get_command(app).commands[name].params  # type: ignore[attr-defined]


# ---------------------------------------------------------------- what help says


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_setting_of_every_engine_with_its_comment_and_unit(helps, name):
    assert set(SHIPPED) == {module.rpartition(".")[-1] for module in shipped.__all__}
    for engine, setting in FIELDS:
        field = field_parameters(ENGINES[engine])[setting]
        assert field.description
        assert re.search(rf" {engine_flag(setting)}( |,)", helps[name]), setting
        assert re.sub(r"- ", "-", field.description) in re.sub(r"- ", "-", helps[name])
        assert not field.unit or f"[{field.unit}]" in helps[name]
        assert re.search(rf"\([^()]*\b{engine}\b", helps[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_field_of_the_job_with_its_comment(helps, name):
    for field, flag in options.JOB_FLAGS.items():
        if (name, field) != ("converge", "times"):
            assert f" {flag} " in helps[name]
            assert field_parameters(Ask)[field].description in helps[name]
    assert set(options.JOB_FLAGS) == {name for name, field in field_parameters(Ask).items() if field.description}
    assert "default 0.01" in helps[name]
    assert "seed of the disorder, default 0" in helps[name]


def test_help_says_types_and_defaults(helps):
    for words in (
        "--chi INTEGER ",
        "--dt NUMBER ",
        "--schedule INTEGER,... ",
        "--dtype float64|float32 ",
        "--bracket / --no-bracket",
        "largest bond dimension, default 64 (tebd, accelerated, tdvp, trajectories)",
        "default 1e-14 (tebd, accelerated, tdvp) or 1e-12 (trajectories)",
        "time evolved between two jumps; by default chosen from the problem [time] (accelerated)",
    ):
        assert words in helps["run"]
        assert words in helps["sweep"]
    assert "--chi INTEGER,... " in helps["converge"]
    assert "--dt NUMBER,... " in helps["converge"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_in_groups(name):
    lines = well(name, "--help").out.splitlines()
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    grid = ["Sweep:"] if name == "sweep" else []
    assert titles == ["What to solve:", "Accuracy:", "Engine:", *grid, "Files:", "Other:"]
    group, where = "", {}
    for line in lines:
        group = line if line in titles else group
        for flag in re.findall(r"^  (?:-\w, )?(--[\w-]+|MODEL)", line):
            where[flag] = group
    told = {"MODEL": 0, "--param": 0, "--seed": 0, "--initial": 0, "--chi": 1, "--dt": 1, "--tol": 1, "--watch": 1}
    told |= {"--engine": 2, "--set": 2, "--method": 2, "--bracket": 2, "--quiet": len(titles) - 2}
    for flag, place in told.items():
        assert where[flag] == titles[place], flag


def test_no_command_has_one_option_twice():
    for name in COMMANDS:
        flags = [flag for option in of_command(name) for flag in (*option.opts, *option.secondary_opts)]
        assert len(flags) == len(set(flags))


def test_the_three_commands_have_the_same_options_of_engine_and_job():
    def shared(name):
        engine = {"engine", "accelerate", "setting", "param"}
        taken = [p for p in of_command(name) if p.name.startswith(("engine_", "job_")) or p.name in engine]
        return {p.name: tuple(p.opts) for p in taken}

    assert shared("run") == shared("converge") == shared("sweep")
    assert len(shared("run")) > 25


# ---------------------------------------------------------------- what options do


@pytest.mark.parametrize(("name", "engine", "setting"), REACHED)
def test_every_option_reaches_its_engine(served, passed, name, engine, setting):
    field = field_parameters(ENGINES[engine])[setting]
    flag = engine_flag(setting)
    words, value = ((flag,), True) if field.annotation is bool else ((flag, typed_as(field)[0]), typed_as(field)[1])
    stopped(*command(name, served, "--engine", engine, *words))
    assert passed.engine == ENGINES[engine](**{setting: value}) != ENGINES[engine]()
    stopped(*command(name, served, "--engine", engine))
    assert passed.engine == ENGINES[engine]()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_the_job_arrives(served, passed, name):
    steady = ("--seed", 5, "--initial", "product:01", "--tol", 1e-4, "--atol", 1e-9, "--max-time", 7)
    steady += ("--adjoint", 4, "--period", 3)
    stopped(*command(name, served, *steady, "--watch", "b", "--watch", "a"))
    given = {
        "seed": 5,
        "initial": "product:01",
        "tolerance": 1e-4,
        "atol": 1e-9,
        "max_time": 7.0,
        "adjoint": 4,
        "period": 3.0,
        "watch": ("a", "b"),
    }
    others = {"kick", "errors", "times", "own_period"}
    assert set(options.JOB_FLAGS) == {*given, *others}  # a new field needs its place here
    assert passed.ask == Ask(**given)
    stopped(*command(name, served, "--no-kick"))
    assert passed.ask == Ask(kick=False)
    stopped(*command(name, served))
    assert passed.ask == Ask()


def test_the_models_own_period_arrives(served, passed):
    stopped(*command("sweep", served, "--own-period"))
    assert passed.ask == Ask(own_period=True)
    answer = call(*command("run", served, "--own-period"))
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "has no number `period`: give it as period" in answer.err


@pytest.mark.parametrize("name", ["run", "sweep"])
def test_times_arrive(served, passed, name):
    stopped(*command(name, served, "--time", "0:1:3", "--seed", 2, "--initial", "product:01"))
    assert passed.ask == Ask(times=(0.0, 0.5, 1.0), seed=2, initial="product:01")


def test_a_record_is_extended_by_the_same_options(here, passed):
    steady = ("--tol", 1e-5, "--atol", 1e-9, "--max-time", 3, "--kick", "--adjoint", 2, "--watch", "z")
    stopped("run", "steady.nc", "--chi", 8, "--engine", "accelerated", "--no-bracket", *steady)
    given = {"tolerance": 1e-5, "atol": 1e-9, "max_time": 3.0, "kick": True, "adjoint": 2, "watch": ("z",)}
    assert passed.changes == Changes({"chi": 8, "bracket": False}, "accelerated", **given)
    assert set(options.JOB_FLAGS) == {
        *given,
        "errors",
        "times",
        *run_module.FIXED,
    }  # a new field is a change, or is fixed
    stopped("run", "evolution.nc", "--time", "2,3")
    assert passed.changes == Changes(times=(2.0, 3.0))
    assert passed.files["out"] is None
    assert passed.files["progress"]


def test_old_files_are_continued_where_that_is_asked_for(served, passed):
    for words in (command("run", served), command("run", served, "--time", "0,1"), command("sweep", served)):
        for given in (True, False):
            stopped(*words, *["--accept-old"] * given)
            assert passed.accept_old is given
    stopped("run", "steady.nc", "--accept-old")
    assert passed.accept_old


def test_accelerate_is_short_for_an_engine(served, passed):
    for name in COMMANDS:
        stopped(*command(name, served, "--accelerate", "--bracket", "--engine-tolerance", 1)[:-2])
        assert passed.engine == ENGINES["accelerated"](bracket=True)
        told = ("--accelerate stands for --engine accelerated, not tebd",)
        refused(*command(name, served, "--accelerate", "--engine", "tebd"), told=told)


def test_converge_takes_lists_of_bond_dimensions_and_time_steps(served, passed):
    stopped("converge", served, "--chi", "4,8", "--dt", "0.2,0.1", "--schedule", "2", "--out", "c.nc")
    assert passed.varied == ((4, 8), (0.2, 0.1))
    assert passed.engine == ENGINES["tebd"](schedule=(2,))
    stopped("converge", served, "--set", "chi=[4,8]", "--set", "dt=0.1", "--out", "c.nc")
    assert passed.varied == ((4, 8), (0.1,))
    stopped("converge", served, "--chi", "4,8", "--engine", "trajectories", "--substeps", 2, "--out", "c.nc")
    assert (passed.varied[1], passed.engine) == ((None,), ENGINES["trajectories"](substeps=2))


def test_converge_takes_the_first_engine_that_can_be_converged(here, passed):
    stopped("converge", "noisy-anderson", "-p", "n=4", "--chi", "2,4", "--out", "c.nc")
    assert passed.engine == ENGINES["tebd"]()  # the model's default is gaussian


def test_an_engine_of_ones_own_is_reached_by_set_and_by_options_that_it_shares(served, passed):
    words = ("--engine", "own", "--set", "stages=2", "--set", "tableau=[1,0.5]", "--dt", 0.5)
    for name in ("run", "sweep"):
        stopped(*command(name, served, *words))
        own: Any = passed.engine
        assert (type(own).__name__, own.stages, own.dt, own.tableau) == ("Own", 2, 0.5, (1.0, 0.5))
        refused(*command(name, served, "--engine", "own", "--chi", 4), told=("engine 'own' has no setting 'chi'",))
        told = ("engine 'own': stages = 'many' is not an integer",)
        refused(*command(name, served, "--engine", "own", "--set", "stages=many"), told=told)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--engine tebd --bracket", "engine 'tebd' has no setting 'bracket'"),
        ("--engine accelerated --method svd", "engine 'accelerated' has no setting 'method'"),
        ("--engine tebd --engine-tolerance 1e-3", "engine 'tebd' has no setting 'tolerance'"),
        ("--block 2 --set block=3", "--block and --set block=3: give a setting once"),
        ("--engine exact --engine-tolerance 1 --set tolerance=2", "--engine-tolerance and --set tolerance=2"),
        ("--schedule 4,x", "--schedule 4,x: a comma list of integers is needed"),
        ("--block many", "--block"),
        ("--dtype float16", "dtype = 'float16' is not one of float64, float32"),
        ("--set block=true", "engine 'tebd': block = True is not an integer"),
        ("--set schedule=8", "engine 'tebd': schedule = 8 is not a list of integers"),
        ("--engine tebdd", "there is no engine 'tebdd' (did you mean 'tebd'?)"),
        ("--seed -1", "seed = -1: an integer >= 0 is needed"),
        ("--tol nan", "tolerance = nan: a finite number is needed"),
        ("--max-time 0", "max_time = 0.0: a time > 0 is needed"),
    ],
)
def test_the_three_commands_refuse_the_same(here, name, words, told):
    refused(*command(name, TINY[0], *words.split()), told=(told,))


def test_what_a_command_cannot_mean_is_refused_with_the_reason(here):
    told = ("--time: a convergence is that of a steady state, not of a time evolution",)
    refused("converge", *TINY, "--chi", "2,4", "--time", "0,1", "--out", "c.nc", told=told)
    told = ("--initial steady.nc: a sweep starts from a state that is named, not a record",)
    refused("sweep", *TINY, "--initial", "steady.nc", "--store", "s", told=told)
    told = ("converge varies the bond dimension and the time step", "'exact'")
    refused("converge", *TINY, "--engine", "exact", "--chi", "2,4", "--out", "c.nc", told=told)
    refused("converge", *TINY, "--out", "c.nc", told=("converge needs --chi CHI,CHI,...",))
    refused("run", *TINY, "--realizations", 4, "--out", "r.nc", told=("--realizations",))


# ---------------------------------------------------------------- how options are made


def test_types_become_kinds():
    assert kind_of([int | None]) is KIND_OF_TYPE[int]
    assert kind_of([float, float | None]) is KIND_OF_TYPE[float]
    assert kind_of([Literal["a", "b"]]).metavar == "a|b"
    assert kind_of([str | None, Literal["a", "b"]]) is TEXT
    assert kind_of([tuple[int, ...] | None]) is KIND_OF_TYPE[tuple[int, ...]]
    for unknown in ([int, str], [int | str], [dict], [Any], [Literal[2, 4]]):
        assert kind_of(unknown) is ANY


@dataclass(frozen=True)
class One:
    x: int = 1  # of one [m]


@dataclass(frozen=True)
class Two:
    x: int | None = None  # of two


def test_where_engines_differ_help_says_what_a_setting_is_to_each():
    option = FieldOption("x", "--x", "Engine", "x", {"one": One, "two": Two, "three": One})
    assert option.help() == "of one [m], default 1 (one, three); of two (two)"
    assert replace(option, owners={"": One}).help() == "of one [m], default 1"


def test_starting_reads_no_source_and_loads_neither_figures_nor_optimisation():
    """Comments are read when help is asked for; what few commands need is loaded by them."""
    unwanted = ("matplotlib", "rich", "scipy.integrate", "scipy.optimize", "scipy.stats", "tenpy", "dask")
    code = "import sys, tnness.cli as c, tnness.typed as t; from tnness.cli.app import app; import typer\n"
    code += "typer.main.get_command(app)\n"
    code += f"print([n for n in {unwanted} if n in sys.modules], t._own_comments.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split("\n")[0] == "[] 0"
