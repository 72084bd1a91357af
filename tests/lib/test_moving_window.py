"""Hits are counted in a window that moves, exactly, and forgotten afterwards."""

from __future__ import annotations

import threading

import pytest
from limits import parse
from limits.strategies import MovingWindowRateLimiter

from lib import moving_window
from lib.moving_window import LocalWindows


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves."""
    clock = [1000.0]
    monkeypatch.setattr(moving_window.time, "time", lambda: clock[0])
    return clock


def test_the_window_lets_through_what_it_allows_and_then_moves(now: list[float]) -> None:
    limiter, three = MovingWindowRateLimiter(LocalWindows()), parse("3 per minute")

    first = [limiter.hit(three, "a") for _ in range(4)]
    now[0] += 59
    still = limiter.hit(three, "a")
    now[0] += 1.5
    later = [limiter.hit(three, "a") for _ in range(4)]

    assert first == [True, True, True, False]
    assert still is False
    assert later == [True, True, True, False]


def test_keys_do_not_share_a_window(now: list[float]) -> None:
    limiter, one = MovingWindowRateLimiter(LocalWindows()), parse("1 per minute")

    assert limiter.hit(one, "a") and limiter.hit(one, "b") and not limiter.hit(one, "a")


def test_the_stats_say_when_a_place_is_free_again(now: list[float]) -> None:
    limiter, two = MovingWindowRateLimiter(LocalWindows()), parse("2 per minute")
    limiter.hit(two, "a")
    now[0] += 10
    limiter.hit(two, "a")

    stats = limiter.get_window_stats(two, "a")

    assert stats.reset_time == pytest.approx(1060) and stats.remaining == 0
    assert limiter.get_window_stats(two, "nobody").remaining == 2


def test_old_keys_are_forgotten(now: list[float]) -> None:
    storage = LocalWindows()
    for number in range(100):
        storage.acquire_entry(f"key {number}", 10, 60)

    now[0] += 200
    storage.acquire_entry("new", 10, 60)

    assert storage.reset() == 1


def test_eight_threads_are_let_through_exactly_as_often_as_allowed() -> None:
    storage, passed = LocalWindows(), []

    def knock() -> None:
        passed.extend(storage.acquire_entry("a", 500, 60) for _ in range(200))

    threads = [threading.Thread(target=knock) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(passed) == 500 and len(passed) == 1600


def test_a_key_can_be_cleared_and_fixed_windows_are_refused() -> None:
    storage = LocalWindows()
    storage.acquire_entry("a", 1, 60)

    storage.clear("a")

    assert storage.check() and storage.acquire_entry("a", 1, 60)
    for refused in (storage.get, storage.get_expiry, lambda key: storage.incr(key, 60)):
        with pytest.raises(NotImplementedError):
            refused("a")
