"""GET /api/analytics/leads, against an example worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.conftest import JOHN, Caller, refused


def _counted(caller: Caller, **query: Any) -> dict[str, Any]:
    reply = caller.staff("GET", "/api/analytics/leads", **query)
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json
    return said


@pytest.fixture
def example(plain: Caller) -> Caller:
    """Four sessions that count, and everything that does not.

    | start (UTC)      | source | what happened                       | score | class       |
    | 20 Nov 20:00     | ads    | the whole reference journey         |    80 | SQL         |
    | 21 Nov 09:00     | ads    | question 1 in 200 s, then a skip    |    10 | Unqualified |
    | 21 Nov 09:00     |        | questions 1, 2 in 200 s, contact … |    35 | MQL         |
    | 21 Nov 19:00     |        | nothing                             |     5 | Unqualified |
    """
    clock: Any = plain.clock
    clock.set(datetime(2026, 11, 20, 20, tzinfo=UTC))
    plain.reference(utm_source="ads")
    clock.set(datetime(2026, 11, 21, 9, tzinfo=UTC))
    second = plain.start(utm_source="ads")
    plain.answer(second, 1, "Restaurant", time_taken=200)
    plain.skip(second, 2)
    third = plain.start()
    plain.answer(third, 1, "Restaurant", time_taken=200)
    plain.answer(third, 2, "Pune", time_taken=200)
    plain.profile(third, email="a@example.com")
    plain.behave(third, "clicked_product", product="Billing")
    plain.behave(third, "clicked_product", product="Loyalty")
    clock.set(datetime(2026, 11, 21, 19, tzinfo=UTC))
    plain.start()
    # These do not count.
    plain.staff("POST", "/api/leads", {"name": "Walk-in", "email": "walk@example.com"})
    plain.start(honeypot="spam")
    plain.post("/api/session/start", {}, User_Agent="Googlebot/2.1")
    gone = plain.start()
    plain.profile(gone, **JOHN)
    lead = plain.rows("SELECT id FROM leads WHERE session_id = :s", s=gone)[0][0]
    plain.staff("DELETE", f"/api/leads/{lead}")
    return plain


def test_the_numbers_are_those_worked_out_by_hand(example: Caller) -> None:
    found = _counted(example)

    assert found["total_leads"] == 4
    assert (found["sql_leads"], found["mql_leads"], found["unqualified_leads"]) == (1, 1, 2)
    assert found["conversion_rate"] == 0.25
    assert found["completion_rate"] == 0.25
    assert found["average_score"] == (80 + 10 + 35 + 5) / 4
    # 30, 40, 50, 300, 300; 200; 200, 200
    assert found["average_response_time"] == 165
    assert found["by_class"] == {"SQL": 1, "MQL": 1, "Unqualified": 2}
    assert found["by_tier"] == {"hot": 1, "warm": 0, "cold": 3}
    assert found["by_source"] == {"ads": 2, "direct": 2}
    assert found["by_day"] == {"2026-11-20": 1, "2026-11-21": 3}
    drop_off = [
        (one["question_id"], one["reached"], one["left"], one["rate"]) for one in found["drop_off"]
    ]
    assert drop_off == [
        (1, 4, 1, 0.25),
        (2, 3, 0, 0.0),
        (3, 3, 2, 0.6667),
        (4, 1, 0, 0.0),
        (5, 1, 0, 0.0),
    ]


def test_a_day_is_a_day_in_utc_or_in_the_named_zone(example: Caller) -> None:
    assert _counted(example, **{"from": "2026-11-21"})["total_leads"] == 3
    assert _counted(example, to="2026-11-20")["total_leads"] == 1
    assert _counted(example, **{"from": "2026-11-21", "to": "2026-11-21"})["total_leads"] == 3
    # In India the first began at 01:30 on the 21st, the last at 00:30 on the 22nd.
    india = _counted(example, tz="Asia/Kolkata")
    assert india["by_day"] == {"2026-11-21": 3, "2026-11-22": 1}
    day = _counted(example, tz="Asia/Kolkata", **{"from": "2026-11-21", "to": "2026-11-21"})
    assert day["total_leads"] == 3 and day["sql_leads"] == 1
    moment = _counted(example, **{"from": "2026-11-21T09:00:00Z", "to": "2026-11-21T19:00:00Z"})
    assert moment["total_leads"] == 2


def test_a_source_may_be_asked_for_alone(example: Caller) -> None:
    ads = _counted(example, utm_source="ads")

    assert ads["total_leads"] == 2 and ads["conversion_rate"] == 0.5
    assert ads["by_source"] == {"ads": 2}
    direct = _counted(example, utm_source="direct")
    assert direct["total_leads"] == 2 and direct["by_source"] == {"direct": 2}


def test_without_sessions_rates_are_null_and_counts_zero(plain: Caller) -> None:
    found = _counted(plain)

    assert found["total_leads"] == found["sql_leads"] == found["mql_leads"] == 0
    for name in ("conversion_rate", "completion_rate", "average_score", "average_response_time"):
        assert found[name] is None
    assert found["by_source"] == found["by_day"] == {}
    assert [(one["reached"], one["left"], one["rate"]) for one in found["drop_off"]] == [
        (0, 0, None)
    ] * 5


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"tz": "../../etc/passwd"}, "tz"),
        ({"from": "2026-11-23", "to": "2026-11-21"}, "to"),
    ],
)
def test_a_filter_that_cannot_be_read_is_422(
    lite: Caller, query: dict[str, str], field: str
) -> None:
    error = refused(lite.staff("GET", "/api/analytics/leads", **query), 422)

    assert list(error["fields"]) == [field]


def test_counts_need_a_key_of_their_scope(lite: Caller) -> None:
    refused(lite.get("/api/analytics/leads"), 401)
    client = lite.app.test_client()
    reads = client.get("/api/analytics/leads", headers=lite.key("analytics:read"))
    assert reads.status_code == 200
    wrong = client.get("/api/analytics/leads", headers=lite.key("leads:read"))
    refused(wrong, 403, "missing_scope")
