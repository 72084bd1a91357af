"""Tests of lib.metrics: the right counts, no other labels, one sum over many processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.metrics import Metrics


def sample(metrics: Metrics, line: str) -> float | None:
    for text in metrics.render().decode().splitlines():
        if text.startswith(line + " "):
            return float(text.rpartition(" ")[2])
    return None


def test_requests_are_counted_by_rule_method_and_kind_of_status() -> None:
    metrics = Metrics(["/api/score/<session_id>"])
    metrics.observe_request("/api/score/<session_id>", "GET", 200, 0.05)
    metrics.observe_request("/api/score/<session_id>", "GET", 204, 3.0)

    rule = 'route="/api/score/<session_id>"'
    assert (
        sample(metrics, f'leadline_http_requests_total{{method="GET",{rule},status="2xx"}}') == 2.0
    )
    name = "leadline_http_request_seconds"
    assert sample(metrics, f'{name}_bucket{{le="0.1",{rule}}}') == 1.0
    assert sample(metrics, f"{name}_count{{{rule}}}") == 2.0


def test_no_caller_can_invent_a_label() -> None:
    metrics = Metrics(["/known"])
    metrics.allow_routes(["/later"])
    for number in range(50):
        metrics.observe_request(f"/path/{number}", f"M{number}", 600 + number, -1.0)
        metrics.lead_classified(f"class {number}")
    metrics.observe_request(None, "GET", 404, 0.1)
    metrics.observe_request("/later", "GET", 100, 0.1)

    text = metrics.render().decode()
    assert "/path" not in text and "M1" not in text and "class 1" not in text
    assert text.count("leadline_http_requests_total{") == 3
    assert 'leadline_leads_classified_total{class="other"} 50.0' in text


def test_what_happens_to_leads_is_counted() -> None:
    metrics = Metrics()
    metrics.sessions_started.inc()
    metrics.answers_accepted.inc(2)
    metrics.behaviors.inc()
    metrics.rate_limited.inc()
    metrics.lead_classified("SQL")

    assert sample(metrics, "leadline_sessions_started_total") == 1.0
    assert sample(metrics, "leadline_answers_accepted_total") == 2.0
    assert sample(metrics, "leadline_behaviors_total") == 1.0
    assert sample(metrics, "leadline_rate_limited_total") == 1.0
    assert sample(metrics, 'leadline_leads_classified_total{class="SQL"}') == 1.0
    assert metrics.content_type.startswith("text/plain")
    assert "_created" not in metrics.render().decode()


def test_two_servers_in_one_process_do_not_share_counts() -> None:
    first, second = Metrics(), Metrics()
    first.sessions_started.inc()

    assert sample(second, "leadline_sessions_started_total") == 0.0


def test_with_a_shared_folder_only_what_lies_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    assert Metrics().render() == b""


def test_many_processes_give_one_sum(tmp_path: Path) -> None:
    code = (
        "from lib.metrics import Metrics\n"
        "metrics = Metrics(['/r'])\n"
        "metrics.sessions_started.inc()\n"
        "metrics.observe_request('/r', 'GET', 200, 0.1)\n"
        "print(metrics.render().decode())\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    root = Path(__file__).parents[2]
    shown = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for _ in range(3)
    ]

    assert "leadline_sessions_started_total 1.0" in shown[0]
    assert "leadline_sessions_started_total 3.0" in shown[2]
    assert 'leadline_http_request_seconds_count{route="/r"} 3.0' in shown[2]
