"""A Leadline for commands that look at it: a fresh database, and a server as long as needed."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

import main
from config import ROOT, Settings
from lib import logging
from services.resources import Resources


class Quiet(WSGIRequestHandler):
    """Serves without a log line."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing."""


@contextmanager
def application(**chosen: object) -> Iterator[Flask]:
    """The shipped Leadline on a fresh database, its experiments left out."""
    logging.configure("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        values = {"RATE_LIMIT_PER_MINUTE": 100_000, "LOG_LEVEL": "ERROR", **chosen}
        settings = Settings(_env_file=None, DATABASE_URL="", DATA_DIR=Path(folder), **values)
        resources = Resources.from_settings(settings, tests={})
        tables = Config(ROOT / "alembic.ini")
        tables.attributes["engine"] = resources.engine
        command.upgrade(tables, "head")
        yield main.create_app(resources=resources)
        resources.engine.dispose()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address of an application that answers."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()
