"""Tests of lib.logging: one shape for every line, and nothing in it that must not be."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import create_engine, text

from lib.crypto import short_hash
from lib.ids import session_id
from lib.logging import bound_request, configure

CANARY = "canary-7f3a"


@dataclass(frozen=True)
class Person:
    """Somebody whose repr tells all."""

    nick: str


class Lines:
    """The log file of one test."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def text(self) -> str:
        return self._path.read_text(encoding="utf-8")

    @property
    def last(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.text.splitlines()[-1])
        return line


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    level = logging.getLogger().level
    path = tmp_path / "logs" / "app.log"
    configure("INFO", str(path))
    yield Lines(path)
    root = logging.getLogger()
    for handler in [known for known in root.handlers if known.name == "structlog"]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_json_with_level_logger_time_and_request(lines: Lines) -> None:
    with bound_request("r1"):
        structlog.get_logger("scoring").info("lead classified", points=15, nested={"a": [1, None]})
    structlog.get_logger("scoring").info("afterwards")

    first, second = map(json.loads, lines.text.splitlines())
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "lead classified",
        "points": 15,
        "nested": {"a": [1, None]},
        "level": "info",
        "logger": "scoring",
        "request_id": "r1",
    }
    assert "request_id" not in second


def test_the_lines_of_libraries_have_the_same_shape(lines: Lines) -> None:
    with bound_request("r2"):
        logging.getLogger("werkzeug").warning("%s and %d", "this", 5)

    assert lines.last["event"] == "this and 5"
    assert (lines.last["logger"], lines.last["level"]) == ("werkzeug", "warning")
    assert lines.last["request_id"] == "r2"


def test_levels_are_kept(lines: Lines) -> None:
    structlog.get_logger().debug("quiet")
    logging.getLogger("x").debug("quiet")
    logging.getLogger("urllib3.connectionpool").info("GET /services/T0/B0/%s", CANARY)

    assert lines.text == ""


def test_configuring_again_replaces_the_handler(lines: Lines, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    configure("INFO", str(other))
    structlog.get_logger().info("once")

    assert lines.text == "" and len(other.read_text().splitlines()) == 1


def test_without_a_file_lines_go_to_standard_error(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("INFO", "", json=False)
    structlog.get_logger("here").info("plain line", email=CANARY, forged="a\nlevel=critical")

    shown = capsys.readouterr().err
    assert "plain line" in shown and "[hidden]" in shown and CANARY not in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    "key",
    ["password", "token", "visitor_token", "secret", "authorization", "key", "api_key", "apiKey"]
    + [
        "webhook",
        "webhook_url",
        "email",
        "phone",
        "name",
        "text",
        "answer",
        "answer_text",
        "Cookie",
    ]
    + ["SENDER_PASSWORD", "X-Visitor-Token", "visitortoken", "userEmail", "profile_data", "body"],
)
def test_values_of_telling_keys_are_hidden_at_any_depth(lines: Lines, key: str) -> None:
    log = structlog.get_logger()
    log.info("one", **{key: CANARY})
    log.info("two", facts={"list": [{key: [CANARY]}]})
    log.info("three", **{key: 5})

    assert CANARY not in lines.text and lines.text.count("[hidden]") == 3


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        (
            "to https://hooks.slack.com/services/T0/B0/canary-7f3a!",
            "to https://hooks.slack.com/…",
        ),
        ("HTTPS://u:canary-7f3a@h.example:8443/p?q=canary-7f3a", "HTTPS://h.example:8443/…"),
        ("postgresql+psycopg2://u:canary-7f3a@db/leads", "postgresql+psycopg2://db/…"),
        ("postgresql://u:canary-7f3a/x@db/leads", "postgresql://…"),
        ("https://h.example", "https://h.example"),
        ("GET /api/x?token=canary-7f3a HTTP/1.1", "GET /api/x?… HTTP/1.1"),
        ("wrote to canary-7f3a@example.com, done", "wrote to [hidden], done"),
        ("Authorization: Bearer canary-7f3a", "Authorization: [hidden]"),
        ("with lk_canary7f3acanary", "with [hidden]"),
        ("a v1.0123abcd.1800000000.canary-7f3a b", "a [hidden] b"),
    ],
)
def test_addresses_and_tokens_inside_texts_lose_what_opens_doors(
    lines: Lines, said: str, logged: str
) -> None:
    structlog.get_logger().info(said, detail=said)
    logging.getLogger("lib").info("%s", said)

    assert "canary" not in lines.text
    ours, theirs = map(json.loads, lines.text.splitlines())
    assert [ours["event"], ours["detail"], theirs["event"]] == [logged] * 3


def test_session_ids_are_told_apart_by_their_hash_only(lines: Lines) -> None:
    ours, older = session_id(), "caller-own-id"
    structlog.get_logger().info(f"GET /api/score/{ours}", session_id=older)

    assert ours not in lines.text and older not in lines.text
    assert lines.last["event"] == f"GET /api/score/sess_#{short_hash(ours)}"
    assert lines.last["session_id"] == f"#{short_hash(older)}"


def test_objects_are_named_by_type_and_plain_values_kept(lines: Lines) -> None:
    deep: list[Any] = [CANARY]
    for _ in range(9):
        deep = [deep]
    structlog.get_logger().info(
        "things", lead=Person(CANARY), at=datetime(2026, 1, 1, tzinfo=UTC), deep=deep, ok=True
    )

    assert CANARY not in lines.text
    assert lines.last["lead"] == "<Person>" and lines.last["at"].startswith("2026-01-01")
    assert lines.last["ok"] is True


def test_an_exception_is_logged_by_type_and_our_frames(lines: Lines) -> None:
    def fails() -> None:
        secret_local = CANARY
        raise OSError(f"disk of {len(secret_local)} at https://h/{CANARY}")

    try:
        fails()
    except OSError:
        structlog.get_logger().exception("broken")

    (error,) = lines.last["errors"]
    assert error["type"] == "OSError: disk of 11 at https://h/…"
    assert error["frames"][-1].startswith("tests/lib/test_logging.py:")
    assert error["frames"][-1].endswith(" fails")
    assert CANARY not in lines.text


@pytest.mark.parametrize("error", [ValueError(CANARY), KeyError(CANARY), sqlite3.Error(CANARY)])
def test_a_message_that_quotes_its_input_is_left_out(lines: Lines, error: Exception) -> None:
    log = structlog.get_logger()
    try:
        raise RuntimeError(f"because of {CANARY}") from error
    except RuntimeError:
        log.exception("one")
    log.warning("two", reason=error, exc_info=error)
    logging.getLogger("apscheduler").error("three %s", error, exc_info=error)
    logging.getLogger("apscheduler").error("four %(e)s", {"e": error})
    logging.getLogger("apscheduler").error(error)

    if isinstance(error, sqlite3.Error):
        assert CANARY not in lines.text
    assert lines.text.count(type(error).__name__) >= 5
    assert not [line for line in lines.text.splitlines()[1:] if CANARY in line]


def test_a_database_error_never_shows_its_parameters(lines: Lines) -> None:
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            connection.execute(text("insert into nowhere values (:v)"), {"v": CANARY})
    except Exception as error:
        structlog.get_logger().exception("failed", error=error)
        logging.getLogger("flask.app").exception("Exception on %s: %s", "/api/answer", error)
    finally:
        engine.dispose()

    assert CANARY not in lines.text and "nowhere" not in lines.text
    assert lines.text.count("sqlalchemy.exc.OperationalError") >= 3


def test_a_line_that_cannot_be_put_together_is_still_written_without_its_arguments(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    (ours,) = [known for known in logging.getLogger().handlers if known.name == "structlog"]
    ours.handle(logging.LogRecord("lib", 20, "x.py", 1, "%d of %d", (CANARY, CANARY), None))

    assert lines.last["event"] == "%d of %d [arguments left out]"
    ours.handle(logging.makeLogRecord({"msg": "100%", "args": None, "levelname": "INFO"}))
    assert lines.last["event"] == "100%"
    assert CANARY not in capsys.readouterr().err


def test_circles_of_causes_end(lines: Lines) -> None:
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    structlog.get_logger().error("circle", exc_info=first)
    structlog.get_logger().error("none", exc_info=True)
    structlog.get_logger().error("odd", exc_info=("x",))

    circle = json.loads(lines.text.splitlines()[0])
    assert [error["type"] for error in circle["errors"]] == ["OSError: a", "OSError: b"]
    assert "errors" not in lines.last


def test_any_characters_can_be_logged_on_one_line_at_no_cost(lines: Lines) -> None:
    started = time.perf_counter()
    for piece in ("a@", "?=", "://", "a.", "x", " ", "\ud800\n", "sess_", "bearer "):
        structlog.get_logger().info(piece * 20_000)

    assert time.perf_counter() - started < 2
    assert len(lines.text.splitlines()) == 9
