"""What our server is measured beside: Flask with nothing, and Flask with one raw insert."""

from __future__ import annotations

import os
from typing import Any

import psycopg2.pool
from flask import Flask, request

app = Flask(__name__)
_pool: list[Any] = []


@app.post("/hello")
def hello() -> dict[str, bool]:
    """Read JSON, answer JSON."""
    return {"accepted": bool(request.get_json())}


@app.post("/insert")
def insert() -> dict[str, bool]:
    """Read JSON, insert one row, commit, answer JSON."""
    said = request.get_json()
    if not _pool:
        _pool.append(psycopg2.pool.ThreadedConnectionPool(8, 10, os.environ["BARE_DATABASE"]))
    connection = _pool[0].getconn()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bare (session_id, question_id, answer_text) VALUES (%s, %s, %s)",
            (said["session_id"], said["question_id"], said["answer_text"]),
        )
    connection.commit()
    _pool[0].putconn(connection)
    return {"accepted": True}
