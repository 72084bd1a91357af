"""The whole application on one database, for tests that attack it from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask

import main
from config import Settings
from lib.clock import Clock, SettableClock
from services import Services, unit_of_work
from services.resources import Resources

SECRET = "p4Wq8Zr1Ty6Ui3Op9As2Df5Gh7Jk0Lz"
START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class Shop:
    """An application, its clock, and a way into its services behind the API's back."""

    def __init__(self, app: Flask, resources: Resources, clock: Clock) -> None:
        self.app = app
        self.resources = resources
        self.clock = clock

    @contextmanager
    def unit(self) -> Iterator[Services]:
        """The use cases of one transaction."""
        with unit_of_work(self.resources) as services:
            yield services

    def new_key(self, *scopes: str, expires_at: datetime | None = None) -> str:
        """A key of another program."""
        with self.unit() as services:
            return services.accounts.create_key("robot", scopes, expires_at)

    def start(self, **body: Any) -> dict[str, Any]:
        """The reply to a new session."""
        reply = self.app.test_client().post("/api/session/start", json=body)
        assert reply.status_code == 201, reply.text
        said: dict[str, Any] = reply.json
        return said


def bearer(key: str) -> dict[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def shop(
    url: str, data_dir: Path, *, clock: Clock | None = None, **settings: Any
) -> Iterator[Shop]:
    """An application on this database, its rate limits out of the way."""
    chosen = {"DATA_DIR": data_dir, "SECRET_KEY": SECRET, "RATE_LIMIT_PER_MINUTE": 10_000_000}
    chosen |= {"DATABASE_URL": url, **settings}
    clock = clock or SettableClock(START)
    resources = Resources.from_settings(Settings(_env_file=None, **chosen), clock=clock)
    app = main.create_app(resources=resources)
    app.testing = True
    try:
        yield Shop(app, resources, clock)
    finally:
        resources.engine.dispose()
