"""The example and the error in the README, and the files that it names."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fasthtml.common import Li

from sse_components import MarkupError, oob
from tests.support.running import running

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


async def test_the_ten_lines_of_the_readme_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # FastHTML writes its key file here
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(example, names)
    async with running(names["app"]) as site:
        page = await site.get("/")
        [address] = re.findall(r'data-sse-connect="([^"]*)"', page)
        stream = await (await site.open(unescape(address))).until("sse:open")
        await site.get("/add?title=milk")
        assert (await stream.until("milk")).texts == ['<div hx-swap-oob="beforeend:#list"><li>milk</li></div>']


def test_the_error_in_the_readme_is_the_one_that_is_raised() -> None:
    [shown] = re.findall(r"MarkupError: (.*)", README)
    with pytest.raises(MarkupError) as caught:
        oob(Li("milk"), swap="insert")
    assert str(caught.value) == shown


@pytest.mark.parametrize("path", re.findall(r"\]\((?!https?:)([^)#]+)\)|ARGS=\"?([\w/. ]+)\"?`", README))
def test_paths_in_the_readme_exist(path: tuple[str, str]) -> None:
    assert all((ROOT / name).exists() for name in "".join(path).split())
