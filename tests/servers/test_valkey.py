"""The tests' own Redis-compatible server keeps counts, and goes when it is told."""

from __future__ import annotations

import os

import pytest
import redis

from tests.servers import valkey


def test_it_counts_and_is_gone_after_stop() -> None:
    server = valkey.start(owner=os.getpid())

    with redis.Redis.from_url(server.url()) as client:
        client.incr("hits")
        hits = client.incr("hits")
        valkey.stop(server.folder)

        with pytest.raises(redis.ConnectionError):
            client.ping()
    assert hits == 2
    assert not server.folder.exists()
