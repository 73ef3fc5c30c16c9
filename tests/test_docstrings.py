"""Docstrings of public names describe arguments, results and errors, and have an example."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import pytest

import sse_components
from sse_components.components.handle import Handle

# The names of cjm-fasthtml-sse cite their source instead of an example.
SOURCE, EXAMPLE = "Source: cjm-fasthtml-sse", "Example:"


def public_functions() -> Iterator[Any]:
    for name in sse_components.__all__:
        found = getattr(sse_components, name)
        if inspect.isfunction(found):
            yield pytest.param(found, id=name)


def public_methods() -> Iterator[Any]:
    """Yield the methods of public classes, but for those of errors, enumerations and protocols."""
    for name in sse_components.__all__:
        found = getattr(sse_components, name)
        if inspect.isclass(found) and not issubclass(found, Exception | Enum):
            for method_name, method in vars(found).items():
                if inspect.isfunction(method) and not method_name.startswith("_"):
                    yield pytest.param(method, id=f"{name}.{method_name}")


def handle_methods() -> Iterator[Any]:
    """Yield the methods by which handles, and the kit, change what pages show."""
    for name in sse_components.__all__:
        found = getattr(sse_components, name)
        if inspect.isclass(found) and issubclass(found, Handle | sse_components.Kit):
            for method_name, method in vars(found).items():
                if method_name.startswith("_") or not inspect.isfunction(method):
                    continue
                if "Publication" in str(inspect.signature(method).return_annotation):
                    yield pytest.param(method, id=f"{name}.{method_name}")


def documentation(function: Callable[..., Any]) -> str:
    return inspect.getdoc(function) or ""


@pytest.mark.parametrize("function", [*public_functions(), *public_methods()])
def test_every_argument_is_documented_by_its_name(function: Callable[..., Any]) -> None:
    text = documentation(function)
    names = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    assert text, "there is no docstring"
    assert [name for name in names if f"\n    {name}: " not in text] == []


@pytest.mark.parametrize("function", [*public_functions(), *public_methods()])
def test_a_result_is_documented(function: Callable[..., Any]) -> None:
    text, result = documentation(function), inspect.signature(function).return_annotation
    if result not in ("None", None, inspect.Signature.empty):
        first, sections = text.partition(".")[0], ("Returns:", "Yields:")
        words = (
            "Return",
            "Tell",
            "Get",
            "Create",
            "Build",
            "Convert",
            "Generate",
            "Check",
            "Send",
            "Show",
            "Make",
            "Add",
        )
        assert first.startswith(words) or any(section in text for section in sections)


@pytest.mark.parametrize("function", [*public_functions(), *handle_methods()])
def test_there_is_an_example_or_a_source(function: Callable[..., Any]) -> None:
    assert EXAMPLE in documentation(function) or SOURCE in documentation(function)
