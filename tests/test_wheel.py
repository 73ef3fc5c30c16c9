"""The wheel, in an environment that has nothing else, serves the gallery with its browser files."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.patience import patient

ROOT = Path(__file__).parents[1]
RUNNING = re.compile(r"running on (http://\S+)")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel, built from the sdist as a release is."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, stdout=subprocess.DEVNULL)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture
def address(wheel: Path, tmp_path: Path) -> Iterator[str]:
    """Give the address of the gallery, run from the wheel."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"{wheel}[demo]"], check=True)
    command = [str(python), "-m", "sse_components", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as gallery:
        assert gallery.stderr is not None
        try:
            yield next(found[1] for line in gallery.stderr if (found := RUNNING.search(line)))
        finally:
            gallery.terminate()
            gallery.communicate(timeout=patient(20))


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
