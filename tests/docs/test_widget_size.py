"""The weight that the widget's page tells is the weight that its command prints."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from config import ROOT
from web.widget.files import find_built

NUMBER = re.compile(r"\b\d[\d,]*\b")
# What compresses a file a little differently on another machine.
TOLERANCE = 0.02


def numbers(row: str) -> list[int]:
    """The numbers of a line."""
    return [int(found.replace(",", "")) for found in NUMBER.findall(row)]


def told() -> list[str]:
    """The table of the document."""
    text = (ROOT / "docs" / "widget.md").read_text(encoding="utf-8")
    after = text.partition("make size\n```\n\n")[2]
    return after.partition("\n\n")[0].splitlines()


@pytest.mark.skipif(find_built() is None, reason="The widget is not built.")
def test_make_size_prints_what_the_document_says() -> None:
    # What is installed already is not looked at again.
    command = ["make", "-s", "-o", "install-dev", f"PY={sys.executable}", "size"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    printed = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [NUMBER.sub("n", row) for row in printed] == [NUMBER.sub("n", row) for row in told()]
    for row, said in zip(printed, told(), strict=True):
        assert numbers(row) == pytest.approx(numbers(said), rel=TOLERANCE), said


def test_the_limit_of_the_document_is_kept() -> None:
    _, gzipped, limit = numbers(told()[2])

    assert gzipped <= limit == 15_000
