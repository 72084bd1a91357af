"""A building with an office in it: a console that real browsers visit, signed in as somebody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from werkzeug.serving import make_server

from lib.clock import SystemClock
from tests.browser.conftest import DESK, Visit
from tests.browser.stage import Quiet
from tests.console.office import Office, office


class Building:
    """A served office, and windows of the people who work there."""

    def __init__(self, office: Office, url: str, visit: Visit | None) -> None:
        self.office = office
        self.url = url
        self._visit = visit

    def enter(self, name: str, role: str, size: dict[str, int] = DESK, **more: Any) -> Page:
        """A window in which this person is signed in, scripts on; its address is still empty."""
        assert self._visit is not None, "a building for visits by hand opens no windows"
        page = self._visit(size, **{"javascript": True, "base_url": self.url, **more})
        page.context.add_cookies([self.cookie(name, role)])
        return page

    def cookie(self, name: str, role: str) -> Any:
        """The cookie of a browser in which this person is signed in."""
        person_id = self.office.hire(name, role)
        with self.office.unit() as services:
            token = services.sign_ins.begin(person_id, browser="Test", address="127.0.0.1")
        return {"name": "leadline", "value": token, "url": self.url}


@contextmanager
def building(
    url: str, data_dir: Path, visit: Visit | None = None, **settings: Any
) -> Iterator[Building]:
    """A served office on this database, by the real clock."""
    with office(url, data_dir, clock=SystemClock(), **settings) as ours:
        server = make_server("127.0.0.1", 0, ours.app, threaded=True, request_handler=Quiet)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Building(ours, f"http://127.0.0.1:{server.server_port}", visit)
        server.shutdown()
        thread.join(10)
        server.server_close()


Build = Callable[..., Building]
