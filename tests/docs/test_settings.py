"""The documents name every setting, with the default and the sentence that config.py gives it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic.fields import FieldInfo

from config import ROOT, Settings

EXAMPLE = ROOT / ".env.example"
OPERATIONS = ROOT / "docs" / "operations.md"
# Told by gunicorn.conf.py, not by people.
NOT_FOR_PEOPLE = {"LEADLINE_WORKERS", "LEADLINE_BIND"}
TABLE = re.compile(r"<!-- settings -->\n(.*?)<!-- /settings -->", re.DOTALL)
HEADER = (
    "# Every setting, with its default. Copy this file to .env, change what you need; a variable\n"
    "# of the real environment wins over it. docs/operations.md says more.\n"
)


def settings() -> dict[str, FieldInfo]:
    """Every setting that an operator may make."""
    fields = Settings.model_fields
    return {name: field for name, field in fields.items() if name not in NOT_FOR_PEOPLE}


def written(field: FieldInfo) -> str:
    """A default as one would write it in .env."""
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        return str(value.relative_to(ROOT))
    if isinstance(value, tuple):
        return ",".join(value)
    return "" if value is None else str(value)


def example_text() -> str:
    """What .env.example must be."""
    parts = [
        f"# {field.description}\n{name}={written(field)}\n" for name, field in settings().items()
    ]
    return "\n".join([HEADER, *parts])


def table_text() -> str:
    """What the table of docs/operations.md must be."""
    rows = ["| Variable | Default | What it is |", "| --- | --- | --- |"]
    for name, field in settings().items():
        default = f"`{written(field)}`" if written(field) else ""
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def test_the_example_names_every_setting() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example_text()


def test_the_table_names_every_setting() -> None:
    found = TABLE.search(OPERATIONS.read_text(encoding="utf-8"))

    assert found is not None
    assert found[1] == table_text()


def test_the_example_as_it_is_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings():
        monkeypatch.delenv(name, raising=False)

    plain = Settings(_env_file=None)
    copied = Settings(_env_file=EXAMPLE)

    assert set(dotenv_values(EXAMPLE)) == set(settings())
    assert copied.model_dump() == plain.model_dump()
