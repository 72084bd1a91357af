"""What waits is seen from outside: in /health by people, in /metrics by Prometheus."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lib.clock import SettableClock
from lib.metrics import Metrics
from tests.jobs.conftest import Desk


def gauges(text: str) -> dict[str, float]:
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {line[0]: float(line[1]) for line in lines if "{" not in line[0]}


def test_a_queue_that_nobody_works_on_is_seen_as_stuck(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"])
    desk.demo(desk.shop.start()["session_id"])
    while desk.relay.fan_out():
        pass
    desk.post("/api/leads/refresh", status=202)
    assert isinstance(desk.shop.clock, SettableClock)

    desk.shop.clock.advance(599)
    slow = desk.client.get("/health").json
    desk.shop.clock.advance(2)
    stuck = desk.client.get("/health").json

    assert (slow["status"], slow["queue"]["stuck"]) == ("healthy", False)
    assert (stuck["status"], stuck["queue"]["stuck"]) == ("healthy", True)
    assert stuck["queue"]["deliveries_waiting"] == stuck["queue"]["jobs_waiting"] == 1
    found = gauges(desk.client.get("/metrics").text)
    assert found["leadline_deliveries_waiting"] == 1
    assert found["leadline_oldest_delivery_seconds"] == 601
    assert found["leadline_jobs_waiting"] == 1
    assert found["leadline_facts_waiting"] == found["leadline_destinations_stopped"] == 0

    desk.work()
    assert desk.client.get("/health").json["queue"]["stuck"] is False


def test_a_gauge_is_told_once_by_a_server_of_many_processes(tmp_path: Path) -> None:
    program = (
        "from lib.metrics import Metrics; m = Metrics(); m.delivery('slack', 'delivered');"
        "print(m.render({'waiting': ('What waits.', 3)}).decode())"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert told.count("\nleadline_waiting 3.0") == 1
    assert 'leadline_deliveries_total{channel="slack",outcome="delivered"} 1.0' in told
    assert b"leadline_waiting" not in Metrics().render()
