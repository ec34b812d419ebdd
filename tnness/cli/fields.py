"""Fields of dataclasses as options: one option per field, with the field's type, explained by the field's comment."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import typer

from tnness.cli.reading import integers, numbers, value_of
from tnness.errors import InputError
from tnness.typed import Parameter, field_parameters, field_types


@dataclass(frozen=True)
class Kind:
    """The way in which values of a type are written on the command line.

    annotation: the type for Typer. metavar: stands for a value in the help. read: (flag, value from Typer) -> value of
    the field.
    """

    annotation: Any
    metavar: str | None = None
    read: Callable[[str, Any], Any] = lambda flag, given: given


TEXT = Kind(str, "TEXT")
ANY = Kind(str, "VALUE", lambda flag, given: value_of(given))
"""The way for all other types: JSON, or else a text."""
KIND_OF_TYPE = {
    int: Kind(int, "INTEGER"),
    float: Kind(float, "NUMBER"),
    str: TEXT,
    bool: Kind(bool),
    tuple[int, ...]: Kind(str, "INTEGER,...", integers),
    tuple[float, ...]: Kind(str, "NUMBER,...", numbers),
    tuple[str, ...]: Kind(list[str], "NAME", lambda flag, given: tuple(given)),
}


@dataclass(frozen=True)
class FieldOption:
    """A field as an option.

    Parameters
    ----------
    name: of the field. flag: the option that the user types. panel: the group in which the help lists it.
    keyword: the name under which Typer passes the value; unique within a command.
    owners: the dataclasses that have the field, by the names that the help gives them.
    kind: how a value is written; None: as the field's type says.
    refused: why a command cannot take the option, which the help then leaves out; empty if the command takes it.
    """

    name: str
    flag: str
    panel: str
    keyword: str
    owners: Mapping[str, type]
    kind: Kind | None = None
    refused: str = ""

    @cached_property
    def written(self) -> Kind:
        """The way in which a value is written."""
        return self.kind or kind_of([field_types(owner)[self.name] for owner in self.owners.values()])

    @cached_property
    def parameter(self) -> inspect.Parameter:
        """The parameter that Typer turns into the option."""
        kind = self.written
        flag = f"{self.flag}/--no-{self.flag[2:]}" if kind.annotation is bool else self.flag
        option = typer.Option(flag, metavar=kind.metavar, rich_help_panel=self.panel, hidden=bool(self.refused))
        annotation = Annotated[kind.annotation | None, option]
        return inspect.Parameter(self.keyword, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)

    def read(self, given: Any) -> Any:
        """Return the field's value from what Typer gives.

        Raises
        ------
        InputError: an option that the command cannot take, or a text that is no value of this kind.
        """
        if self.refused:
            raise InputError(f"{self.flag}: {self.refused}")
        return self.written.read(self.flag, given)

    def help(self) -> str:
        """Return the field's comment with its unit and default; if the owners differ, those of each owner."""
        texts: dict[str, dict[str, list[str]]] = {}
        for name, owner in self.owners.items():
            field = field_parameters(owner)[self.name]
            text = f"{field.description} [{field.unit}]" if field.unit else field.description
            texts.setdefault(text, {}).setdefault(_default(field), []).append(name)
        return "; ".join(f"{text}{_defaults(defaults)}" for text, defaults in texts.items())


def kind_of(annotations: list[Any]) -> Kind:
    """Return the way to write a field that has these types in one or several dataclasses."""
    kinds = {id(kind): kind for kind in map(_kind, annotations)}
    if len(kinds) == 1:
        return next(iter(kinds.values()))
    return TEXT if all(kind.annotation is str and kind is not ANY for kind in kinds.values()) else ANY


@functools.cache
def _kind(annotation: Any) -> Kind:
    options = [option for option in _options(annotation) if option is not type(None)]
    if len(options) != 1:
        return ANY
    if typing.get_origin(options[0]) is not Literal:
        return KIND_OF_TYPE.get(options[0], ANY)
    choices = typing.get_args(options[0])
    return Kind(str, "|".join(choices)) if all(isinstance(choice, str) for choice in choices) else ANY


def _options(annotation: Any) -> tuple[Any, ...]:
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if union else (annotation,)


def _default(field: Parameter) -> str:
    """Return a default as a user types it; empty if there is none."""
    default = field.default
    if field.required or default is None or default is False or default == ():
        return ""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _defaults(owners: Mapping[str, list[str]]) -> str:
    """Return defaults with the names of their owners: `, default 1e-14 (tebd) or 1e-12 (trajectories)`."""
    shown = []
    for default, names in owners.items():
        named = ", ".join(filter(None, names))
        shown.append(f"{default} ({named})" if default and named else default or f"({named})" * bool(named))
    return (", default " if any(owners) else " ") + " or ".join(shown) if any(shown) else ""


# ------------------------------------------------------------------ groups


@dataclass(frozen=True)
class Group:
    """Options that together make one argument of a command.

    Parameters
    ----------
    make: takes the values that the user gave, and returns the argument. Its declared parameters are options with
        Typer's annotations; fields that were given are passed by their names.
    fields: further options.
    """

    make: Callable[..., Any]
    fields: tuple[FieldOption, ...] = ()

    @cached_property
    def own(self) -> list[inspect.Parameter]:
        """The parameters that `make` declares."""
        declared = inspect.signature(self.make, eval_str=True).parameters.values()
        return [_keyword(p) for p in declared if p.kind is not inspect.Parameter.VAR_KEYWORD]

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """All parameters of the group, for Typer."""
        return self.own + [field.parameter for field in self.fields]

    def argument(self, values: Mapping[str, Any]) -> Any:
        """Return the command's argument from what Typer passes."""
        given = {p.name: values[p.name] for p in self.own}
        for field in self.fields:
            if values[field.keyword] is not None:
                given[field.name] = field.read(values[field.keyword])
        return self.make(**given)


def with_options(**groups: Group) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of groups; each group makes the argument of its name.

    >>> @dataclass(frozen=True)
    ... class Bond:
    ...     chi: int = 64
    >>> bond = Group(lambda **given: Bond(**given), (FieldOption("chi", "--chi", "Bond", "bond_chi", {"": Bond}),))
    >>> @with_options(bond=bond)
    ... def command(name: str, bond: Bond): ...
    >>> list(inspect.signature(command).parameters)
    ['name', 'bond_chi']
    """

    def expand(command: Callable[..., None]) -> Callable[..., None]:
        declared = inspect.signature(command, eval_str=True).parameters.values()
        made = [p for group in groups.values() for p in group.parameters]
        signature = inspect.Signature([_keyword(p) for p in declared if p.name not in groups] + made)

        @functools.wraps(command)
        def call(**values: Any) -> None:
            arguments = {name: group.argument(values) for name, group in groups.items()}
            taken = {p.name for p in made}
            command(**{name: value for name, value in values.items() if name not in taken}, **arguments)

        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        call.fields = {field.keyword: field for group in groups.values() for field in group.fields}  # type: ignore[attr-defined]
        return call

    return expand


def _keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
