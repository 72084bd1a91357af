"""Moving windows in memory, for the `limits` library: counts that cost the same with many keys.

The library's own memory storage starts a thread a hundred times a second, which looks through every
key there is; with thousands of sessions that takes more time than the requests it counts.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from limits.storage import MovingWindowSupport, Storage

SWEEP_EVERY = 60.0


class LocalWindows(Storage, MovingWindowSupport):
    """Storage `local://`: the times of the latest hits of each key, forgotten when they are old."""

    STORAGE_SCHEME = ["local"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **_: str) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._hits: dict[str, deque[float]] = {}
        self._longest = 0.0
        self._lock = threading.Lock()
        self._swept = time.time()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the library may wrap; nothing here fails by itself."""
        return ValueError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a hit unless the window is full."""
        now = time.time()
        with self._lock:
            self._sweep(now, expiry)
            hits = self._hits.setdefault(key, deque())
            _forget(hits, now - expiry)
            if len(hits) + amount > limit:
                return False
            hits.extend([now] * amount)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the window's first hit was, and how many it holds."""
        now = time.time()
        with self._lock:
            hits = self._hits.get(key, deque())
            _forget(hits, now - expiry)
            return (hits[0], len(hits)) if hits else (now, 0)

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._hits.pop(key, None)

    def reset(self) -> int:
        """Forget every key; how many there were."""
        with self._lock:
            count = len(self._hits)
            self._hits.clear()
            return count

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not for fixed windows."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Not for fixed windows."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Not for fixed windows."""
        raise NotImplementedError

    def _sweep(self, now: float, expiry: int) -> None:
        """Once in a while forget the keys that nobody has hit within their window."""
        self._longest = max(self._longest, expiry)
        if now - self._swept < SWEEP_EVERY:
            return
        self._swept = now
        oldest = now - self._longest
        for key in [key for key, hits in self._hits.items() if not hits or hits[-1] <= oldest]:
            del self._hits[key]


def _forget(hits: deque[float], oldest: float) -> None:
    while hits and hits[0] <= oldest:
        hits.popleft()
