"""The front door: what starting, stopping and importing it does."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from flask import Flask

import main
from config import Settings

ROOT = Path(__file__).resolve().parent.parent.parent


class Started(NamedTuple):
    """A program that runs."""

    process: subprocess.Popen[str]
    address: str
    welcome: str


def environment(folder: Path, **chosen: str) -> dict[str, str]:
    """An environment with a database of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "DATA_DIR": str(folder), "DATABASE_URL": "", "PYTHONUNBUFFERED": "1", **chosen}


def run(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What a Python of its own says and how it ends."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """`python main.py` on a free port, and what it said."""
    with subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=ROOT,
        env=environment(tmp_path, PORT="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        welcome = "".join(process.stdout.readline() for _ in range(5))
        address = re.search(r"http://\S+", welcome)
        assert address is not None
        yield Started(process, address[0], welcome)
        if process.poll() is None:
            process.kill()


def test_it_starts_says_where_and_stops_cleanly(started: Started) -> None:
    reply = requests.get(f"{started.address}/health", timeout=10)
    started.process.send_signal(signal.SIGINT)
    said, _ = started.process.communicate(timeout=20)

    assert (reply.status_code, reply.json()["status"]) == (200, "healthy")
    assert "Python" not in reply.headers["Server"]
    for path in ("/chat", "/docs", "/health"):
        assert f"{started.address}{path}" in started.welcome
    assert started.process.returncode == 0
    assert re.search(rf"\n  {re.escape(started.address)}/console/link/[\w-]{{43}}\n", said)
    assert said.endswith("\nStopped.\n")


def test_a_visitor_can_talk_to_what_has_just_started(started: Started) -> None:
    address = started.address

    begun = requests.post(f"{address}/api/session/start", timeout=10)
    answer = {
        "session_id": begun.json()["session_id"],
        "question_id": 1,
        "answer_text": "Restaurant",
    }
    reply = requests.post(f"{address}/api/answer", json=answer, timeout=10)

    assert (begun.status_code, reply.status_code) == (201, 200)
    assert reply.json()["accepted"] is True


def test_a_port_that_is_taken_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run("main.py", env=environment(tmp_path, PORT=str(port)))

    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr and "PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_wrong_settings_are_one_line_each(tmp_path: Path) -> None:
    env = environment(tmp_path, PORT="abc", RATE_LIMIT_PER_MINUTE="0")

    ended = run("main.py", env=env)

    lines = ended.stderr.strip().splitlines()
    assert ended.returncode == 2
    assert [line.split(":")[0] for line in lines] == ["PORT", "RATE_LIMIT_PER_MINUTE"]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("WORKFLOW_CONFIG = {'questions': [{'id': 2, 'text': 'Where?'}]}", ["['location']"]),
        ("ACTIVE_TESTS = {}", ["workflow_config.py cannot be used."]),
    ],
    ids=["no tests", "no workflow"],
)
def test_a_workflow_file_may_leave_out_its_tests_alone(
    tmp_path: Path, file: str, said: list[str]
) -> None:
    (tmp_path / "workflow_config.py").write_text(file)
    script = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "import main\n"
        "try: print([one.slug for one in main.resources().shipped.workflow.questions])\n"
        "except main.SettingsError as error: print(error.message)\n"
    )

    ended = run("-c", script, env=environment(tmp_path))

    assert ended.returncode == 0, ended.stderr
    assert [one for one in said if one not in ended.stdout] == []


def test_importing_it_starts_and_opens_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "not-there-yet"
    look = (
        "import threading, main, sys;"
        "print(threading.active_count(), 'app' in vars(main), hasattr(main, 'nothing'))"
    )

    ended = run("-c", look, env=environment(folder))

    assert ended.stdout.split() == ["1", "False", "False"], ended.stderr
    assert not folder.exists()


def test_threads_that_come_together_get_one_application(tmp_path: Path) -> None:
    look = (
        "import concurrent.futures as f, main;"
        "pool = f.ThreadPoolExecutor(8);"
        "apps = list(pool.map(lambda _: id(main.app), range(16)));"
        "print(len(set(apps)), main.resources() is main.app.extensions['leadline'])"
    )

    ended = run("-c", look, env=environment(tmp_path))

    assert ended.stdout.split() == ["1", "True"], ended.stderr


def test_a_plain_script_gets_a_unit_of_work_that_commits(tmp_path: Path) -> None:
    script = (
        "import main\n"
        "with main.unit_of_work() as services:\n"
        "    services.accounts.create_key('script', ['admin'])\n"
        "with main.unit_of_work() as services:\n"
        "    print([key['name'] for key in services.accounts.list_keys()])\n"
    )

    ended = run("-c", script, env=environment(tmp_path))

    assert ended.stdout.strip() == "['script']", ended.stderr


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Flask]:
    """The whole application, as it is served."""
    app = main.create_app(Settings(_env_file=None, DATA_DIR=tmp_path))
    app.testing = True
    yield app
    app.extensions["leadline"].engine.dispose()


def test_every_endpoint_of_the_api_has_a_guard_and_a_description(whole: Flask) -> None:
    client = whole.test_client()
    described = client.get("/api/openapi.json").json["paths"]

    for rule in whole.url_map.iter_rules():
        if rule.rule.startswith("/api/") and rule.rule != "/api/openapi.json":
            view = whole.view_functions[rule.endpoint]
            assert hasattr(view, "offer"), rule.rule
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            assert set(described[path]) >= {view.offer.method.lower()}


def test_every_operation_has_a_name_of_its_own_and_a_summary(whole: Flask) -> None:
    described = whole.test_client().get("/api/openapi.json").json["paths"]

    for path, operations in described.items():
        for method in operations.keys() - {"parameters"}:
            assert operations[method]["summary"], (method, path)
            assert operations[method]["responses"], (method, path)
