"""What every server of the tests needs: a free port, and somebody who stops it in the end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop_when_gone(owner: int, launcher: Path, folder: Path) -> None:
    """Leave a process behind that calls the launcher's stop once `owner` is gone, even killed."""
    subprocess.run(
        [sys.executable, "-m", "tests.servers.watch", str(owner), launcher.stem, str(folder)],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # So that Ctrl-C in the terminal does not reach it.
        cwd=ROOT,
    )


def is_running(process: int) -> bool:
    """Whether a process still does something; one that only waits to be buried does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()  # No /proc, as on a Mac: it answered, so it runs.


def _watch(owner: int, launcher: str, folder: str) -> None:
    while is_running(owner):
        time.sleep(0.5)
    subprocess.run([sys.executable, "-m", f"tests.servers.{launcher}", folder], check=False)


if __name__ == "__main__":
    # The one who called waits only for the parent; the child belongs to nobody and watches.
    if os.fork() == 0:
        _watch(int(sys.argv[1]), sys.argv[2], sys.argv[3])
