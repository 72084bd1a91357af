"""Our signatures and the published libraries' are the same, and what is forged is refused."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import standardwebhooks
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.signing import SignatureRefused, new_secret, sign, verify
from tests.integrations.alerts import through_node

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1674088831, UTC)
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": ID,
    "webhook-timestamp": "1674088831",
    "webhook-signature": "v1,M2G7r3xRdE3KdH7lisv5mBduPU3eeB9Kmrj4GSWMBXw=",
}


def test_the_published_example_is_signed_as_published() -> None:
    assert sign([SECRET], ID, AT, BODY) == HEADERS
    assert verify([SECRET], HEADERS, BODY, AT) == ID


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns"])
def test_a_moment_is_the_same_in_every_zone(zone: str) -> None:
    assert sign([SECRET], ID, AT.astimezone(ZoneInfo(zone)), BODY) == HEADERS


def test_parts_of_a_second_are_cut_off() -> None:
    assert sign([SECRET], ID, AT + timedelta(microseconds=999_999), BODY) == HEADERS


def test_a_new_secret_is_new_and_long_enough() -> None:
    made = {new_secret() for _ in range(50)}

    assert len(made) == 50
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@settings(deadline=None)
@given(st.binary(min_size=24, max_size=64), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_python_library_signs_and_believes_the_same(key: bytes, text: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    now = datetime.now(UTC)

    ours = sign([secret], ID, now, text.encode())

    theirs = standardwebhooks.Webhook(secret)
    assert ours["webhook-signature"] == theirs.sign(ID, now, text)
    theirs.verify(text.encode(), ours, json_parse=False)
    assert verify([secret], ours, text.encode(), now) == ID


def test_the_node_library_believes_ours_and_nothing_else() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    body = '{"name":"Jürgen 👍"}'.encode()
    headers = sign([new, old], ID, datetime.now(UTC), body)
    stale = sign([new], ID, datetime.now(UTC) - timedelta(minutes=6), body)
    asked = [
        (new, headers, body),
        (old, headers, body),
        (other, headers, body),
        (new, headers, body + b" "),
        (new, headers | {"webhook-id": "msg_other"}, body),
        (new, stale, body),
    ]

    said = through_node(
        "standard_webhooks.mjs",
        [
            {"secret": secret, "headers": told, "body": base64.b64encode(raw).decode()}
            for secret, told, raw in asked
        ],
    )

    assert said == ["", "", *["No matching signature found"] * 3, "Message timestamp too old"]


# A secret that is being changed


def test_while_a_secret_is_changed_both_the_old_and_the_new_one_fit() -> None:
    old, new = new_secret(), new_secret()
    now = datetime.now(UTC)

    headers = sign([new, old], ID, now, BODY)

    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        standardwebhooks.Webhook(secret).verify(BODY, headers)
        assert verify([secret], headers, BODY, now) == ID
    assert verify([new_secret(), new], sign([old, new], ID, now, BODY), BODY, now) == ID
    with pytest.raises(SignatureRefused):
        verify([new_secret()], headers, BODY, now)


# What is refused


@pytest.mark.parametrize(
    "secrets",
    [
        [],
        [""],
        ["whsec_"],
        ["whsec_not base64 at all!"],
        ["whsec_" + base64.b64encode(b"x" * 23).decode()],
        ["whsec_" + base64.b64encode(b"x" * 65).decode()],
        [SECRET, "whsec_ünicode"],
    ],
)
def test_nothing_is_signed_without_good_secrets_and_none_is_repeated(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="[Ss]ecret") as caught:
        sign(secrets, ID, AT, BODY)

    assert not any(secret and secret in str(caught.value) for secret in secrets if len(secret) > 6)


def test_a_moment_without_zone_and_an_id_of_several_lines_are_not_signed() -> None:
    with pytest.raises(ValueError, match="time zone"):
        sign([SECRET], ID, AT.replace(tzinfo=None), BODY)
    with pytest.raises(ValueError, match="visible ASCII"):
        sign([SECRET], "msg\r\nX: y", AT, BODY)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_each_way_are_believed(seconds: int) -> None:
    assert verify([SECRET], HEADERS, BODY, AT + timedelta(seconds=seconds)) == ID


@pytest.mark.parametrize("seconds", [-301, 301, 1_000_000_000])
def test_what_is_older_or_from_the_future_is_refused(seconds: int) -> None:
    with pytest.raises(SignatureRefused, match="too old, or from the future"):
        verify([SECRET], HEADERS, BODY, AT + timedelta(seconds=seconds))


def test_names_of_headers_are_read_in_any_case_and_other_signatures_passed_over() -> None:
    headers = {name.title(): value for name, value in HEADERS.items()}
    headers["Webhook-Signature"] = f"v1a,abc nonsense v2, {headers['Webhook-Signature']}"

    assert verify([SECRET], headers, BODY, AT) == ID


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": ""},
        {"webhook-id": "msg_other"},
        {"webhook-id": ID + "é"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "1674088832"},
        {"webhook-timestamp": "1674088831.0"},
        {"webhook-timestamp": "-1674088831"},
        {"webhook-timestamp": "١٦٧٤٠٨٨٨٣١"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "nan"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v2,M2G7r3xRdE3KdH7lisv5mBduPU3eeB9Kmrj4GSWMBXw="},
        {"webhook-signature": "M2G7r3xRdE3KdH7lisv5mBduPU3eeB9Kmrj4GSWMBXw="},
        {"webhook-signature": "x " * 50 + HEADERS["webhook-signature"]},
    ],
)
def test_forged_and_malformed_headers_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        verify([SECRET], HEADERS | change, BODY, AT)


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_may_be_missing(name: str) -> None:
    with pytest.raises(SignatureRefused, match="missing or malformed"):
        verify([SECRET], {key: HEADERS[key] for key in HEADERS if key != name}, BODY, AT)


@pytest.mark.parametrize("body", [b"", BODY + b"\n", BODY.replace(b" ", b""), b"\xff\xfe"])
def test_another_body_is_refused_even_one_that_means_the_same(body: bytes) -> None:
    with pytest.raises(SignatureRefused, match="No signature fits"):
        verify([SECRET], HEADERS, body, AT)
