"""Answers of vendors and what each means for a delivery, read from `cases/<name>.json`.

A file is a list of `{"name", "status", "headers", "body", "expect", "after"?, "pause"?}`. `body` is
a text, or anything else that is sent as JSON. `expect` is one of `delivered`, `later`, `unknown`,
`item` and `connection`; `after` and `pause` are looked at only where they stand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.errors import (
    ConnectionRefused,
    DeliveryError,
    ItemRefused,
    OutcomeUnknown,
    TryLater,
)

FOLDER = Path(__file__).parent / "cases"
# What time it is in the cases: the dates in their headers are counted from here.
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
NAMES = {
    TryLater: "later",
    OutcomeUnknown: "unknown",
    ItemRefused: "item",
    ConnectionRefused: "connection",
}


@dataclass(frozen=True)
class Case:
    """One answer of a vendor, and what it means."""

    name: str
    status: int
    expect: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = ""
    after: float | None = None
    pause: bool | None = None

    @property
    def raw(self) -> bytes:
        """The body as it goes over the wire."""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()

    def holds_for(self, act: Callable[[], object]) -> DeliveryError | None:
        """Assert that the act ends as the case says; gives the error it ended with, if any."""
        error = outcome_of(act)
        assert (NAMES[type(error)] if error else "delivered") == self.expect, error
        if self.after is not None:
            assert isinstance(error, TryLater) and error.after is not None, error
            assert error.after.total_seconds() == self.after
        if self.pause is not None:
            assert isinstance(error, TryLater) and error.pause == self.pause
        return error


def load(name: str) -> list[Any]:
    """The cases of `cases/<name>.json` as parameters of a test, each named after itself."""
    found = [Case(**row) for row in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))]
    assert len({case.name for case in found}) == len(found), "Two cases have the same name."
    return [pytest.param(case, id=case.name) for case in found]


def outcome_of(act: Callable[[], object]) -> DeliveryError | None:
    """The delivery error that the act ended with, or None."""
    try:
        act()
    except DeliveryError as error:
        return error
    return None
