"""Coming in: sign-in, its limits, links that open once, passwords; nothing tells who works here."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from errors import TooManyRequests
from models import AuditEntry, ConsoleSession, Job, LoginAttempt, OneTimeLink, Person
from services import password as passwords
from tests.console.office import Office, plain

PASSWORD = "four grey geese fly"
OTHER = "seven brown bears swim"
SIGN_IN = "/console/sign-in"
LEADS_OUT = (
    *("//evil.example", "///evil.example", "https://evil.example", "http:evil.example"),
    *("/\\evil.example", "\\/evil.example", "/console\\@evil.example", "/%2f/evil.example"),
    *("javascript:alert(1)", "data:text/html,x", "/console/../../evil", "/console/..;/x"),
    *("/console/\r\nSet-Cookie: a=b", "/console/\x00", "/console/\tx", " /console", "console"),
    *("/consoleevil", "/console.evil.example", "/console@evil.example", "//console/x", "/"),
    *("/api/leads", "https:/console", "?next=/console", "/console/\u2028x"),
)
# As in real life, a hash takes a tenth of a second and 64 MiB: too much for hundreds of tries.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = QUICK.hash(PASSWORD)
REAL_HASHER, REAL_DUMMY = passwords._HASHER, passwords.DUMMY


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost next to nothing here."""
    monkeypatch.setattr(passwords, "_HASHER", QUICK)
    monkeypatch.setattr(passwords, "DUMMY", QUICK.hash("nobody's"))


def employ(ours: Office, name: str = "Sam", role: str = "sales") -> int:
    """Somebody with a password; their id."""
    person_id = ours.hire(name, role)
    with ours.unit() as services:
        services.session.execute(
            update(Person).where(Person.id == person_id).values(password_hash=HASH)
        )
    return person_id


def sign_in(
    client: FlaskClient, email: str = "sam@example.com", password: str = PASSWORD, **more: Any
) -> TestResponse:
    """The reply to the sign-in form."""
    form = {"email": email, "password": password}
    return client.post(more.pop("path", SIGN_IN), data=form, **more)


def link_in(text: str) -> str:
    """The path of the link that a page shows."""
    found = re.search(r"http://localhost(/console/link/[\w-]+)", text)
    assert found, text
    return found[1]


def actions(ours: Office) -> list[str]:
    """What the audit says was done, in order."""
    with ours.unit() as services:
        found = services.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
        return list(found)


# Sign-in


def test_the_right_password_lets_in_and_is_audited_once(ours: Office) -> None:
    employ(ours)
    client = ours.app.test_client()

    reply = sign_in(client, email=" Sam@Example.com ")

    assert reply.status_code == 303 and reply.headers["Location"] == "/console"
    assert client.get("/console/profile").status_code == 200
    assert actions(ours) == ["person.signed_in"]


def test_the_same_is_said_of_a_wrong_password_and_of_nobody(ours: Office) -> None:
    employ(ours)
    gone = employ(ours, "Gil")
    ours.hire("Ina", "sales")
    with ours.unit() as services:
        services.people.disable(gone, by="tests")
    client = ours.app.test_client()

    said = {
        (reply.status_code, plain(reply.text).replace(name, "…"))
        # Gil's is right; and whoever guesses it learns nothing by that.
        for name, typed in (("sam", OTHER), ("gil", PASSWORD), ("ina", OTHER), ("nobody", OTHER))
        for reply in [sign_in(client, f"{name}@example.com", typed)]
    }

    assert len(said) == 1
    assert next(iter(said))[0] == 422
    assert "E-mail or password is not right." in next(iter(said))[1]


def test_an_unknown_name_costs_one_hash_like_a_known_one(
    small: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    employ(small)
    looked_at: list[str] = []

    class Counting:
        def verify(self, kept: str, typed: str) -> bool:
            looked_at.append(kept)
            return False

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    client = small.app.test_client()
    for email in ("sam@example.com", "nobody@example.com"):
        sign_in(client, email, "wrong password 1")

    assert looked_at == [HASH, passwords.DUMMY]
    # And the dummy is as costly as what people's passwords become.
    assert extract_parameters(REAL_DUMMY) == extract_parameters(REAL_HASHER.hash(PASSWORD))


def test_a_refused_form_keeps_the_e_mail_and_never_the_password(small: Office) -> None:
    reply = sign_in(small.app.test_client(), "ann@example.com", "wrong <b>password")

    assert 'value="ann@example.com"' in reply.text
    assert "wrong" not in reply.text.replace('class="wrong"', "")


def test_after_ten_failures_only_a_wait_is_told_for_known_and_unknown(ours: Office) -> None:
    employ(ours)
    said = []
    for email in ("sam@example.com", "nobody@example.com"):
        client = ours.app.test_client()
        for _ in range(10):
            assert sign_in(client, email, "x" * 12).status_code == 422
        # Right by now, and yet nobody looks at it any more.
        reply = sign_in(client, email)
        said.append((reply.status_code, reply.headers["Retry-After"]))
        assert "Try again in 15 minutes." in plain(reply.text)

    assert said == [(429, "900"), (429, "900")]
    ours.clock.advance(15 * 60 + 1)  # type: ignore[attr-defined]
    assert sign_in(ours.app.test_client()).status_code == 303


def test_another_office_counts_the_same_failures(ours: Office) -> None:
    """The count is in the database: another process has it, too."""
    for _ in range(10):
        with ours.unit() as services:
            services.login_guard.admit("sam@example.com", "somewhere")

    assert sign_in(ours.app.test_client()).status_code == 429


def test_many_tries_at_once_are_no_more_than_allowed(ours: Office) -> None:
    def admitted(_: int) -> bool:
        try:
            with ours.unit() as services:
                services.login_guard.admit("sam@example.com", "somewhere")
        except TooManyRequests:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(admitted, range(24))) == 10


def test_an_address_tries_a_hundred_times_an_hour(small: Office) -> None:
    client = small.app.test_client()
    sign_in(client, "zero@example.com", "x" * 12)
    with small.unit() as services:
        address = str(services.session.scalar(select(LoginAttempt.address)))
        for number in range(98):
            services.login_guard.admit(f"p{number}@example.com", address)

    assert sign_in(client, "one@example.com", "x" * 12).status_code == 422
    assert sign_in(client, "two@example.com", "x" * 12).status_code == 429
    assert sign_in(client, "two@example.com", "x" * 12, environ_base=ELSEWHERE).status_code == 422


ELSEWHERE = {"REMOTE_ADDR": "198.51.100.7"}


def test_who_comes_in_rightly_has_all_tries_again(small: Office) -> None:
    employ(small)
    client = small.app.test_client()
    for _ in range(9):
        sign_in(client, password="x" * 12)
    assert sign_in(client).status_code == 303

    with small.unit() as services:
        assert services.session.scalar(select(func.count()).select_from(LoginAttempt)) == 0


def test_no_address_and_no_name_waits_in_the_table_of_failures(small: Office) -> None:
    sign_in(small.app.test_client(), "typo@example.com", "x" * 12, environ_base=ELSEWHERE)

    with small.unit() as services:
        row = services.session.scalars(select(LoginAttempt)).one()
        assert "typo" not in row.account_sha256 and "198" not in row.address


def test_a_secret_from_before_the_sign_in_is_worth_nothing_after_it(ours: Office) -> None:
    """Session fixation: what somebody put into a browser does not become a way in."""
    employ(ours)
    client = ours.app.test_client()
    client.set_cookie("leadline", "planted" * 6)
    sign_in(client)
    fresh = client.get_cookie("leadline")
    assert fresh is not None and fresh.value != "planted" * 6

    attacker = ours.app.test_client()
    attacker.set_cookie("leadline", "planted" * 6)
    assert attacker.get("/console/profile").status_code == 303

    # And who signs in once more leaves no older secret of this browser behind.
    sign_in(client)
    stale = ours.app.test_client()
    stale.set_cookie("leadline", fresh.value)
    assert client.get("/console/profile").status_code == 200
    assert stale.get("/console/profile").status_code == 303


def test_no_redirect_leads_out_of_the_console(small: Office) -> None:
    employ(small)
    client = small.app.test_client()
    for path in LEADS_OUT:
        reply = sign_in(client, query_string={"next": path})

        assert reply.headers["Location"] == "/console", path
        assert "Set-Cookie: a" not in str(reply.headers)


def test_a_page_of_ours_is_found_again_after_the_sign_in(small: Office) -> None:
    employ(small)

    reply = sign_in(small.app.test_client(), query_string={"next": "/console/profile?x=1"})

    assert reply.headers["Location"] == "/console/profile?x=1"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_no_other_site_signs_anybody_in(small: Office, headers: dict[str, str]) -> None:
    employ(small)
    client = small.app.test_client()

    assert sign_in(client, headers=headers).status_code == 403
    assert client.get("/console/profile").status_code == 303


def test_over_tls_the_cookie_is_of_this_host_alone(small: Office) -> None:
    employ(small)
    client = small.app.test_client()

    reply = sign_in(client, base_url="https://localhost")

    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith("__Host-leadline=")
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= parts
    assert "Domain" not in cookie
    assert client.get("/console/profile", base_url="https://localhost").status_code == 200
    # In clear text the secret is not even asked for by that name.
    assert small.app.test_client().get("/console/profile").status_code == 303


# The first admin


def test_the_set_up_link_makes_the_first_admin_once(ours: Office) -> None:
    with ours.unit() as services:
        token = services.links.make_set_up(by="tests")
    path = f"/console/link/{token}"
    client = ours.app.test_client()
    form = {"email": "Olga@Example.com", "name": "Olga", "password": PASSWORD}

    assert "first administrator" in plain(client.get(path).text)
    assert client.post(path, data=form).status_code == 303
    assert "olga@example.com" in client.get("/console/people").text

    again = ours.app.test_client().get(path)
    assert again.status_code == 404
    assert "has been used" in plain(again.text)
    late = ours.app.test_client().post(path, data={**form, "email": "eve@example.com"})
    assert late.status_code == 404
    with ours.unit() as services:
        assert services.links.make_set_up(by="tests") is None
        assert [one.email for one in services.people.list_all()] == ["olga@example.com"]
    assert actions(ours) == ["person.set_up"]


def test_only_the_newest_set_up_link_is_good_and_for_half_an_hour(small: Office) -> None:
    with small.unit() as services:
        older = services.links.make_set_up(by="tests")
        newer = services.links.make_set_up(by="tests")
    client = small.app.test_client()

    assert "has expired" in plain(client.get(f"/console/link/{older}").text)
    assert client.get(f"/console/link/{newer}").status_code == 200
    small.clock.advance(30 * 60)  # type: ignore[attr-defined]
    reply = client.get(f"/console/link/{newer}")
    assert reply.status_code == 404
    assert "flask --app main set-up-link" in plain(reply.text)


def test_a_made_up_link_opens_nothing(small: Office) -> None:
    client = small.app.test_client()
    for token in ("x", "é" * 43, "A" * 43, "A" * 5000, "%00", "..%2f"):
        assert client.get(f"/console/link/{token}").status_code == 404, token
        sent = client.post(f"/console/link/{token}", data={"password": PASSWORD})
        assert sent.status_code == 404, token


# Invitations and forgotten passwords


def test_somebody_who_is_invited_chooses_a_password_and_is_in(ours: Office) -> None:
    alice = ours.alice
    form = {"email": "bob@example.com", "name": "Bob", "role": "viewer"}
    path = link_in(alice.post("/console/people", form).text)
    bob = ours.app.test_client()

    assert bob.post(path, data={"name": "Robert", "password": PASSWORD}).status_code == 303

    assert "Robert" in bob.get("/console/profile").text
    assert bob.get("/console/people").status_code == 403
    assert actions(ours) == ["person.invited", "person.joined"]


def test_a_link_for_a_new_password_signs_out_everywhere(ours: Office) -> None:
    employ(ours)
    sam = ours.sam
    alice = ours.alice
    person_id = ours.hire("Sam", "sales")
    older = link_in(alice.post(f"/console/people/{person_id}/link").text)
    path = link_in(alice.post(f"/console/people/{person_id}/link").text)
    client = ours.app.test_client()

    assert client.get(older).status_code == 404
    assert client.post(path, data={"password": OTHER}).status_code == 303

    assert client.get("/console/profile").status_code == 200
    assert sam.get("/console/profile").status_code == 303
    assert sign_in(ours.app.test_client()).status_code == 422
    assert sign_in(ours.app.test_client(), password=OTHER).status_code == 303
    assert client.get(path).status_code == 404


WEAK = {
    "short1": "at least 12",
    "sam@example.com": "name or e-mail",
    "password1234": "Many people",
    "P@ssw0rd2026!": "Many people",
    "123456789012": "Many people",
    "aaaaaaaaaaaa": "Many people",
    "qwertyuiop12": "Many people",
    "x" * 201: "at most 200",
}


def test_a_weak_password_is_refused_with_what_to_do(small: Office) -> None:
    person_id = employ(small)
    with small.unit() as services:
        token = services.people.make_link(person_id, by="tests")
    for weak, word in WEAK.items():
        reply = small.app.test_client().post(f"/console/link/{token}", data={"password": weak})

        assert reply.status_code == 422, weak
        assert word in plain(reply.text), weak
    assert sign_in(small.app.test_client()).status_code == 303


def test_a_forgotten_password_without_mail_says_what_to_do(small: Office) -> None:
    client = small.app.test_client()

    assert "flask --app main reset-password" in plain(client.get("/console/forgotten").text)
    reply = client.post("/console/forgotten", data={"email": "sam@example.com"})
    assert reply.status_code == 409
    assert _jobs(small) == []


def _jobs(ours: Office) -> list[dict[str, Any]]:
    with ours.unit() as services:
        theirs = select(Job.payload).where(Job.kind == "people.write")
        return [dict(one) for one in services.session.scalars(theirs)]


def test_no_secret_of_a_link_or_a_session_is_kept(small: Office) -> None:
    person_id = employ(small)
    with small.unit() as services:
        link = services.people.make_link(person_id, by="tests")
        session = services.sign_ins.begin(person_id, browser="b", address="a")
    with small.unit() as services:
        kept = services.session.scalars(select(OneTimeLink.token_sha256)).all()
        kept += services.session.scalars(select(ConsoleSession.token_sha256)).all()

    assert len(kept) == 2
    assert link not in kept and session not in kept
    assert len(link) >= 43 and len(session) >= 43


# Profile


def test_a_profile_is_changed_and_times_follow_it(ours: Office) -> None:
    sam = ours.sam

    reply = sam.post("/console/profile", {"name": "Samuel", "time_zone": "Asia/Kolkata"})

    assert reply.status_code == 303
    text = sam.get("/console/profile").text
    assert "Samuel" in text and "14:30 IST" in text
    assert actions(ours) == ["person.profile_changed"]


def test_a_time_zone_that_is_none_is_refused_and_the_name_kept(small: Office) -> None:
    reply = small.sam.post("/console/profile", {"name": "<b>Sam", "time_zone": "../etc/passwd"})

    assert reply.status_code == 422
    assert 'value="&lt;b&gt;Sam"' in reply.text and "<b>Sam" not in reply.text


def test_another_password_signs_out_every_other_browser(ours: Office) -> None:
    employ(ours)
    here, there = ours.sam, ours.sam
    form = {"current_password": PASSWORD, "password": OTHER}

    wrong = here.post("/console/profile/password", {**form, "current_password": "no no no no"})
    assert wrong.status_code == 422 and "not your password" in wrong.text
    assert there.get("/console/profile").status_code == 200
    assert here.post("/console/profile/password", form).status_code == 303

    assert here.get("/console/profile").status_code == 200
    assert there.get("/console/profile").status_code == 303
    assert actions(ours) == ["person.password_changed"]


def test_a_stolen_session_cannot_guess_the_password(small: Office) -> None:
    employ(small)
    sam = small.sam
    form = {"current_password": "no no no no", "password": OTHER}
    statuses = [sam.post("/console/profile/password", form).status_code for _ in range(11)]

    assert statuses == [422] * 10 + [429]


def test_browsers_are_listed_and_signed_out_from_here(ours: Office) -> None:
    here, there, sue = ours.sam, ours.sam, ours.sue
    him, her = ours.hire("Sam", "sales"), ours.hire("Sue", "sales")
    with ours.unit() as services:
        mine, hers = services.sign_ins.list_of(him), services.sign_ins.list_of(her)
    # Ours was begun first.
    other = max(one.session_id for one in mine)

    reply = here.post(f"/console/profile/browsers/{hers[0].session_id}/end")
    assert reply.status_code == 404
    assert here.post(f"/console/profile/browsers/{other}/end").status_code == 303

    assert there.get("/console/profile").status_code == 303
    assert sue.get("/console/profile").status_code == 200
    assert here.get("/console/profile").status_code == 200
    another = ours.sam
    assert here.post("/console/profile/browsers/end-others").status_code == 303
    assert another.get("/console/profile").status_code == 303
    assert actions(ours) == ["session.ended", "session.others_ended"]


def test_what_is_over_is_tidied_away(ours: Office) -> None:
    from services.retention_service import RetentionService

    employ(ours)
    sign_in(ours.app.test_client(), password="x" * 12)
    assert ours.sam.get("/console/profile").status_code == 200
    with ours.unit() as services:
        services.links.make_set_up(by="tests")
        token = services.people.make_link(1, by="tests")
    assert token

    ours.clock.advance(timedelta(days=32).total_seconds())  # type: ignore[attr-defined]
    with ours.unit() as services:
        gone = services.make(RetentionService).tidy()
        left = [
            services.session.scalar(select(func.count()).select_from(table))
            for table in (LoginAttempt, ConsoleSession, OneTimeLink)
        ]

    assert gone >= 3
    assert left == [0, 0, 0]
