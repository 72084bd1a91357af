"""Eight writers at once on one session: nothing is lost, nothing counts twice."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tests.api.conftest import Caller, at_once, award_sum

WRITERS = 8


def _consistent(api: Caller, session: str) -> int:
    """The score, after everything agrees on it."""
    with api.unit() as services:
        total = award_sum(services, session)
        assert services.replays.replay_all().differences == []
    [(row,)] = api.rows("SELECT score FROM sessions WHERE id = :s", s=session)
    [(lead,)] = api.rows("SELECT lead_score FROM leads WHERE session_id = :s", s=session)
    assert total == row == lead == api.score(session)
    return total


def _writer(api: Caller, session: str, number: int) -> list[int]:
    """One client that answers, behaves and says who it is, all at once with others of its kind."""
    statuses = []

    def send(path: str, **body: Any) -> None:
        statuses.append(api.post(path, {"session_id": session, **body}).status_code)

    answers = [(1, "Restaurant"), (2, "Pune"), (3, "2–5"), (4, "Over ₹10L"), (5, ["Billing"])]
    for place in range(5):
        question, text = answers[(place + number) % 5]
        send("/api/answer", question_id=question, answer_text=text, time_taken=300)
        send("/api/behavior", action="clicked_product", metadata={"product": "Loyalty"})
    send("/api/behavior", action="clicked_demo")
    send("/api/behavior", action="cta_clicked", metadata={"cta": f"Call {number}"})
    data = {"name": f"Writer {number}", f"note_{number}": number, "email": "w@example.com"}
    send("/api/lead/profile", profile_data=data)
    return statuses


def test_eight_writers_lose_and_double_nothing(api: Caller) -> None:
    session = api.start()
    calls = [functools.partial(_writer, api, session, number) for number in range(WRITERS)]

    results = at_once(*calls)

    assert results == [[200] * 13] * WRITERS
    # Opened, five answers, all of them, one product, the demo, one unnamed call, the contact.
    assert _consistent(api, session) == 5 + 25 + 10 + 5 + 15 + 15 + 10
    record = api.export(session)
    assert record["attributes"] == {f"note_{number}": number for number in range(WRITERS)}
    assert api.rows("SELECT count(*) FROM answers") == [(5,)]
    numbers = [row[0] for row in api.rows("SELECT seq FROM events WHERE seq > 0 ORDER BY seq")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_signal_of_eight_writers_is_kept(api: Caller) -> None:
    session = api.start()
    calls = [functools.partial(api.behave, session, "website_visit") for _ in range(WRITERS)]

    at_once(*calls)

    [lead] = api.staff("GET", "/api/leads").json["leads"]
    assert lead["engagement_summary"]["website_visits"] == WRITERS
    assert _consistent(api, session) == 5


def test_edits_at_once_leave_one_answer_and_its_points(api: Caller) -> None:
    session = api.start()
    texts = ["Pune", "Bandra West, Mumbai"] * (WRITERS // 2)
    calls = [
        functools.partial(api.answer, session, 2, text, time_taken=300)
        for text in texts  # Short and long, so that the award of detail comes and goes.
    ]

    at_once(*calls)

    detailed = api.export(session)["location"] != "Pune"
    assert _consistent(api, session) == 10 + (5 if detailed else 0)


def _pair(api: Caller, path: str, body: dict[str, Any], key: str) -> Callable[[], Any]:
    def send() -> tuple[int, Any, bool]:
        reply = api.post(path, body, Idempotency_Key=key)
        said = {name: one for name, one in reply.json.items() if name != "visitor_token"}
        return reply.status_code, said, "Idempotent-Replayed" in reply.headers

    return send


def test_one_key_at_once_has_one_effect_and_one_reply(api: Caller) -> None:
    session = api.start()
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/api/session/start", {"utm_source": "pair"}),
        ("/api/answer", {"session_id": session, "question_id": 1, "answer_text": "Other"}),
        ("/api/behavior", {"session_id": session, "action": "email_open"}),
        (
            "/api/lead/profile",
            {"session_id": session, "profile_data": {"email": "a@b.example.com"}},
        ),
    ]
    for number, (path, body) in enumerate(requests):
        send = _pair(api, path, body, f"pair-of-requests-{number}")
        replies = at_once(*[send] * 4)
        assert {status for status, _, _ in replies} in ({200}, {201}), replies
        assert all(said == replies[0][1] for _, said, _ in replies), replies
        assert sorted(replayed for _, _, replayed in replies) == [False, True, True, True]

    assert api.rows("SELECT count(*) FROM sessions") == [(2,)]
    assert api.rows("SELECT count(*) FROM events WHERE kind = 'behavior.reported'") == [(1,)]
    _consistent(api, session)


def test_one_own_id_at_once_is_one_lead(api: Caller) -> None:
    def create() -> Any:
        with api.unit() as services:
            return services.leads.create_lead("crm-4711", "partner")["id"]

    found = at_once(*[create] * 4)

    assert len(set(map(str, found))) == 1, found
    assert api.rows("SELECT count(*) FROM leads") == [(1,)]


def test_first_starts_at_once_agree_on_seeds_and_versions(api: Caller) -> None:
    at_once(*[functools.partial(api.start, visitor_id="v")] * WRITERS)

    assert api.rows("SELECT count(*) FROM sessions") == [(WRITERS,)]
    assert api.rows("SELECT count(*) FROM workflow_versions") == [(1,)]
    assert api.rows("SELECT count(*) FROM experiments") == [(2,)]
    assert api.rows("SELECT count(*) FROM assignments") == [(2,)]
    assert api.rows("SELECT count(*) FROM exposures") == [(2,)]


def test_closing_and_answering_at_once_end_in_one_order(api: Caller) -> None:
    session = api.start()
    body = {"session_id": session, "question_id": 1, "answer_text": "Other"}
    calls: list[Callable[[], Any]] = [
        functools.partial(api.behave, session, "confirmed_summary"),
        *[lambda: api.post("/api/answer", body).status_code] * 4,
    ]

    results = at_once(*calls)

    assert set(results[1:]) <= {200, 409}
    _consistent(api, session)
