"""What JSON carries of an application's data, and copies of it that the application cannot alter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

KNOWN = "JSON, dates and times, sets, FT, dataclasses, enums, Decimal, UUID, paths, and objects with to_dict()"


def to_json_text(value: Any, *, lenient: bool = False) -> str:
    """Return data as JSON text.

    Dates and times become ISO text, a `timedelta` its seconds, a set or another collection a list, FT its HTML, a
    dataclass or an object with `to_dict()` an object, an enum its value, and `Decimal`, `UUID` and paths text. The keys
    of a dict may be of these types, too, if they become text.

    Args:
        value: the data.
        lenient: whether anything else becomes its `str()`, instead of an error.

    Raises:
        TypeError: for data of another type.
        ValueError: for infinity, `nan`, or data that contains itself.

    Example:
        `to_json_text({'at': datetime(2026, 1, 1)}) == '{"at": "2026-01-01T00:00:00"}'`
    """
    try:
        return _dumps(value, to_json_value)
    except TypeError:
        pass
    except ValueError as error:
        if not lenient or "Circular" in str(error):
            raise
    return _dumps(_with_text(value, lenient), to_json_value)


def to_json_value(item: Any) -> Any:
    """Return a value that JSON can represent for an object that it cannot: the `default` of `json.dumps`.

    Args:
        item: the object.

    Raises:
        TypeError: for an object of another type, with the types that are allowed.
    """
    for convert in (_scalar, _markup, _record, _collection):
        if (found := convert(item)) is not None:
            return found
    raise TypeError(f"JSON has no form for {type(item).__name__}; allowed are {KNOWN}")


def snapshot(value: Any) -> Any:
    """Return data whose dicts, lists, tuples and sets are copies; what they hold stays the same object."""
    if isinstance(value, dict):
        return {key: snapshot(held) for key, held in value.items()}
    if isinstance(value, list):
        return [snapshot(held) for held in value]
    if type(value) is tuple:
        return tuple(snapshot(held) for held in value)
    return value.copy() if isinstance(value, set) else value


def _dumps(value: Any, default: Callable[[Any], Any]) -> str:
    return json.dumps(value, default=default, ensure_ascii=False, allow_nan=False)


def _scalar(item: Any) -> Any:
    if isinstance(item, datetime | date | time):
        return item.isoformat()
    if isinstance(item, timedelta):
        return item.total_seconds()
    if isinstance(item, Enum):
        return item.value
    return str(item) if isinstance(item, Decimal | UUID | PurePath) else None


def _markup(item: Any) -> str | None:
    while not hasattr(item, "__html__") and hasattr(item, "__ft__"):
        item = item.__ft__()
    return str(item.__html__()) if hasattr(item, "__html__") else None


def _record(item: Any) -> dict[str, Any] | None:
    if is_dataclass(item) and not isinstance(item, type):
        return {field.name: getattr(item, field.name) for field in fields(item)}
    if callable(to_dict := getattr(item, "to_dict", None)) and not isinstance(item, type):
        return to_dict()  # type: ignore[no-any-return]
    return dict(item) if isinstance(item, Mapping) else None


def _collection(item: Any) -> list[Any] | None:
    if isinstance(item, Set):
        return sorted(item) if all(isinstance(held, str) for held in item) else list(item)
    has_items = hasattr(item, "__iter__") and hasattr(item, "__len__")
    return list(item) if has_items and not isinstance(item, bytes | bytearray | memoryview) else None


def _with_text(value: Any, lenient: bool) -> Any:
    """Return data whose keys JSON can have; if `lenient`, also with text for what JSON has no form for."""
    if isinstance(value, Mapping):
        return {_key(key, lenient): _with_text(held, lenient) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_with_text(held, lenient) for held in value]
    if isinstance(value, float) and lenient:
        return value if value - value == 0 else str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return _lenient_value(value) if lenient else _with_text(to_json_value(value), lenient)


def _lenient_value(value: Any) -> Any:
    try:
        return _with_text(to_json_value(value), lenient=True)
    except TypeError:
        return str(value)


def _key(key: Any, lenient: bool) -> Any:
    if key is None or isinstance(key, str | int | float):
        return key
    text = _scalar(key)
    if text is None and not lenient:
        raise TypeError(f"JSON has no form for a key of type {type(key).__name__}; allowed are text, numbers and dates")
    return str(key) if text is None else text
