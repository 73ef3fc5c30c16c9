"""The wheel serves the gallery and every example, in environments with only the named requirements."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.patience import patient

ROOT = Path(__file__).parents[1]
RUNNING = re.compile(r"running on (http://\S+)")
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
SERVE_EXAMPLES = str(ROOT / "tests" / "support" / "serve_examples.py")
# The metadata of an example, with its dependencies.
METADATA = re.compile(r"^# /// script\n(.*?)^# ///$", re.MULTILINE | re.DOTALL)

Install = Callable[..., str]
Serve = Callable[[tuple[str, ...]], dict[str, str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel, built from the sdist as a release is."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, stdout=subprocess.DEVNULL)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Give a function that returns the Python of an environment with these packages and nothing else."""

    @cache
    def environment(*packages: str) -> str:
        folder = tmp_path_factory.mktemp("venv")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        python = str(folder / "bin" / "python")
        pip = [sys.executable, "-m", "pip", "--python", python]
        subprocess.run([*pip, "install", "--quiet", "--no-warn-script-location", *packages], check=True)
        return python

    return environment


@pytest.fixture(scope="module")
def serve_examples(wheel: Path, install: Install, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Give a function that serves all examples with the same needs, and returns the problem of each, or ''."""

    @cache
    def problems(packages: tuple[str, ...]) -> dict[str, str]:
        paths = [str(path) for path in EXAMPLES if needs(path) == packages]
        command = [install(str(wheel), *packages), SERVE_EXAMPLES, *paths]
        # The folder is empty, so that this repository's package cannot be imported.
        run = subprocess.run(command, cwd=tmp_path_factory.mktemp("cwd"), check=True, stdout=subprocess.PIPE)
        return dict(json.loads(run.stdout))

    return problems


@pytest.fixture
def address(wheel: Path, install: Install, tmp_path: Path) -> Iterator[str]:
    """Give the address of the gallery, run from the wheel."""
    command = [install(f"{wheel}[demo]"), "-m", "sse_components", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as gallery:
        assert gallery.stderr is not None
        try:
            yield next(found[1] for line in gallery.stderr if (found := RUNNING.search(line)))
        finally:
            gallery.terminate()
            gallery.communicate(timeout=patient(20))


def needs(example: Path) -> tuple[str, ...]:
    """Return the packages that an example says it needs beside this one.

    Source: PEP 723.
    """
    [metadata] = METADATA.findall(example.read_text("utf-8"))
    dependencies = tomllib.loads(re.sub("^# ?", "", metadata, flags=re.MULTILINE))["dependencies"]
    assert dependencies[0] == "sse-components"
    return tuple(sorted(dependencies[1:]))


@pytest.mark.timeout(300)
def test_the_wheel_serves_the_gallery(address: str) -> None:
    page = urllib.request.urlopen(address).read().decode()
    assert "SSE" in page
    [entry] = re.findall(r'src="(/sse/assets/[^"]*/index\.js)"', page)
    for name in [path.relative_to(ROOT / "static").as_posix() for path in (ROOT / "static").rglob("*.*")]:
        with urllib.request.urlopen(address + entry.replace("index.js", name)) as answer:
            assert answer.read() == (ROOT / "static" / name).read_bytes()
            assert "immutable" in answer.headers["cache-control"]


def test_the_wheel_has_types_and_licence(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "sse_components/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_with_the_wheel_and_its_named_requirements(example: Path, serve_examples: Serve) -> None:
    assert serve_examples(needs(example))[str(example)] == ""


@pytest.mark.timeout(300)
def test_an_example_with_a_missing_requirement_is_found(wheel: Path, install: Install, tmp_path: Path) -> None:
    (tmp_path / "careless.py").write_text("import fastlite\n")
    command = [install(str(wheel)), SERVE_EXAMPLES, "careless.py"]
    run = subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.PIPE)
    assert "No module named 'fastlite'" in json.loads(run.stdout)["careless.py"]
