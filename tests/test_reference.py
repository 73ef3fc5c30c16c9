"""The API that programs for the reference use: `reference_api.json` has every signature of it, and ours are the same.

There, `async` says that a call is awaited, `generator` that it is iterated over with `async for`, and `FACTORY` stands
for a default that is made for each instance. What we have beyond it is optional, and goes by its name only.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
from collections.abc import Callable, Iterator
from enum import Enum
from inspect import Parameter
from pathlib import Path
from typing import Any

import pytest

import sse_components

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "reference_api.json").read_text())
CLASSES = [(module, name, entry) for module, api in REFERENCE.items() for name, entry in api["classes"].items()]
FACTORY = "made for each instance"


def ours(module: str, *names: str) -> Any:
    """Return what a dotted name of ours stands for."""
    found = importlib.import_module(f"sse_components.{module}")
    for name in names:
        found = getattr(found, name)
    return found


def signature(text: str) -> list[Parameter]:
    """Return the parameters of a signature in the reference's text."""
    scope: dict[str, Any] = {"FACTORY": FACTORY}
    exec(f"def function({text.partition('(')[2]}: pass", scope)
    return list(inspect.signature(scope["function"]).parameters.values())


def shape(parameter: Parameter) -> tuple[str, Any, Any]:
    default = parameter.default
    return parameter.name, parameter.kind, str(default) if isinstance(default, Enum) else default


def each_callable() -> Iterator[Any]:
    for module, api in REFERENCE.items():
        for name, text in api["functions"].items():
            yield pytest.param(module, (name,), text, id=name)
    for module, name, entry in CLASSES:
        for method, text in entry.get("methods", {}).items():
            yield pytest.param(module, (name, method), text, id=f"{name}.{method}")


CALLABLES = list(each_callable())


@pytest.mark.parametrize(("module", "path", "text"), CALLABLES)
def test_a_call_takes_what_the_references_takes(module: str, path: tuple[str, ...], text: str) -> None:
    theirs = signature(text)
    mine = list(inspect.signature(ours(module, *path)).parameters.values())
    added = [parameter for parameter in mine if parameter.name not in {their.name for their in theirs}]
    assert [shape(parameter) for parameter in mine if parameter not in added] == [shape(their) for their in theirs]
    assert all(extra.kind is Parameter.KEYWORD_ONLY and extra.default is not Parameter.empty for extra in added)


@pytest.mark.parametrize(("module", "path", "text"), CALLABLES)
def test_a_call_is_awaited_or_iterated_over_as_the_references_is(module: str, path: tuple[str, ...], text: str) -> None:
    function: Callable[..., Any] = ours(module, *path)
    assert inspect.iscoroutinefunction(function) == text.startswith("async")
    if text.startswith("generator"):
        returned = inspect.signature(function, eval_str=True).return_annotation
        assert returned.__origin__.__name__ == "AsyncGenerator"


@pytest.mark.parametrize(("module", "name", "entry"), [entry for entry in CLASSES if "fields" in entry[2]])
def test_a_dataclass_has_the_references_fields(module: str, name: str, entry: dict[str, Any]) -> None:
    assert [field_shape(field) for field in dataclasses.fields(ours(module, name))] == [
        shape(field)[::2] for field in signature(entry["fields"])
    ]


def field_shape(field: dataclasses.Field[Any]) -> tuple[str, Any]:
    if field.default_factory is not dataclasses.MISSING:
        return field.name, FACTORY
    if field.default is dataclasses.MISSING:
        return field.name, Parameter.empty
    return field.name, str(field.default) if isinstance(field.default, Enum) else field.default


@pytest.mark.parametrize(("module", "name", "entry"), [entry for entry in CLASSES if "members" in entry[2]])
def test_an_enum_has_the_references_members(module: str, name: str, entry: dict[str, Any]) -> None:
    enum = ours(module, name)
    assert issubclass(enum, Enum)
    assert {member.name: member.value for member in enum} == entry["members"]


@pytest.mark.parametrize("module", REFERENCE)
def test_every_name_stands_in_its_module_and_in_the_package(module: str) -> None:
    names = [*REFERENCE[module]["functions"], *REFERENCE[module]["classes"]]
    assert all(getattr(sse_components, name) is ours(module, name) for name in names)
    assert set(names) <= set(sse_components.__all__)
