"""The contents that a record may have, checked before anything else reads them: a file may come from a stranger.

A record is one HDF5 file of plain numbers and texts. Links to other files, storage outside the file and object types
are refused, as are sizes that the file cannot hold. Every attribute has its type, and every array its shape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import RecordError
from tnness.records.history import ESTIMATE, SPREAD, VALUE
from tnness.records.lazily import lazily
from tnness.records.names import observables_in

if TYPE_CHECKING:
    import h5py
else:
    h5py = lazily("h5py")


DENSEST = 1100
"""Bytes of data that one byte of a file can hold at most: `deflate` packs 1032 into one."""
SMALL = 1 << 20
"""Bytes of data that any file may declare."""
NESTED = 4
"""Levels of groups, at most; a record has three."""
NUMBERS_AND_TEXTS = "fiubUS"
"""Kinds of numbers and texts (NumPy's letters) at the root; the state also holds complex numbers."""


def check_layout(file: h5py.File, length: int) -> None:
    """Refuse an HDF5 file that refers to anything outside it, or declares more data than its bytes can hold.

    length: of the file in bytes.
    """
    declared = _declared(file, "", 0)
    if declared > max(SMALL, DENSEST * length):
        raise RecordError(f"it declares {declared:.3g} bytes of data in a file of {length} bytes")


def _declared(group: Any, place: str, depth: int) -> int:
    if depth > NESTED:
        raise RecordError("its groups are nested too deeply")
    total = 0
    for name in group:
        inside = f"{place}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise RecordError(f"{inside} is a link, perhaps to another file")
        kind = h5py.h5o.get_info(group.id, name.encode()).type  # pyright: ignore[reportAttributeAccessIssue]
        if kind == h5py.h5o.TYPE_GROUP:  # pyright: ignore[reportAttributeAccessIssue]
            total += _declared(group[name], inside, depth + 1)
        elif kind == h5py.h5o.TYPE_DATASET:  # pyright: ignore[reportAttributeAccessIssue]
            total += _size(group[name], inside)
        else:
            raise RecordError(f"{inside} is neither a group nor an array")
    return total


def _size(data: Any, place: str) -> int:
    settings = data.id.get_create_plist()
    if settings.get_external_count() or settings.get_layout() == h5py.h5d.VIRTUAL:
        raise RecordError(f"{place} keeps its numbers in another file")
    if data.shape is None:
        raise RecordError(f"{place} is empty")
    if data.dtype.kind not in NUMBERS_AND_TEXTS + "c" and h5py.check_string_dtype(data.dtype) is None:
        raise RecordError(f"{place} holds neither numbers nor texts")
    return math.prod(data.shape) * data.dtype.itemsize


# ------------------------------------------------------------------ attributes

Check = Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _one_number(value: Any) -> bool:
    array = np.asarray(value)
    return array.size == 1 and array.dtype.kind in "fiub"


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _table(values: Check) -> Check:
    return lambda given: isinstance(given, dict) and all(values(value) for value in given.values())


def _list(values: Check) -> Check:
    return lambda given: isinstance(given, list) and all(values(value) for value in given)


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and _text(value[0]) and isinstance(value[1], bool)


def _anything(value: Any) -> bool:
    return True


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _either(*checks: Check) -> Check:
    return lambda value: any(check(value) for check in checks)


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


ATTRIBUTES: Mapping[str, Check] = {
    "format": _text,
    "model": _text,
    "engine": _text,
    "evolution_time": _one_number,
    "wall_seconds": _one_number,
    "outcome": _text,
    "physics": _text,
    "over": _one_number,
    "owed": _one_number,
    "cpu_seconds": _one_number,
    "seed": _one_number,
}
"""Attributes and what each holds, where a record has it."""
TEXTS: Mapping[str, Check] = {
    "settings": _table(_anything),
    "parameters": _table(_anything),
    "versions": _table(_text),
    "engine_used": _table(_anything),
    "local_dimensions": _list(_count),
    "error_estimates": _table(_table(_number)),
    "physics_of_observables": _table(_pair),
    "origin": _table(_anything),
}
"""Attributes that hold JSON texts, and what each holds."""
NEEDED = ("format", "model", "settings", "evolution_time")
"""Attributes that every record has."""
SETTINGS: Mapping[str, Check] = {
    "model": _text,
    "parameters": _table(_anything),
    "seed": _count,
    "engine": _text,
    "engine_settings": _table(_anything),
    "initial": _either(_text, _table(_text)),
    "kind": lambda value: value in ("steady_state", "evolution"),
    "tolerance": _number,
    "max_time": _or_none(_number),
    "times": _list(_number),
    "refine": _boolean,
}
"""The settings that every record has."""
LATER: Mapping[str, Check] = {
    "watch": _list(_text),
    "kick": _boolean,
    "adjoint": _count,
    "period": _or_none(_number),
    "question": _or_none(_table(_anything)),
}
"""Settings that files of earlier versions may lack."""
ORIGIN: Mapping[str, Check] = {
    "time": _number,
    "times": _count,
    "prior": _or_none(_table(_anything)),
}
PRIOR: Mapping[str, Check] = {"chi": _number, "dt": _number, "rate": _number, "estimates": _table(_anything)}


def check_attributes(attributes: Mapping[str, Any]) -> None:
    """Refuse attributes that a record of this package does not have, or that hold something else than they should."""
    for name in NEEDED:
        if name not in attributes:
            raise RecordError(f"it has no attribute {name!r}")
    for name, check in ATTRIBUTES.items():
        if name in attributes and not check(attributes[name]):
            raise RecordError(f"its attribute {name!r} holds {attributes[name]!r:.40}")
    read = {}
    for name, check in TEXTS.items():
        if name not in attributes:
            continue
        try:
            read[name] = json.loads(attributes[name])
        except (TypeError, ValueError, RecursionError):
            raise RecordError(f"its attribute {name!r} is no JSON text") from None
        if not check(read[name]):
            raise RecordError(f"its attribute {name!r} holds {attributes[name]!r:.40}")
    _check_table("settings", read["settings"], SETTINGS, LATER)
    if "origin" in read:
        _check_table("origin", read["origin"], ORIGIN, {"accepted_old": _boolean})
        if read["origin"]["prior"] is not None:
            _check_table("origin: prior", read["origin"]["prior"], PRIOR, {})


def _check_table(
    place: str, table: Mapping[str, Any], needed: Mapping[str, Check], further: Mapping[str, Check]
) -> None:
    for name in needed:
        if name not in table:
            raise RecordError(f"its {place} lack {name!r}")
    for name, check in {**needed, **further}.items():
        if name in table and not check(table[name]):
            raise RecordError(f"its {place} hold {name} = {table[name]!r:.40}")


# ------------------------------------------------------------------ arrays

Arrays = Mapping[str, NDArray[Any]]


def check_variables(variables: Mapping[Any, Any]) -> None:
    """Refuse variables at the root that are no numbers (but a convergence's outcomes), and errors that are none."""
    for name, variable in variables.items():
        if variable.dtype.kind not in "fiub" and name != "outcome":
            raise RecordError(f"its variable {name!r} holds no numbers")
        if "error" in variable.attrs and not _one_number(variable.attrs["error"]):
            raise RecordError(f"the error of its variable {name!r} is no number")
        if not all(_text(variable.attrs.get(about, "")) for about in ("units", "long_name", "symbol")):
            raise RecordError(f"the unit or the meaning of its variable {name!r} is no text")


def check_state(arrays: Arrays, numbers: Mapping[str, Any]) -> None:
    """Refuse the state of a network whose tensors do not fit together, or whose centre is no site."""
    if any(array.dtype.kind not in "fiubc" for array in arrays.values()):
        raise RecordError("its state holds something else than numbers")
    tensors = [arrays[name] for name in sorted(arrays) if name.startswith("tensor_")]
    if not tensors:
        return
    if any(tensor.ndim != 3 or tensor.size == 0 for tensor in tensors):
        raise RecordError("a tensor of its state has not the three indices left, physical, right")
    bonds = [1, *(tensor.shape[2] for tensor in tensors)]
    if bonds[-1] != 1 or any(tensor.shape[0] != bond for tensor, bond in zip(tensors, bonds, strict=False)):
        raise RecordError("two neighbouring tensors of its state have different bonds")
    centre = numbers.get("centre", 0)
    if not _number(centre) or centre != int(centre) or not 0 <= centre < len(tensors):
        raise RecordError(f"the orthogonality centre of its state is {centre!r}, which is no site of it")


def check_history(arrays: Arrays) -> None:
    """Refuse a history whose times, stages and values do not fit together, or with errors of what it does not hold."""
    times, stages = arrays.get("times"), arrays.get("stages")
    if times is None or stages is None or times.ndim != 1 or stages.shape != times.shape:
        raise RecordError("its history has not one stage per time")
    if times.dtype.kind not in "fiu" or stages.dtype.kind not in "iu":
        raise RecordError("the times and stages of its history are no numbers")
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub" or array.ndim == 0 or len(array) != len(times):
            raise RecordError(f"{name!r} of its history has not one value per time")
    values = {name.removeprefix(VALUE) for name in arrays if name.startswith(VALUE)}
    spreads = {name.removeprefix(SPREAD) for name in arrays if name.startswith(SPREAD)}
    told = {name.removeprefix(ESTIMATE).partition("_")[2] for name in arrays if name.startswith(ESTIMATE)}
    if not spreads | told <= values:
        raise RecordError(f"its history has errors of {', '.join(sorted((spreads | told) - values))}, but no values")


def check_average(name: str, arrays: Arrays) -> None:
    """Refuse an average that was not saved by this package."""
    if arrays.keys() != {"counts", "blocks", "sum"} or any(a.dtype.kind not in "fiu" for a in arrays.values()):
        raise RecordError(f"its average of {name!r} lacks a part")
    counts = arrays["counts"]
    if counts.shape != (3,) or not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise RecordError(f"its average of {name!r} has no counts")


def check_errors(estimates: Mapping[str, Arrays], dataset: Any) -> None:
    """Refuse errors of observables that are not there, or that have other shapes than these."""
    for kind, errors in estimates.items():
        for name, error in errors.items():
            if error.dtype.kind not in "fiu":
                raise RecordError(f"its {kind} error of {name!r} is no number")
            if name in dataset and error.shape not in ((), dataset[name].shape):
                raise RecordError(
                    f"its {kind} error of {name!r} has the shape {error.shape}, not {dataset[name].shape}"
                )


def check_shapes(history: Mapping[str, Sequence[NDArray[Any]]], dataset: Any, evolution: bool) -> None:
    """Refuse a history whose measurements have other shapes than the observables of the record.

    history: name -> one array per measurement. evolution: whether the observables have the dimension `time` first.
    """
    lacking = [name for name in observables_in(dataset) if dataset[name].dims[:1] == ("time",) and name not in history]
    if evolution and history and lacking:
        raise RecordError(f"its history lacks {', '.join(lacking)}")
    for name, series in history.items():
        if name not in dataset or not series:
            continue
        expected = dataset[name].shape[1:] if evolution else dataset[name].shape
        if np.shape(series[0]) != expected:
            raise RecordError(f"{name!r} of its history has the shape {np.shape(series[0])}, not {expected}")
