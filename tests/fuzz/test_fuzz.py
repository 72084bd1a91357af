"""Schemathesis: whatever the description allows or forbids, the server keeps to the description."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from lib.clock import SystemClock
from tests.shop import Shop, shop

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = """
hooks = "tests.fuzz.hooks"

[generation]
allow-x00 = false
database = "none"

[parameters]
"path.session_id" = "{session}"
"path.test_name" = "greeting_message"

# What a schema cannot say (a date that exists, an address, a known name) is refused with 422.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429, 503]

# A list that is longer than allowed may already be larger than allowed.
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503]
"""


@dataclass(frozen=True)
class Served:
    """An application behind a real socket."""

    shop: Shop
    url: str


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[Served]:
    """The whole application, served from a thread, on both databases."""
    with shop(database_url, tmp_path, clock=SystemClock()) as ours:
        server = make_server("127.0.0.1", 0, ours.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Served(ours, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
        server.server_close()


def fuzz(served: Served, folder: Path, *, cases: int, key: str | None) -> tuple[int, str]:
    """How many requests were tried, and what was said; fails where the server broke its word."""
    started = served.shop.start()
    session = started["session_id"]
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG.format(session=session))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [f"{served.url}/api/openapi.json", "-w", "1", "-n", str(cases)]
    command += ["--continue-on-failure", "--generation-deterministic", "--no-color"]
    command += ["--no-shrink", "--warnings", "off", "--suppress-health-check", "all"]
    command += ["-H", f"Authorization: Bearer {key}"] if key else []
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "FUZZ_SESSION": session, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) generated", done.stdout)
    assert counted, done.stdout[-3000:]
    return int(counted[1]), done.stdout


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("known", [True, False], ids=["with a key", "without"])
def test_the_server_keeps_to_its_description(
    served: Served, tmp_path: Path, record_property: pytest.Function, known: bool
) -> None:
    key = served.shop.new_key("admin") if known else None

    tried, _ = fuzz(served, tmp_path, cases=2, key=key)

    record_property("requests", tried)
    print(f"Schemathesis tried {tried} requests.")
    assert tried > 300


@pytest.mark.nightly
def test_the_server_keeps_to_its_description_for_thousands_of_requests(
    served: Served, tmp_path: Path, record_property: pytest.Function
) -> None:
    tried, _ = fuzz(served, tmp_path, cases=250, key=served.shop.new_key("admin"))
    more, _ = fuzz(served, tmp_path, cases=100, key=None)

    record_property("requests", tried + more)
    print(f"Schemathesis tried {tried + more} requests.")
    assert tried + more >= 5000
