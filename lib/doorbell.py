"""Doorbell: tells whoever waits in this process that there is something to do."""

from __future__ import annotations

import threading


class Doorbell:
    """Rung by whoever leaves work behind; ringing costs nothing when nobody listens."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it has been rung; taken before looking for work, handed to `wait` after."""
        with self._changed:
            return self._rings

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    def wait(self, heard: int, seconds: float) -> None:
        """Return when it was rung more often than `heard` times, or after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._rings > heard, seconds)
