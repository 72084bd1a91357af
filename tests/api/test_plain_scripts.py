"""Older scripts: the services called on their classes, and the tables made by hand."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "p4Wq8Zr1Ty6Ui3Op9As2Df5Gh7Jk0Lz6Xc1"
CREATE = "from database import Base, engine; Base.metadata.create_all(engine)"
DROP = "from database import Base, engine; Base.metadata.drop_all(engine)"
EVERY_NAME = """
import json
from services import LeadService, QuestionService, ScoringService
from ab_testing_service import ABTestingService
from notification_service import NotificationService

out = {}
out["lead"] = LeadService.create_lead(session_id="crm/4711 é", utm_source="partner")
out["again"] = LeadService.create_lead("crm/4711 é", "other")
out["plain"] = LeadService.create_lead(session_id=4712)
out["questions"] = QuestionService.get_questions()
out["question"] = QuestionService.get_question_by_id(question_id=1)
out["no_question"] = QuestionService.get_question_by_id(99)
out["class"] = [ScoringService.classify_lead(score=n) for n in (29, 30, 59, 60)]
out["behavior"] = ScoringService.log_behavior(
    session_id="crm/4711 é", behavior="demo_request", metadata={"page": "/pricing"}
)
out["bare"] = ScoringService.log_behavior("crm/4711 é", "email_open")
out["profile"] = LeadService.update_profile(
    session_id="crm/4711 é", profile_data={"name": "Ann", "phone": "9123456789"}
)
out["score"] = ScoringService.calculate_score(session_id="crm/4711 é")
out["summary"] = LeadService.get_lead_summary(session_id="crm/4711 é")
out["variant"] = ABTestingService.get_variant(
    test_name="greeting_message", session_id="crm/4711 é"
)
out["conversion"] = ABTestingService.log_conversion(
    session_id="crm/4711 é", test_name="greeting_message", conversion_type="clicked"
)
out["alerts"] = [
    NotificationService.send_email_alert(lead_data={"name": "Ann"}),
    NotificationService.send_slack_notification(lead_data={"name": "Ann"}),
    NotificationService.send_discord_notification(lead_data={"name": "Ann"}),
]
out["unknown"] = [
    ScoringService.calculate_score("sess_123"),
    ScoringService.log_behavior("sess_123", "email_open"),
    LeadService.update_profile("sess_123", {}),
    LeadService.get_lead_summary("sess_123"),
    ABTestingService.get_variant("greeting_message", "sess_123"),
    ABTestingService.get_variant("nothing", "crm/4711 é"),
    ABTestingService.log_conversion("sess_123", "greeting_message", "clicked"),
]
out["leads"] = LeadService.get_all_leads()
print(json.dumps(out))
"""


def _environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "DATA_DIR": str(folder), "PYTHONUTF8": "1", **more}


def _run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=_environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=120,
    )


def _printed(folder: Path, script: str, **more: str) -> str:
    done = _run(folder, "-c", script, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _answers(port: int, server: subprocess.Popen[str]) -> dict[str, Any]:
    """What /health says, once the server is up."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
                said: dict[str, Any] = json.load(reply)
                return said
        except OSError:
            assert server.poll() is None, server.communicate()[1]
            # A pause between knocks, not a wait for a result.
            time.sleep(0.05)
    raise AssertionError("the server did not come up")


def _serve(folder: Path, port: int, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=ROOT,
        env=_environment(folder, PORT=str(port), LOG_LEVEL="ERROR", **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _stop(*servers: subprocess.Popen[str]) -> None:
    for server in servers:
        server.terminate()
        server.communicate(timeout=30)


BY_NUMBER = """
import inspect, json
from errors import Invalid
from services import LeadService, QuestionService, ScoringService
from ab_testing_service import ABTestingService

LeadService.create_lead(4712)
out = {"known": [
    ScoringService.calculate_score(4712),
    ScoringService.log_behavior(4712, behavior="email_open")["session_id"],
    LeadService.update_profile(session_id=4712, profile_data={"name": "Ann"})["session_id"],
    LeadService.get_lead_summary(4712)["session_id"],
    ABTestingService.get_variant("greeting_message", 4712)["test_name"],
    ABTestingService.log_conversion(4712, "greeting_message", "clicked")["session_id"],
], "unknown": [
    ScoringService.calculate_score(7),
    LeadService.get_lead_summary(7),
    ABTestingService.get_variant("greeting_message", 7),
    QuestionService.get_question_by_id(None),
], "refused": []}
for bad in (None, "", "a\\0b", "a\\ud800", ["a"], 10 ** 300):
    try:
        out["refused"].append(LeadService.create_lead(bad))
    except Invalid as error:
        out["refused"].append(list(error.fields))
out["names"] = list(inspect.signature(LeadService.create_lead).parameters)
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What every older name returned, in one script on an empty folder."""
    found: dict[str, Any] = json.loads(
        _printed(tmp_path_factory.mktemp("script"), EVERY_NAME, LOG_LEVEL="ERROR")
    )
    return found


def test_the_documented_line_works_on_an_empty_folder(tmp_path: Path) -> None:
    line = "from services import LeadService; print(LeadService.get_all_leads())"

    assert _printed(tmp_path / "new", line) == "[]\n"
    assert _printed(tmp_path / "new", line) == "[]\n"


def test_an_id_may_be_a_number_on_every_database(tmp_path: Path, database_url: str) -> None:
    said = json.loads(_printed(tmp_path, BY_NUMBER, DATABASE_URL=database_url, LOG_LEVEL="ERROR"))

    assert said["known"] == [5, "4712", "4712", "4712", "greeting_message", "4712"]
    assert said["unknown"] == [None] * 4
    assert said["refused"] == [["session_id"]] * 6
    assert said["names"] == ["session_id", "utm_source"]


def test_a_lead_of_the_callers_own_id_is_made_once(said: dict[str, Any]) -> None:
    lead = said["lead"]

    assert lead["session_id"] == "crm/4711 é" and lead["utm_source"] == "partner"
    assert lead["lead_score"] == 5 and lead["lead_type"] == "Unqualified"
    assert said["again"] == lead
    assert said["plain"]["session_id"] == "4712"
    assert len(said["leads"]) == 2


def test_questions_and_classes_are_plain_values(said: dict[str, Any]) -> None:
    assert [one["id"] for one in said["questions"]] == [1, 2, 3, 4, 5]
    assert said["question"] == said["questions"][0] and said["no_question"] is None
    assert said["class"] == ["Unqualified", "MQL", "MQL", "SQL"]


def test_behaviours_and_profiles_earn_what_they_earn_on_the_wire(said: dict[str, Any]) -> None:
    behavior, profile = said["behavior"], said["profile"]

    assert behavior["action"] == behavior["behavior_type"] == "demo_request"
    assert behavior["score_change"] == behavior["score_impact"] == behavior["score"] == 15
    assert said["bare"]["score_change"] == 0
    assert profile["profile"]["name"] == "Ann" and profile["score_change"] == 10
    assert said["score"] == 30
    for reply in (behavior, profile, said["summary"]["lead_data"], said["leads"][1]):
        assert reply["lead_type"] == reply["lead_classification"] == reply["classification"]
    assert said["summary"]["lead_data"]["lead_score"] == 30
    assert said["summary"]["lead_data"]["classification"] == "MQL"


def test_experiments_and_alerts_answer_with_plain_values(said: dict[str, Any]) -> None:
    assert said["variant"]["variant"] in ("A", "B")
    assert said["conversion"]["logged"] is True
    assert len(said["alerts"]) == 3


def test_a_lookup_that_finds_nothing_is_none(said: dict[str, Any]) -> None:
    assert said["unknown"] == [None] * 7


def test_tables_made_by_hand_count_as_migrated(tmp_path: Path) -> None:
    assert _printed(tmp_path, CREATE) == ""
    assert _printed(tmp_path, CREATE) == ""
    before = _schema(tmp_path)

    done = _run(tmp_path, "-m", "alembic", "upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert _schema(tmp_path) == before
    checked = _run(tmp_path, "check_database.py")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    analysed = _run(tmp_path, "check_database.py", "--analyze")
    assert analysed.returncode == 0, analysed.stdout + analysed.stderr
    port = _free_port()
    server = _serve(tmp_path, port)
    try:
        assert _answers(port, server)["status"] == "healthy"
    finally:
        _stop(server)


def test_tables_made_by_hand_are_those_of_the_migrations(tmp_path: Path) -> None:
    _printed(tmp_path / "hand", CREATE)
    done = _run(tmp_path / "moved", "-m", "alembic", "upgrade", "head")

    assert done.returncode == 0, done.stderr
    assert _schema(tmp_path / "hand") == _schema(tmp_path / "moved")


def test_tables_made_by_hand_work_on_a_server_too(empty_database_url: str, tmp_path: Path) -> None:
    line = "; from services import LeadService; print(LeadService.create_lead('a')['lead_score'])"

    assert _printed(tmp_path, CREATE + line, DATABASE_URL=empty_database_url) == "5\n"
    done = _run(tmp_path, "-m", "alembic", "upgrade", "head", DATABASE_URL=empty_database_url)
    assert done.returncode == 0, done.stderr


def test_dropping_all_tables_is_for_development_only(tmp_path: Path) -> None:
    _printed(tmp_path, CREATE)
    production = _run(tmp_path, "-c", DROP, FLASK_ENV="production", SECRET_KEY=SECRET)

    assert production.returncode != 0
    assert "drop_all" in production.stderr
    assert "leads" in _tables(tmp_path)
    _printed(tmp_path, DROP)
    assert "leads" not in _tables(tmp_path)
    assert _printed(tmp_path, CREATE) == ""


def test_a_key_may_be_made_while_the_server_runs(tmp_path: Path) -> None:
    port = _free_port()
    server = _serve(tmp_path, port)
    try:
        _answers(port, server)
        arguments = ("-m", "flask", "--app", "main", "create-key", "CRM", "--scope", "leads:read")
        made = _run(tmp_path, *arguments)
        assert made.returncode == 0, made.stderr
        key = made.stdout.strip()
        assert made.stdout == f"{key}\n" and key.startswith("lk_") and " " not in key
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/leads", headers={"Authorization": f"Bearer {key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert json.load(reply) == {"leads": [], "next_cursor": None}
    finally:
        _stop(server)


@pytest.fixture
def two_servers(tmp_path: Path) -> Iterator[list[tuple[int, subprocess.Popen[str]]]]:
    """Two servers started at one moment on one empty folder."""
    ports = [_free_port(), _free_port()]
    servers = [(port, _serve(tmp_path / "shared", port)) for port in ports]
    yield servers
    _stop(*(server for _, server in servers))


def test_two_servers_may_start_at_once_on_one_empty_folder(
    two_servers: list[tuple[int, subprocess.Popen[str]]], tmp_path: Path
) -> None:
    tokens = []
    for port, server in two_servers:
        assert _answers(port, server)["status"] == "healthy"
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/session/start", method="POST", data=b""
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            tokens.append(json.load(reply))
    # Each reads with the other's token: they agreed on one secret.
    for (port, _), started in zip(reversed(two_servers), tokens, strict=True):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/lead/summary/{started['session_id']}",
            headers={"X-Visitor-Token": started["visitor_token"]},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert "masked" not in json.load(reply)
    engine = create_engine(f"sqlite:///{tmp_path / 'shared' / 'leadline.db'}")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM workflow_versions")) == 1
    engine.dispose()


def _tables(folder: Path) -> set[str]:
    engine = create_engine(f"sqlite:///{folder / 'leadline.db'}")
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def _schema(folder: Path) -> dict[str, Any]:
    """Tables, columns, indexes and triggers of the embedded database, however they were made."""
    engine = create_engine(f"sqlite:///{folder / 'leadline.db'}")
    schema = inspect(engine)
    found: dict[str, Any] = {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in schema.get_columns(table)),
            sorted(str(index["name"]) for index in schema.get_indexes(table)),
        )
        for table in sorted(schema.get_table_names())
    }
    with engine.connect() as connection:
        triggers = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
        )
        found["triggers"] = [tuple(row) for row in triggers]
        found["head"] = connection.scalar(text("SELECT version_num FROM alembic_version"))
    engine.dispose()
    return found
