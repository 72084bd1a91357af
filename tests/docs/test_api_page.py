"""The page on the API leaves no endpoint and no scope out."""

from __future__ import annotations

import re
from pathlib import Path

import main
from config import ROOT, Settings
from engine.vocabulary import Scope

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
# Parts of something that is not finished, and not promised on the page.
COMING = {"/api/widget/config"}


def test_every_endpoint_is_shown(tmp_path: Path) -> None:
    app = main.create_app(Settings(_env_file=None, DATA_DIR=tmp_path))
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    served = {rule for rule in rules if rule.startswith("/api/")} | {"/health", "/metrics"}

    named = {rule for rule in served if re.sub(r"<\w+>", "<id>", rule) in _with_plain_ids(PAGE)}

    assert served - named - COMING == set()
    assert COMING & named == set()


def test_every_scope_is_named() -> None:
    kinds = {str(scope).partition(":")[0] for scope in Scope}

    assert [kind for kind in sorted(kinds) if f"`{kind}" not in PAGE] == []


def _with_plain_ids(text: str) -> str:
    return re.sub(r"<\w+>", "<id>", text)
