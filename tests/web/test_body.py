"""The strict reader: more than thirty hostile bodies, one answer on both databases."""

from __future__ import annotations

import time
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import errors
from tests.web.conftest import MakeApp
from web.body import LARGEST_INTEGER, parse_json

GOOD = '{"session_id":"sess_1","question_id":1,"answer_text":%s}'
JSON = "application/json"


def note(value: str) -> bytes:
    """A note whose answer is this JSON."""
    return (GOOD % value).encode("utf-8", "surrogatepass")


# name, body, status, code
TORTURE: list[tuple[str, bytes, int, str | None]] = [
    ("plain", note('"hello"'), 200, None),
    ("emoji", note('"🔥 नमस्ते"'), 200, None),
    ("right to left", note('"\u202eabc\u05d0"'), 200, None),
    ("escaped emoji", note('"\\ud83d\\ude00"'), 200, None),
    ("brackets in a text", note('"' + "[{" * 500 + '"'), 200, None),
    ("escaped quotes", note('"' + '\\"' * 500 + '"'), 200, None),
    ("whole float for an integer", b'{"session_id":"s","question_id":1.0}', 200, None),
    ("largest integer", note(str(LARGEST_INTEGER)), 200, None),
    ("smallest integer", note(str(-LARGEST_INTEGER)), 200, None),
    ("tiny float", note("1e-999"), 200, None),
    ("thirty-two levels", note("[" * 31 + "]" * 31), 200, None),
    ("white space around", b" \r\n\t" + note("1") + b"\n", 200, None),
    ("an unknown key", b'{"session_id":"s","question_id":1,"zz":1}', 200, None),
    ("nothing", b"", 400, "malformed_json"),
    ("white space", b" \n", 400, "malformed_json"),
    ("not JSON", b"hello", 400, "malformed_json"),
    ("half of it", note('"a"')[:-1], 400, "malformed_json"),
    ("two values", b"{}{}", 400, "malformed_json"),
    ("a comma too many", b'{"a":1,}', 400, "malformed_json"),
    ("single quotes", b"{'a':1}", 400, "malformed_json"),
    ("Latin-1", '{"a":"é"}'.encode("latin-1"), 400, "malformed_json"),
    ("UTF-16", '{"a":1}'.encode("utf-16"), 400, "malformed_json"),
    ("byte order mark", b"\xef\xbb\xbf" + note("1"), 400, "malformed_json"),
    ("raw surrogate bytes", b'{"a":"\xed\xa0\x80"}', 400, "malformed_json"),
    ("overlong NUL", b'{"a":"\xc0\x80"}', 400, "malformed_json"),
    ("raw NUL", b'{"a":"\x00"}', 400, "malformed_json"),
    ("raw newline in a text", b'{"a":"\n"}', 400, "malformed_json"),
    ("NaN", note("NaN"), 400, "malformed_json"),
    ("Infinity", note("Infinity"), 400, "malformed_json"),
    ("minus Infinity", note("-Infinity"), 400, "malformed_json"),
    ("a key twice", b'{"session_id":"a","session_id":"b","question_id":1}', 400, "malformed_json"),
    ("a key twice inside", note('{"a":1,"a":2}'), 400, "malformed_json"),
    ("thirty-three levels", note("[" * 32 + "]" * 32), 400, "malformed_json"),
    ("a thousand levels", note("[" * 1000 + "]" * 1000), 400, "malformed_json"),
    ("levels without an end", b'{"a":' + b"[" * 30000, 400, "malformed_json"),
    ("objects without an end", b'{"a":' * 10000, 400, "malformed_json"),
    ("leading zero", note("01"), 400, "malformed_json"),
    ("hexadecimal", note("0x1"), 400, "malformed_json"),
    ("a bad escape", note('"\\x41"'), 400, "malformed_json"),
    ("escaped NUL", note('"a\\u0000b"'), 422, "validation_failed"),
    ("escaped NUL in a key", note('{"a\\u0000":1}'), 422, "validation_failed"),
    ("high surrogate", note('"\\ud800"'), 422, "validation_failed"),
    ("low surrogate", note('"\\udc00"'), 422, "validation_failed"),
    ("surrogates the wrong way", note('"\\udc00\\ud800"'), 422, "validation_failed"),
    ("surrogate in a list", note('["a",["\\ud800"]]'), 422, "validation_failed"),
    ("surrogate in a key", note('{"\\ud800":1}'), 422, "validation_failed"),
    ("2**63", note(str(2**63)), 422, "validation_failed"),
    ("-2**63", note(str(-(2**63))), 422, "validation_failed"),
    ("five thousand digits", note("9" * 5000), 422, "validation_failed"),
    ("a float past the end", note("1e999"), 422, "validation_failed"),
    ("a list", b"[]", 422, "validation_failed"),
    ("null", b"null", 422, "validation_failed"),
    ("a text", b'"a"', 422, "validation_failed"),
    ("a number", b"1", 422, "validation_failed"),
    ("true", b"true", 422, "validation_failed"),
    ("no fields", b"{}", 422, "validation_failed"),
    ("a list for a text", b'{"session_id":[],"question_id":1}', 422, "validation_failed"),
    ("null for a text", b'{"session_id":null,"question_id":1}', 422, "validation_failed"),
    ("a text for an integer", b'{"session_id":"s","question_id":"x"}', 422, "validation_failed"),
    ("an object for an integer", b'{"session_id":"s","question_id":{}}', 422, "validation_failed"),
    ("a list for an object", note("1")[:-1] + b',"profile_data":[]}', 422, "validation_failed"),
    ("too large", note('"' + "a" * 65536 + '"'), 413, "too_large"),
]


def test_every_hostile_body_gets_its_answer_on_both_databases(
    make_app: MakeApp, database_url: str
) -> None:
    client = make_app(database_url, RATE_LIMIT_PER_MINUTE=1000).test_client()

    got = [
        (name, reply.status_code, (reply.json or {}).get("error", {}).get("code"))
        for name, body, _, _ in TORTURE
        for reply in [client.post("/api/answer", data=body, content_type=JSON)]
    ]

    assert got == [(name, status, code) for name, _, status, code in TORTURE]
    assert len(TORTURE) >= 30


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "application/vnd.x+json"]
)
def test_json_may_call_itself_by_any_of_its_names(client: FlaskClient, media_type: str) -> None:
    assert client.post("/api/answer", data=note("1"), content_type=media_type).status_code == 200


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", None]
)
def test_another_type_with_a_body_is_refused(client: FlaskClient, media_type: str | None) -> None:
    reply = client.post("/api/answer", data=note("1"), content_type=media_type)

    assert (reply.status_code, reply.json["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["text/plain", "application/json", None])
def test_an_optional_body_may_be_empty_whatever_its_type(
    client: FlaskClient, media_type: str | None
) -> None:
    reply = client.post("/api/session/start", data=b"", content_type=media_type)

    assert (reply.status_code, reply.json["body"]) == (201, {})


def test_a_body_without_a_length_is_measured_as_it_comes(client: FlaskClient) -> None:
    def chunked(body: bytes) -> Any:
        return client.post(
            "/api/answer",
            input_stream=BytesIO(body),
            content_type=JSON,
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )

    assert chunked(note("1")).status_code == 200
    assert chunked(note('"' + "a" * 70000 + '"')).status_code == 413


def test_an_endpoint_without_a_body_ignores_what_is_sent(app: Flask) -> None:
    from tests.web.conftest import bearer, new_key

    headers = bearer(new_key(app, "leads:write"))

    for body, media_type in [(b"\x00", "text/plain"), (b"{", JSON), (b"a" * 99999, "image/png")]:
        reply = app.test_client().post(
            "/api/leads/refresh", data=body, content_type=media_type, headers=headers
        )
        assert reply.status_code == 202


def test_a_text_that_cannot_be_stored_is_named(client: FlaskClient) -> None:
    body = note("1")[:-1] + b',"profile_data":{"a":["\\u0000"]}}'

    reply = client.post("/api/answer", data=body, content_type=JSON)

    assert list(reply.json["error"]["fields"]) == ["profile_data.a.0"]


def test_reading_takes_a_time_that_no_body_can_stretch() -> None:
    worst = [
        b'{"a":' + b'"' + b'\\"' * 30000,
        b'{"a":"' + b"[" * 60000 + b'"}',
        b'{"a":[' + b"[]," * 20000 + b"[]]}",
        b'{"a":"' + b"\\u0041" * 10000 + b'"}',
        b"[" * 60000,
        b'{"a":' + b"9" * 60000 + b"}",
    ]

    begun = time.process_time()
    for body in worst:
        try:
            parse_json(body)
        except (errors.Malformed, errors.Invalid):
            pass

    # Far from what it takes (0.1 s of this process's own time) and from what a square would.
    assert time.process_time() - begun < 10
