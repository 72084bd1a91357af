"""The rules of the random walk: each is one request, checked against the model."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import func, select

from lib.clock import SettableClock
from models import Answer, UserBehavior
from tests.shop import Shop, bearer
from tests.statemachine.model import CHOICES, OPTIONAL, ORDERS, SERVER_SIDE, WORTH_NOTHING, Talk

PLACES = ("Mumbai", "Pune", "0123456789", "01234567890", "  Navi Mumbai  ", "Kota\u200d ñ 😀")
NONSENSE = ("qqzzxx", "wwvvkkjjxxzz", "vvqq wwkk zzxx")
NAMES = (None, "billing", "loyalty", "no such thing", "book_demo", "talk_to_sales")
CLICKS = ("clicked_product", "cta_clicked", "clicked_demo", "demo_requested", "demo_request")
OTHER_ACTIONS = sorted(SERVER_SIDE | WORTH_NOTHING | {"replied_to_greeting"})
EMAILS = ("ann@example.com", "bob@example.org", "ann@shop.test")
NO_EMAILS = ("ann", "@example.com", "ann@", "a b@example.com")


class Walk(RuleBasedStateMachine):
    """Visitors, staff and an eraser at work on a few conversations at once."""

    shop: Shop
    key: str
    steps = 0

    talks: Bundle[Talk] = Bundle("talks")

    @initialize(target=talks, visitor=st.sampled_from((None, "ann", "bob")))
    def first(self, visitor: str | None) -> Talk:
        """There is always a conversation to go on with."""
        self.all: list[Talk] = []
        self.sent: list[tuple[Talk, str, dict[str, Any], dict[str, str], Any]] = []
        self.keys = 0
        return self._start(visitor)

    @rule(target=talks, visitor=st.sampled_from((None, "ann", "bob")))
    def start(self, visitor: str | None) -> Talk:
        """Somebody begins."""
        return self._start(visitor)

    @rule(seconds=st.sampled_from((0.0, 1.0, 30.0, 119.999, 120.0, 300.0)))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self._count()
        self._clock.advance(seconds)

    @rule(
        talk=talks,
        number=st.sampled_from((1, 3, 4, 5)),
        place=st.integers(0, 4),
        claimed=st.sampled_from((None, 0, 119.9, 120, 4000)),
        keyed=st.booleans(),
        by_slug=st.booleans(),
    )
    def choose(
        self,
        talk: Talk,
        number: int,
        place: int,
        claimed: float | None,
        keyed: bool,
        by_slug: bool,
    ) -> None:
        """An option is clicked, first or in place of another."""
        options = CHOICES[number]
        self._answer(talk, number, options[place % len(options)], claimed, keyed=keyed)

    @rule(
        talk=talks,
        text=st.sampled_from(PLACES) | st.text("abc ñ漢😀'<", min_size=1, max_size=15),
        claimed=st.sampled_from((None, 0, 119.9, 120)),
        keyed=st.booleans(),
    )
    def type_place(self, talk: Talk, text: str, claimed: float | None, keyed: bool) -> None:
        """A text is typed for question 2; blanks alone are asked again."""
        if text.strip():
            self._answer(talk, 2, text, claimed, typed=True, keyed=keyed)
        else:
            self._expect_reask(talk, 2, text)

    @rule(talk=talks, parts=st.lists(st.sampled_from(CHOICES[5]), min_size=1, unique=True))
    def choose_several(self, talk: Talk, parts: list[str]) -> None:
        """Several products at once, as a list."""
        self._answer(talk, 5, ", ".join(parts), None, sent=parts)

    @rule(talk=talks, number=st.sampled_from((1, 3, 4)), text=st.sampled_from(NONSENSE))
    def type_nonsense(self, talk: Talk, number: int, text: str) -> None:
        """A text near no option is asked again once, and then believed."""
        if (number, text) in talk.asked_again:
            self._answer(talk, number, text, None, typed=True)
        else:
            self._expect_reask(talk, number, text)

    @rule(talk=talks, number=st.integers(1, 5))
    def skip(self, talk: Talk, number: int) -> None:
        """A question is passed over, where that may be."""
        body = {"session_id": talk.id, "question_id": number, "skip": True}
        before = talk.score
        status, said = self._post(talk, "/api/answer", body)
        if talk.deleted:
            assert status == 404
        elif number not in OPTIONAL:
            assert status == (409 if talk.closed else 200)
            assert talk.closed or said["accepted"] is False
        elif talk.closed:
            repeated = number in talk.answers and talk.answers[number].skipped
            assert status == (200 if repeated else 409)
        else:
            if not (number in talk.answers and talk.answers[number].skipped):
                talk.skip(number, self._now)
            self._check_answer(talk, said, before)

    @rule(talk=talks, text=st.sampled_from(("Yes, go ahead", "not now", "  YES, GO AHEAD ")))
    def greet(self, talk: Talk, text: str) -> None:
        """A reply to the greeting counts while question 1 is unanswered, and leaves it open."""
        if talk.deleted or talk.closed or 1 in talk.answers:
            return
        before = talk.score
        status, said = self._post(
            talk, "/api/answer", {"session_id": talk.id, "question_id": 1, "answer_text": text}
        )
        assert status == 200
        talk.behave("replied_to_greeting", None)
        self._check_answer(talk, said, before)

    @rule(talk=talks, number=st.sampled_from((0, 6, "nothing", "9" * 30, -1)))
    def answer_unknown(self, talk: Talk, number: Any) -> None:
        """There is no such question."""
        body = {"session_id": talk.id, "question_id": number, "answer_text": "x"}
        status, said = self._post(talk, "/api/answer", body)
        assert status == (404 if talk.deleted else 422), said

    @rule(
        talk=talks,
        action=st.sampled_from(CLICKS),
        name=st.sampled_from(NAMES),
        older=st.booleans(),
        keyed=st.booleans(),
    )
    def click(self, talk: Talk, action: str, name: str | None, older: bool, keyed: bool) -> None:
        """A product or a call to action."""
        field = "product" if action == "clicked_product" else "cta"
        metadata = {} if name is None else {field: name}
        self._behave(talk, action, metadata, older=older, keyed=keyed, name=name)

    @rule(talk=talks, action=st.sampled_from(OTHER_ACTIONS), points=st.integers(-99, 99))
    def claim(self, talk: Talk, action: str, points: int) -> None:
        """Whatever else a client reports, and whatever points it claims for it."""
        self._behave(talk, action, {"score": points}, score_change=points)

    @rule(talk=talks)
    def invent(self, talk: Talk) -> None:
        """An action that nobody knows earns nothing and is refused."""
        body = {"session_id": talk.id, "action": "be_rich"}
        # The word is looked at before the session, so a deleted one makes no difference.
        assert self._post(talk, "/api/behavior", body)[0] == 422

    @rule(talk=talks)
    def close(self, talk: Talk) -> None:
        """The visitor confirms the closing summary."""
        self._behave(talk, "confirmed_summary", {})

    @rule(talk=talks, email=st.sampled_from(EMAILS), name=st.sampled_from(("Ann", "Bob")))
    def say_who(self, talk: Talk, email: str, name: str) -> None:
        """A contact that can be one."""
        self._profile(talk, {"name": name, "email": email}, contact=True)

    @rule(talk=talks, name=st.text("ab<'😀", max_size=4), custom=st.integers(0, 3))
    def say_little(self, talk: Talk, name: str, custom: int) -> None:
        """A name and an attribute are no contact."""
        self._profile(talk, {"name": name, "favourite": custom}, contact=False)

    @rule(talk=talks, email=st.sampled_from(NO_EMAILS))
    def say_no_address(self, talk: Talk, email: str) -> None:
        """What cannot be an address is refused whole."""
        body = {"session_id": talk.id, "profile_data": {"name": "Eve", "email": email}}
        status, _ = self._post(talk, "/api/lead/profile", body)
        assert status == (404 if talk.deleted else 422)

    @rule(talk=talks, field=st.sampled_from(("lead_score", "classification", "assigned_to")))
    def say_too_much(self, talk: Talk, field: str) -> None:
        """What the server decides is not taken from a visitor."""
        body = {"session_id": talk.id, "profile_data": {field: 99, "email": "x@example.com"}}
        status, _ = self._post(talk, "/api/lead/profile", body)
        assert status == (404 if talk.deleted else 422)

    @rule(talk=talks, phone=st.sampled_from(("9123456789", "+49 30 123456")))
    def staff_edit(self, talk: Talk, phone: str) -> None:
        """Sales writes down a number: now a contact is known, closed or not."""
        reply = self._staff("PATCH", talk, {"phone": phone, "stage": "Contacted"})
        assert reply.status_code == (404 if talk.deleted else 200)
        if not talk.deleted:
            talk.contact = True
            assert reply.json["score"] == talk.score
            assert reply.json["classification"] == talk.classification

    @rule(talk=talks)
    def erase(self, talk: Talk) -> None:
        """The person is taken out; no count moves."""
        self._count()
        if talk.deleted:
            return
        with self.shop.unit() as services:
            services.privacy.erase_lead(self.leads[talk.id], actor="walk")
        talk.erase()
        self.sent = [one for one in self.sent if one[0] is not talk]

    @rule(talk=talks, chance=st.integers(0, 7))
    def delete(self, talk: Talk, chance: int) -> None:
        """Sales deletes the lead: to everybody outside it is unknown from now on."""
        if chance:
            return
        reply = self._staff("DELETE", talk, None)
        assert reply.status_code == (404 if talk.deleted else 200)
        talk.deleted = True
        self.sent = [one for one in self.sent if one[0] is not talk]

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """A request with a key is sent again: the very same reply, and no second effect."""
        self._count()
        if not self.sent:
            return
        talk, path, body, headers, said = data.draw(st.sampled_from(self.sent))
        again = self.shop.app.test_client().post(path, json=body, headers=headers)
        assert again.status_code == 200 and again.json == said
        assert again.headers["Idempotent-Replayed"] == "true"
        other = self.shop.app.test_client().post(path, json={**body, "x": 1}, headers=headers)
        assert other.status_code == 422
        assert other.json["error"]["code"] == "idempotency_key_reused"

    # What must be true after every step

    @invariant()
    def every_reading_agrees(self) -> None:
        """Score, class, progress and closing as the visitor reads them are those of the model."""
        for talk in self.all[-2:]:
            headers = {"X-Visitor-Token": talk.token}
            reply = self.shop.app.test_client().get(f"/api/lead/summary/{talk.id}", headers=headers)
            assert reply.status_code == (404 if talk.deleted else 200)
            if not talk.deleted:
                self._check_summary(talk, reply.json)

    def teardown(self) -> None:
        """After the walk the facts give the same ledger, and each score is the sum of its own."""
        with self.shop.unit() as services:
            assert services.replays.replay_all().differences == []
            for talk in getattr(self, "all", []):
                points = services.session.scalar(
                    select(func.sum(UserBehavior.score_impact)).where(
                        UserBehavior.session_id == talk.id
                    )
                )
                assert points == talk.score
                rows = services.session.scalars(
                    select(Answer.question_id).where(Answer.session_id == talk.id)
                ).all()
                assert sorted(rows) == sorted(talk.answers)

    # Requests

    @property
    def _clock(self) -> SettableClock:
        assert isinstance(self.shop.clock, SettableClock)
        return self.shop.clock

    @property
    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _count(self) -> None:
        type(self).steps += 1

    def _start(self, visitor: str | None) -> Talk:
        self._count()
        said = self.shop.start(**({"visitor_id": visitor} if visitor else {}))
        talk = Talk(
            said["session_id"],
            said["visitor_token"],
            ORDERS[said["variants"]["question_flow"]],
            self._now,
        )
        assert said["first_question"]["id"] == talk.next_question
        with self.shop.unit() as services:
            held, lead = services.leads.find_session_lead(talk.id)
            self.leads = {**getattr(self, "leads", {}), talk.id: lead.id}
        self.all.append(talk)
        return talk

    def _post(
        self, talk: Talk, path: str, body: dict[str, Any], *, keyed: bool = False
    ) -> tuple[int, Any]:
        self._count()
        headers = {}
        if keyed:
            self.keys += 1
            headers = {"Idempotency-Key": f"{talk.id[-6:]}-{self.keys}"}
        reply = self.shop.app.test_client().post(path, json=body, headers=headers)
        assert reply.status_code < 500, reply.text
        if keyed and reply.status_code == 200:
            self.sent.append((talk, path, body, headers, reply.json))
        if reply.status_code >= 400:
            assert set(reply.json) == {"error"}
        return reply.status_code, reply.json

    def _staff(self, method: str, talk: Talk, body: Any) -> Any:
        self._count()
        path = f"/api/leads/{self.leads[talk.id]}"
        client = self.shop.app.test_client()
        return client.open(path, method=method, json=body, headers=bearer(self.key))

    def _answer(
        self,
        talk: Talk,
        number: int,
        text: str,
        claimed: float | None,
        *,
        typed: bool = False,
        keyed: bool = False,
        sent: Any = None,
    ) -> None:
        body = {"session_id": talk.id, "question_id": number, "answer_text": sent or text}
        if claimed is not None:
            body["time_taken"] = claimed
        before, repeated = talk.score, talk.stands(number, text)
        status, said = self._post(talk, "/api/answer", body, keyed=keyed)
        if talk.deleted:
            assert status == 404
        elif talk.closed and not repeated:
            assert status == 409 and said["error"]["code"] == "session_closed"
        else:
            assert status == 200, said
            if not repeated:
                talk.answer(number, text, typed=typed, claimed=claimed or 0, now=self._now)
            self._check_answer(talk, said, before)

    def _expect_reask(self, talk: Talk, number: int, text: str) -> None:
        body = {"session_id": talk.id, "question_id": number, "answer_text": text}
        status, said = self._post(talk, "/api/answer", body)
        if talk.deleted or talk.closed:
            assert status == (404 if talk.deleted else 409)
            return
        assert status == 200 and said["accepted"] is False and said["reask"]["message"]
        assert said["score_earned"] == 0 and said["lead_score"] == talk.score
        talk.asked_again.add((number, text))

    def _behave(
        self,
        talk: Talk,
        action: str,
        metadata: dict[str, Any],
        *,
        name: str | None = None,
        older: bool = False,
        keyed: bool = False,
        **more: Any,
    ) -> None:
        word = "behavior_type" if older else "action"
        body = {"session_id": talk.id, word: action, "metadata": metadata, **more}
        before = talk.score
        status, said = self._post(talk, "/api/behavior", body, keyed=keyed)
        if talk.deleted:
            assert status == 404
            return
        assert status == 200, said
        talk.behave(action, name)
        assert said["action"] == said["behavior_type"] == action
        assert said["score_change"] == said["score_impact"] == talk.score - before
        assert said["lead_score"] == talk.score
        assert said["classification"] == said["lead_type"] == talk.classification

    def _profile(self, talk: Talk, data: dict[str, Any], *, contact: bool) -> None:
        before = talk.score
        body = {"session_id": talk.id, "profile_data": data}
        status, said = self._post(talk, "/api/lead/profile", body)
        if talk.deleted or talk.closed:
            assert status == (404 if talk.deleted else 409)
            return
        assert status == 200, said
        talk.contact = talk.contact or contact
        assert said["score_change"] == talk.score - before
        assert said["lead_score"] == talk.score

    # Comparisons

    def _check_answer(self, talk: Talk, said: Any, before: int) -> None:
        assert said["accepted"] is True, said
        assert said["score_earned"] == talk.score - before
        assert said["lead_score"] == talk.score
        assert said["classification"] == talk.classification
        following = said["next_question"]
        assert (following and following["id"]) == talk.next_question
        assert said["progress"]["answered"] == talk.answered
        assert said["progress"]["total"] == len(talk.order)
        assert said["completed"] is talk.is_complete

    def _check_summary(self, talk: Talk, said: Any) -> None:
        lead = said["lead_data"]
        assert lead["lead_score"] == talk.score
        assert lead["classification"] == talk.classification
        assert lead["closed"] is talk.closed
        assert sum(row["score"] for row in said["ledger"]) == talk.score
        assert sum(row["score"] for row in said["behaviors"]) == talk.score
        kept = {row["question_id"]: row["answer_text"] for row in said["answers"]}
        assert kept == {number: given.text for number, given in talk.answers.items()}
