"""The page on the architecture shows the picture that the guard holds, and names what exists."""

from __future__ import annotations

import re
import textwrap

from config import ROOT
from tests.architecture.test_imports import PICTURE
from tests.docs.commands import FENCE

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`((?:[a-z_]+/)*[a-z_]+(?:\.py|/))`")


def test_the_picture_is_the_one_that_is_guarded() -> None:
    shown = next(fence["body"] for fence in FENCE.finditer(PAGE) if fence[1] == "text")

    assert textwrap.dedent(shown).strip() == textwrap.dedent(PICTURE).strip()


def test_every_file_it_names_is_there() -> None:
    named = set(NAMED.findall(PAGE))

    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
