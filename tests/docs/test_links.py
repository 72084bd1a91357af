"""Every link from one document to another file leads there, to the heading it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import ROOT
from tests.docs.commands import FENCE
from tests.docs.test_commands import DOCUMENTS, name_of

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ALSO = [ROOT / "CHANGELOG.md"]


def prose(document: Path) -> str:
    """A document without its code."""
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def anchors(document: Path) -> set[str]:
    """What `#…` may name in a document, as code hosts make it from a heading."""
    found = HEADING.findall(prose(document))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


def links(document: Path) -> list[str]:
    """What a document's links and pictures lead to."""
    return [link or picture for link, picture in LINK.findall(prose(document))]


def broken(document: Path) -> list[str]:
    """The links of a document that lead nowhere."""
    found = []
    for target in links(document):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path).resolve() if path else document
        if not there.exists() or (anchor and anchor not in anchors(there)):
            found.append(target)
    return found


@pytest.mark.parametrize("document", [*DOCUMENTS, *ALSO], ids=name_of)
def test_its_links_lead_somewhere(document: Path) -> None:
    assert broken(document) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '# A page\n[a](other.md) [b](#a-page) [c](#none) [d](page.md#a-page)\n<img src="no.png">'
    )

    assert broken(page) == ["other.md", "#none", "no.png"]


def test_every_document_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    named = {(index.parent / target).resolve() for target in links(index)}

    assert [
        one for one in sorted((ROOT / "docs").rglob("*.md")) if one not in named | {index}
    ] == []
