"""Worker processes that relay and send, made to be killed; `python -m tests.crash.workers`.

One process loads the program once and forks the workers, so that a new one stands a moment after
its predecessor died. It is told how many, and the lease in seconds; it prints each one's number.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from config import load_settings
from jobs import relay
from lib import logging
from services.resources import Resources
from tests.servers.watch import ROOT

# How often a worker looks for work that others left behind.
PAUSE = 0.1
STARTED_WITHIN = 60.0  # seconds


class Workers:
    """Some workers, and a way to kill one."""

    def __init__(self, count: int, lease: float, environment: Mapping[str, str], log: Path) -> None:
        words = [sys.executable, "-m", "tests.crash.workers", str(count), str(lease)]
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                words, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, stderr=file
            )
        self._alive: list[int] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait(count)

    def kill(self) -> None:
        """Kill one, as a machine without memory would; another takes its place."""
        self._wait(1)
        with self._changed:
            victim = self._alive.pop(random.randrange(len(self._alive)))
        os.kill(victim, signal.SIGKILL)

    def stop(self) -> None:
        """End them all."""
        self.process.terminate()
        self.process.wait()
        self._reader.join()

    def log(self) -> str:
        """What they have complained of."""
        return self._log.read_text(errors="replace")

    def _wait(self, count: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._alive) >= count, STARTED_WITHIN):
                raise RuntimeError(f"the workers did not start:\n{self.log()[-3000:]}")

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._changed:
                    self._alive.append(int(line))
                    self._changed.notify_all()


@contextlib.contextmanager
def working(
    count: int, lease: float, environment: Mapping[str, str], folder: Path
) -> Iterator[Workers]:
    """So many workers until the block ends."""
    workers = Workers(count, lease, environment, folder / "workers.log")
    try:
        yield workers
    finally:
        workers.stop()


def main(count: int, lease: float) -> None:
    """Keep so many workers alive for as long as whoever called this lives."""
    caller, alive = os.getppid(), set[int]()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while os.getppid() == caller:
            while len(alive) < count:
                alive.add(_fork(lease))
            with contextlib.suppress(ChildProcessError):
                while gone := os.waitpid(-1, os.WNOHANG)[0]:
                    alive.discard(gone)
            time.sleep(0.01)
    finally:
        for one in alive:
            os.kill(one, signal.SIGKILL)


def _fork(lease: float) -> int:
    parent, child = os.getpid(), os.fork()
    if child:
        print(child, flush=True)
        return child
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        _work(lease, parent)
    finally:
        os._exit(0)


def _work(lease: float, parent: int) -> None:
    logging.configure("WARNING")
    # Both shorter than in service by the same measure, so that nobody waits a minute for the dead.
    relay.LONGEST_SENDING = timedelta(seconds=lease / 3)
    resources = replace(Resources.from_settings(load_settings()), lease=timedelta(seconds=lease))
    relay.RelayThreads(resources, senders=1, pause=PAUSE).start()
    while os.getppid() == parent:
        time.sleep(0.2)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
