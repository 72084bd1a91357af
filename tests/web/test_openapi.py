"""The description of the API tells the truth about shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.shop import shop


@pytest.fixture
def shapes(tmp_path: Path) -> dict[str, Any]:
    """The described shapes, by name."""
    with shop(f"sqlite:///{tmp_path}/none.db", tmp_path) as ours:
        reply = ours.app.test_client().get("/api/openapi.json")
    found: dict[str, Any] = reply.json["components"]["schemas"]
    return found


def test_replies_may_hold_more_than_they_promise(shapes: dict[str, Any]) -> None:
    closed = [
        name
        for name, shape in shapes.items()
        if name.endswith("Out") and shape.get("additionalProperties") is not True
    ]

    assert closed == []


def test_no_field_names_a_type_twice(shapes: dict[str, Any]) -> None:
    for name, shape in shapes.items():
        for field, described in shape["properties"].items():
            types = described.get("type", [])
            assert isinstance(types, str) or len(types) == len(set(types)), f"{name}.{field}"
