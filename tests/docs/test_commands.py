"""Every command in the documents works, and prints what the document says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config import ROOT
from tests.docs.commands import Step, differences, programs, run, steps

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
# Commands that are not run here, and why; a block of which one begins so is left out whole.
NOT_RUN = {
    "make": "installs, serves, or runs the tests: inside a test that would be a circle",
    ".venv/bin/python -m pytest": "runs the tests",
    ".venv/bin/alembic revision": "writes a file into the sources",
    ".venv/bin/gunicorn": "serves until it is stopped; a test of its own starts it",
    ".venv/bin/python -m jobs.runner": "works until it is stopped; tests of its own start it",
    ".venv/bin/celery": "works until it is stopped; a test of its own starts it",
    "cp .env.example .env": "would change the settings of this machine",
    "pg_dump": "needs the client of a PostgreSQL server",
}


def environment(folder: Path, **chosen: str) -> dict[str, str]:
    """An environment with a database and a home of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    mine = {"DATA_DIR": str(folder), "DATABASE_URL": "", "HOME": str(folder), "LOG_LEVEL": "ERROR"}
    return {**kept, **mine, "RATE_LIMIT_PER_MINUTE": "1000", "PYTHONUNBUFFERED": "1", **chosen}


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """`python main.py` on a free port; its address."""
    with subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=ROOT,
        env=environment(folder, PORT="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
        assert address is not None
        try:
            yield address[0]
        finally:
            process.send_signal(signal.SIGINT)


def ready(document: Path) -> list[Step]:
    """The blocks of a document that can be run here."""
    return [step for step in steps(document) if not is_left_out(step)]


def is_left_out(step: Step) -> bool:
    """Whether one of the block's commands is among those that are not run here."""
    return any(line.startswith(tuple(NOT_RUN)) for line in step.commands.splitlines())


def name_of(document: Path) -> str:
    """A document's path from the root."""
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if ready(one)], ids=name_of)
def test_its_commands_do_what_it_says(document: Path, tmp_path: Path) -> None:
    blocks = ready(document)

    replaced = {
        ".venv/bin/": f"{programs()}/",
        "data/leadline.db": str(tmp_path / "leadline.db"),
        # Read and written where the reader stands, which here is among the sources.
        "leads.csv": str(tmp_path / "leads.csv"),
    }
    if any("localhost:5000" in step.commands for step in blocks):
        with server(tmp_path) as address:
            run(blocks, ROOT, environment(tmp_path), {**replaced, "localhost:5000": address})
    else:
        run(blocks, ROOT, environment(tmp_path), replaced)

    broken = [f"line {step.line}: {one}" for step in blocks for one in step.broken_promises()]
    assert broken == []


def test_gunicorn_serves_as_the_documents_say(tmp_path: Path) -> None:
    command = next(
        line
        for line in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(".venv/bin/gunicorn")
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = command.replace(".venv/bin/", f"{programs()}/").replace(":8000", f":{port}").split()

    secret = "p4Wq8Zr1Ty6Ui3Op9As2Df5Gh7Jk0LzXc"
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment(tmp_path, SECRET_KEY=secret),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "Listening at" in line)
            assert f":{port}" in said
            # From here on a caller waits in line until a worker is up.
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as reply:
                assert reply.status == 200
        finally:
            process.terminate()
            process.communicate()


def test_nothing_is_left_out_that_no_document_says() -> None:
    lines = [
        line for one in DOCUMENTS for step in steps(one) for line in step.commands.splitlines()
    ]

    idle = [start for start in NOT_RUN if not any(line.startswith(start) for line in lines)]

    assert idle == []


@pytest.mark.parametrize(
    ("promised", "said"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ({"a": 1}, {"a": True}),
        ([1], [1, 2]),
        ([1, 2, "…"], [1]),
        ("sess_…", "x"),
        ({"a": {"b": ["x…"]}}, {"a": {"b": ["y"]}}),
    ],
)
def test_a_broken_promise_is_noticed(promised: object, said: object) -> None:
    assert list(differences(promised, said, "reply"))


def test_keys_in_another_order_are_noticed_where_order_is_promised() -> None:
    step = Step("", 1, promised_json={"a": 1, "b": 2}, printed='{"b": 2, "a": 1}')

    assert step.broken_promises() == []
    step.in_order = True
    assert step.broken_promises() == ["the reply begins with the keys b, a"]


def test_a_promise_may_be_shorter_than_the_reply() -> None:
    promised = {"id": "sess_…", "parts": [{"a": 1}, "…"], "any": "…"}
    said = {"id": "sess_1", "more": 0, "parts": [{"a": 1, "b": 2}, {}], "any": None}

    assert list(differences(promised, said, "reply")) == []
