"""The servers that are struck: gunicorn and its workers, the one process, PostgreSQL, a disk."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.servers import postgres
from tests.servers.watch import ROOT, free_port

GUNICORN = ("-m", "gunicorn", "main:app", "-b", "127.0.0.1:{port}")
ONE_PROCESS = ("main.py",)
HEALTHY_WITHIN = 30.0  # seconds


class Server:
    """A server of ours on one database; whatever happens to it, its port stays the same."""

    def __init__(
        self, words: tuple[str, ...], url: str, folder: Path, log: Path | None = None
    ) -> None:
        self.port = free_port()
        self._words = [one.format(port=self.port) for one in words]
        self._folder = folder
        self._log = log or folder / "server.log"
        self.environment = {
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": str(folder),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "RATE_LIMIT_PER_MINUTE": "100000000",
            "LOG_LEVEL": "ERROR",
        }
        self.start()

    def start(self) -> None:
        """Starts it and waits until it says that it is well."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self._words],
                cwd=ROOT,
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        until = time.monotonic() + HEALTHY_WITHIN
        while not self.is_healthy():
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"the server did not start:\n{self.log()[-3000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kills it as a machine without memory would, and starts it again."""
        self.process.kill()
        self.process.wait()
        self.start()

    def kill_worker(self) -> None:
        """Kills the oldest worker, which holds most connections; its master starts another."""
        workers = self.workers()
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(min(workers, key=_born), signal.SIGKILL)

    def workers(self) -> list[int]:
        """The processes that serve for a master."""
        said = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(one) for one in said.stdout.split()]

    def stop(self) -> None:
        """Asks it to go, as an operator does."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def is_healthy(self, path: str = "/health") -> bool:
        """Whether it answers, and well."""
        try:
            address = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(address, timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def file(self) -> str:
        """The address of the embedded database."""
        return f"sqlite:///{self._folder / 'leadline.db'}"

    def log(self) -> str:
        """What it has complained of."""
        return self._log.read_text(errors="replace")

    def replay(self) -> str:
        """What `flask --app main replay` prints."""
        said = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "main", "replay"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return said.stdout + said.stderr


def _born(process: int) -> int:
    """When a process began, in ticks since the machine did; at the end of time if it is gone."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return sys.maxsize


@contextlib.contextmanager
def serving(words: tuple[str, ...], url: str) -> Iterator[Server]:
    """A server until the block ends."""
    with tempfile.TemporaryDirectory(prefix="leadline-crash-") as folder:
        server = Server(words, url, Path(folder))
        try:
            yield server
        finally:
            server.stop()


def restart(server: postgres.PostgresServer) -> float:
    """Restarts PostgreSQL without letting it finish anything; the moment when it was ready."""
    programs = postgres._within_reach(postgres.binaries(), server.folder)
    words = ("-w", "-m", "immediate", "-l", f"{server.folder}/log", "restart")
    postgres._run(programs / "pg_ctl", server.folder, *words)
    return time.monotonic()


class Disk:
    """A small file system in memory that can be filled to the last byte and emptied again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Takes all the room that is left."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65536, 4096, 512, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"x" * size) == size:
                        pass

    def empty(self) -> None:
        """Gives the room back."""
        self._ballast.unlink()


@contextlib.contextmanager
def small_disk(megabytes: int = 8) -> Iterator[Disk | None]:
    """A disk of that size until the block ends; None where we may not mount one."""
    with tempfile.TemporaryDirectory(prefix="leadline-disk-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            yield None
            return
        try:
            yield Disk(Path(folder))
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
