"""What tests may ask for: clean migrated databases, real servers, a browser."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine, text

from lib import logging
from tests.servers import postgres, valkey

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "leadline_template"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BOTH_DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))

# How long an example takes says what else the machine does, and nothing about the program.
settings.register_profile("leadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leadline")

RUN = pytest.StashKey["Run"]()

# As the program does when it starts: without it structlog draws every error with all its locals.
logging.configure("WARNING")


class Run:
    """What all processes of a test run share: a folder, and one that outlives the others."""

    def __init__(self, folder: Path, owner: int) -> None:
        self.folder = folder
        self.owner = owner

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `make` returns in the one process that comes first; the others wait and read it."""
        kept = self.folder / f"{name}.json"
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_text(json.dumps(make()))
        found: dict[str, Any] = json.loads(kept.read_text())
        return found

    def end(self) -> None:
        """Stop what was started in this run."""
        for name, launcher in (("postgres", postgres), ("valkey", valkey)):
            kept = self.folder / f"{name}.json"
            if kept.exists():
                launcher.stop(Path(json.loads(kept.read_text())["folder"]))
        shutil.rmtree(self.folder, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Open the run, or join the one that the controlling process opened."""
    told = getattr(config, "workerinput", None)
    if told is None:
        folder = Path(tempfile.mkdtemp(prefix="leadline-run-"))
        config.stash[RUN] = Run(folder, os.getpid())
    else:
        config.stash[RUN] = Run(Path(told["run_folder"]), told["run_owner"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a parallel worker which run it belongs to."""
    run = node.config.stash[RUN]
    node.workerinput["run_folder"] = str(run.folder)
    node.workerinput["run_owner"] = run.owner


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers after the last test, or after Ctrl-C."""
    run = config.stash.get(RUN, None)
    if run is not None and run.owner == os.getpid():
        run.end()


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    """The test run that this process takes part in."""
    return pytestconfig.stash[RUN]


@pytest.fixture(scope="session")
def postgres_server(run: Run) -> postgres.PostgresServer:
    """The PostgreSQL server of this run, with a migrated template database."""

    def make() -> dict[str, Any]:
        server = postgres.start(owner=run.owner)
        try:
            _create(server, TEMPLATE)
            _migrate(server.url(TEMPLATE))
        except BaseException:
            postgres.stop(server.folder)
            raise
        return {"folder": str(server.folder), "port": server.port}

    made = run.once("postgres", make)
    return postgres.PostgresServer(Path(made["folder"]), made["port"])


@pytest.fixture(scope="session")
def sqlite_template(run: Run) -> Path:
    """A migrated SQLite file, to copy."""
    file = run.folder / "template.db"

    def make() -> dict[str, Any]:
        _migrate(f"sqlite:///{file}")
        return {}

    run.once("sqlite", make)
    return file


@pytest.fixture(scope="session")
def redis_url(run: Run) -> str:
    """The address of a Redis-compatible server that all tests of this run share."""

    def make() -> dict[str, Any]:
        server = valkey.start(owner=run.owner)
        return {"folder": str(server.folder), "port": server.port}

    made = run.once("valkey", make)
    return valkey.ValkeyServer(Path(made["folder"]), made["port"]).url()


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A clean, migrated database's address; the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        file = tmp_path / "leadline.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
    else:
        yield from _postgres_database(request, template=TEMPLATE)


@pytest.fixture(params=BOTH_DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table, for tests of the migrations themselves."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        yield from _postgres_database(request, template="template0")


@pytest.fixture
def database_engine(database_url: str) -> Iterator[Engine]:
    """An engine of ours on a clean, migrated database."""
    from database import make_engine

    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def browser_program() -> str:
    """This machine's browser; without one the test is skipped, or fails where CI demands it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None and os.environ.get("LEADLINE_REQUIRE_BROWSER"):
        pytest.fail("LEADLINE_REQUIRE_BROWSER is set, and no chromium is installed.")
    if program is None:
        pytest.skip("No chromium is installed.")
    return program


def _postgres_database(request: pytest.FixtureRequest, *, template: str) -> Iterator[str]:
    server: postgres.PostgresServer = request.getfixturevalue("postgres_server")
    name = f"t_{uuid.uuid4().hex}"
    _create(server, name, template=template)
    yield server.url(name)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _create(server: postgres.PostgresServer, name: str, *, template: str = "template0") -> None:
    # FILE_COPY is nearly twice as quick as the default, which writes every page to the log.
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")


def _execute(server: postgres.PostgresServer, statement: str) -> None:
    engine = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _migrate(url: str) -> None:
    """Bring a database up to date the way the operator does, in this process."""
    from alembic import command
    from alembic.config import Config

    from database import make_engine

    engine = make_engine(url)
    config = Config(ROOT / "alembic.ini")
    # An engine of ours, not the address: what is copied next must have no connection left open.
    config.attributes["engine"] = engine
    try:
        command.upgrade(config, "head")
    finally:
        engine.dispose()
