"""A process that serves chats stays light: what only models need is never imported there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.servers.watch import ROOT

HEAVY = {"sklearn", "shap", "scipy", "pandas", "numpy"}
CHAT = """
import json, sys
import main
from services import prepare

prepare(main.resources())
client = main.app.test_client()


def send(path, **body):
    reply = client.post(path, json=body)
    assert reply.status_code in (200, 201), reply.text
    return reply.json


session = send("/api/session/start")["session_id"]
asked = client.get("/api/questions", query_string={"session_id": session}).json["questions"]
for question in asked:
    answer = (question["options"] or ["Bandra West, Mumbai"])[0]
    answer = answer if isinstance(answer, str) else answer["value"]
    last = send(
        "/api/answer", session_id=session, question_id=question["id"], answer_text=answer
    )
assert last["completed"], last
send("/api/behavior", session_id=session, action="clicked_demo")
send("/api/lead/profile", session_id=session, profile_data={"email": "a@b.example.com"})
for path in ("/api/lead/summary/", "/api/score/"):
    assert client.get(path + session).status_code == 200
for path in ("/api/product-menu", "/api/cta-options", "/health", "/widget.js"):
    client.get(path)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def _imported_by(program: str, folder: Path) -> set[str]:
    """The packages that a fresh process has imported after this program."""
    chosen = {"DATABASE_URL": "", "DATA_DIR": str(folder), "LOG_LEVEL": "ERROR"}
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **chosen, "RATE_LIMIT_PER_MINUTE": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return set(json.loads(said.stdout.splitlines()[-1]))


def test_a_process_that_served_a_whole_chat_has_imported_no_statistics(tmp_path: Path) -> None:
    imported = _imported_by(CHAT, tmp_path)

    assert "flask" in imported
    assert imported & HEAVY == set()
