"""The calendar: whose follow-ups are when, moved, done, sent along; and the address to read at."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar
from sqlalchemy import select, update

from engine.vocabulary import DeliveryStatus
from integrations.channels.letter import Envelope, compose
from jobs.relay import Relay
from models import AuditEntry, CalendarFeed, Delivery, FollowUp, Lead, Person
from tests.console.office import START, Office, Visit, office, plain

HOSTILE = '"><script>alert(1)</script>\r\nATTENDEE:mailto:evil@example.com'
SOON = START + timedelta(days=1)


@pytest.fixture
def mailing(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """An office with a mail server, of which nothing is sent."""
    more = {"EMAIL_HOST": "localhost", "EMAIL_HOST_USER": "us@example.com"}
    with office(database_url, tmp_path, APP_URL="https://crm.example.com", **more) as found:
        yield found


def follow_up(ours: Office, lead: int, at: datetime = SOON, note: str | None = None) -> int:
    """The id of a new follow-up."""
    with ours.unit() as services:
        said = services.diary.set_follow_up(lead, at, note=note, actor="sam@example.com")
    return int(said["id"])


def due_at(ours: Office, number: int) -> datetime:
    """When a follow-up is due."""
    found = select(FollowUp.due_at).where(FollowUp.id == number)
    at: datetime = ours.ask(lambda services: services.session.scalar(found))
    return at


def live_in(ours: Office, name: str, zone: str) -> None:
    """From now on this person's clock is that of a zone."""
    email = f"{name.lower()}@example.com"
    with ours.unit() as services:
        person = update(Person).where(Person.email == email)
        services.session.execute(person.values(time_zone=zone))


def audits(ours: Office) -> list[str]:
    """What the audit log tells, in its order."""
    found = select(AuditEntry.action).order_by(AuditEntry.id)
    return list(ours.ask(lambda services: services.session.scalars(found).all()))


def letters(ours: Office) -> list[tuple[str, Any]]:
    """What is about to be sent: to which address, and the letter; it counts as sent."""
    relay, found = Relay(ours.resources), []
    while relay.fan_out():
        pass
    with ours.unit() as services:
        for one in services.notifications.prepare(50):
            envelope = Envelope(
                "Us <us@example.com>", (one.address,), "<x@example.com>", ours.clock.now()
            )
            found.append((one.address, compose(one.alert, envelope)))
            done = update(Delivery).where(Delivery.id == one.delivery.id)
            status = str(DeliveryStatus.DELIVERED)
            services.session.execute(done.values(status=status, due_at=None))
    return found


def events_of(letter: Any) -> Any:
    """The calendar's entry in a letter, and how it asks for it."""
    (part,) = [one for one in letter.walk() if one.get_content_type() == "text/calendar"]
    calendar = Calendar.from_ical(part.get_payload(decode=True))
    assert part.get_param("method") == calendar["method"]
    (event,) = calendar.walk("VEVENT")
    return str(calendar["method"]), event


def feed_of(visit: Visit) -> str:
    """The path of a new address of this person."""
    text = html.unescape(visit.post("/console/calendar/feeds").text)
    found = re.search(r'value="https?://[^/"]+(/calendar/[^"]+\.ics)"', text)
    assert found, plain(text)
    return found[1]


def test_the_days_show_what_is_due_and_what_is_late(ours: Office) -> None:
    lead = ours.enter_lead(name="Lena Lead", assigned_to="sam@example.com")
    follow_up(ours, lead, START - timedelta(hours=2), note="Call back")
    done = follow_up(ours, lead, SOON + timedelta(hours=1))
    follow_up(ours, lead, SOON, note="Offer")
    with ours.unit() as services:
        services.diary.finish_follow_up(lead, done, actor="x")
        services.pipeline.snooze(lead, START + timedelta(days=3), actor="x")

    page = ours.sam.text("/console/calendar")
    days = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
    found = ours.sam.get("/console/calendar/events", **days)

    assert "Overdue 1" in page and "Sunday, 22 November 2026" in page
    assert "Call back" in page and "Offer" in page and "Lena Lead wakes up" in page
    looks = [one["classNames"] for one in found.json]
    assert looks == [["is-overdue"], ["is-waiting"], ["is-done"], ["is-wake"]]
    assert found.json[1]["start"] == "2026-11-22T09:00"


def test_sales_sees_its_own_follow_ups_and_others_nothing(ours: Office) -> None:
    mine = ours.enter_lead(name="Mine", assigned_to="sam@example.com")
    hers = ours.enter_lead(name="Hers", assigned_to="sue@example.com")
    follow_up(ours, mine)
    number = follow_up(ours, hers)
    sam, path = ours.sam, f"/console/calendar/{hers}/{number}"

    page = sam.text("/console/calendar")

    assert "Mine" in page and "Hers" not in page
    assert sam.get(path).status_code == sam.get(f"{path}/follow-up.ics").status_code == 404
    for action in ("done", "move", "snooze", "invite"):
        form = {"due_at": "2026-12-01T10:00", "rest": "hour"}
        assert sam.post(f"{path}/{action}", form).status_code in (404, 409), action
    assert due_at(ours, number) == SOON
    assert "Hers" not in ours.alice.text("/console/calendar", whose="mine")


def test_a_crowded_day_is_counted_and_shows_its_first_entries(ours: Office) -> None:
    mine = ours.enter_lead(name="Mine", assigned_to="sam@example.com")
    hers = ours.enter_lead(name="Hers", assigned_to="sue@example.com")
    for minute in range(18):
        follow_up(ours, mine if minute < 17 else hers, SOON + timedelta(minutes=minute))
    with ours.unit() as services:
        services.pipeline.snooze(mine, SOON + timedelta(hours=3), actor="x")
    range_ = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}

    month = ours.sam.get("/console/calendar/events", **range_).json
    everybodys = ours.alice.get("/console/calendar/events", **range_).json
    week = {"start": "2026-11-16T00:00:00Z", "end": "2026-11-23T00:00:00Z"}
    page = ours.sam.get("/console/calendar").text
    (link,) = re.findall(r'href="([^"]+)"[^>]*aria-label="Show all of Sunday, 22 November', page)
    whole = ours.sam.get(html.unescape(link).partition("#")[0]).text

    assert [one["title"] for one in month] == ["Mine"] * 4 + ["+14 more"]
    assert [one["start"][11:] for one in month] == ["09:00", "09:01", "09:02", "09:03", "09:03"]
    assert everybodys[-1]["title"] == "+15 more"
    assert len(ours.sam.get("/console/calendar/events", **week).json) == 18
    assert page.count('class="agenda-line"') == 15 and "3 more on this day" in plain(page)
    assert whole.count('class="agenda-line"') == 18 and "Mine wakes up" in plain(whole)
    assert "Hers" not in whole and "more on this day" not in whole


def test_overdue_follow_ups_are_counted_and_shown_bit_by_bit(ours: Office) -> None:
    lead = ours.enter_lead(name="Lena Lead", assigned_to="sam@example.com")
    for minute in range(11):
        follow_up(ours, lead, START - timedelta(minutes=minute + 1))

    page = ours.sam.get("/console/calendar").text
    (link,) = re.findall(r'href="([^"]+)"[^>]*>Show more of them', page)
    more = ours.sam.get(html.unescape(link).partition("#")[0]).text

    assert page.count("is-overdue") == 0 and page.count('class="agenda-line"') == 8
    assert "Overdue 11" in plain(page) and "3 more wait." in plain(page)
    assert more.count('class="agenda-line"') == 11 and "more wait" not in more


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland"])
def test_a_day_is_one_of_the_readers_own_calendar(ours: Office, zone: str) -> None:
    lead = ours.enter_lead(name="Lena Lead", assigned_to="sam@example.com")
    here = ZoneInfo(zone)
    nights = [
        datetime(2026, 11, day, hour, 59, tzinfo=here) for day in (23, 24) for hour in (0, 23)
    ]
    for at in nights:
        follow_up(ours, lead, at)
    sam = ours.sam
    live_in(ours, "Sam", zone)

    page = sam.text("/console/calendar")
    cut = {"start": "2026-11-24T00:00:00Z", "end": "2026-11-25T00:00:00Z"}

    assert re.findall(r"(\d+) November 2026 00:59 Lena .*? 23:59", page) == ["23", "24"]
    found = [one["start"] for one in sam.get("/console/calendar/events", **cut).json]
    assert found == ["2026-11-24T00:59", "2026-11-24T23:59"]


@pytest.mark.parametrize(
    ("zone", "wall", "moment"),
    [
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30"),
        ("Europe/Berlin", "2026-03-29T03:30", "2026-03-29T01:30"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("Europe/Berlin", "2026-10-25T03:30", "2026-10-25T02:30"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
        ("America/New_York", "2026-11-01T02:30", "2026-11-01T07:30"),
    ],
)
def test_a_follow_up_is_set_and_moved_by_the_readers_own_clock(
    small: Office, zone: str, wall: str, moment: str
) -> None:
    small.clock.set(datetime(2026, 3, 1, tzinfo=UTC))
    lead, sam = small.enter_lead(), small.sam
    live_in(small, "Sam", zone)
    number = follow_up(small, lead, datetime(2026, 3, 2, tzinfo=UTC))

    form = {"lead": str(lead), "due_at": wall, "note": "x"}
    assert sam.post("/console/calendar/new", form).status_code == 303
    moved = sam.post(f"/console/calendar/{lead}/{number}/move", {"due_at": wall}, part=True)

    assert moved.status_code == 204
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert due_at(small, number) == due_at(small, number + 1) == at


def test_the_second_of_two_equal_hours_stays_where_it_is_when_nothing_was_changed(
    small: Office,
) -> None:
    at = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    small.clock.set(datetime(2026, 10, 1, tzinfo=UTC))
    lead, sam = small.enter_lead(), small.sam
    live_in(small, "Sam", "Europe/Berlin")
    number = follow_up(small, lead, at)
    path = f"/console/calendar/{lead}/{number}"
    page = sam.get(path).text
    shown = re.search(r'name="shown" value="([^"]+)"', page)
    assert shown and 'value="2026-10-25T02:30"' in page

    sam.post(f"{path}/move", {"due_at": "2026-10-25T02:30", "shown": shown[1]})

    assert due_at(small, number) == at


def test_a_lead_rests_until_nine_of_a_day_of_23_hours(small: Office) -> None:
    small.clock.set(datetime(2026, 3, 28, 12, tzinfo=UTC))
    lead, sam = small.enter_lead(), small.sam
    live_in(small, "Sam", "Europe/Berlin")
    path = f"/console/calendar/{lead}/{follow_up(small, lead)}/snooze"
    found = select(Lead.snoozed_until).where(Lead.id == lead)

    sam.post(path, {"rest": "day"})

    at = small.ask(lambda services: services.session.scalar(found))
    assert at == datetime(2026, 3, 29, 7, tzinfo=UTC)
    assert sam.post(path, {"until": "2026-03-01T10:00"}).status_code == 422
    assert sam.post(path, {}).status_code == 422
    assert sam.post(path, {"until": "2026-06-01T10:00"}).status_code == 303


def test_a_move_can_be_undone_and_each_step_is_audited_once(ours: Office) -> None:
    lead, sam = ours.enter_lead(), ours.sam
    number, before = follow_up(ours, lead), len(audits(ours))
    path = f"/console/calendar/{lead}/{number}"

    reply = sam.post(f"{path}/move", {"due_at": "2026-12-24T10:00"}, part=True)
    undo = re.search(r'"undo": "([^"]+)"', reply.headers["HX-Trigger"])
    assert undo and due_at(ours, number) == datetime(2026, 12, 24, 10, tzinfo=UTC)
    sam.post(undo[1])
    sam.post(f"{path}/done")
    late = sam.post(f"{path}/move", {"due_at": "2026-12-24T10:00"}, part=True)

    assert due_at(ours, number) == SOON
    assert late.status_code == 409
    assert audits(ours)[before:] == ["follow_up.moved", "follow_up.moved", "follow_up.done"]


@pytest.mark.parametrize(
    "form",
    [{}, {"due_at": "soon"}, {"due_at": "1066-10-14T09:00"}, {"due_at": "9999-12-31T23:59"}],
)
def test_a_moment_that_cannot_be_is_refused_and_what_was_typed_stays(
    small: Office, form: dict[str, str]
) -> None:
    lead = small.enter_lead(name="Lena")
    said = {"lead": str(lead), "note": "About <b>us</b>", **form}

    reply = small.sam.post("/console/calendar/new", said)

    assert reply.status_code == 422 and "About &lt;b&gt;us&lt;/b&gt;" in reply.text
    assert f'value="{lead}" required checked' in reply.text


def test_an_invitation_follows_the_follow_up_until_it_is_done(mailing: Office) -> None:
    lead = mailing.enter_lead(name="Lena Lead", assigned_to="sam@example.com")
    number = follow_up(mailing, lead, note="The offer")
    sam, path = mailing.sam, f"/console/calendar/{lead}/{number}"
    letters(mailing)

    sam.post(f"{path}/invite")
    ((address, first),) = letters(mailing)
    sam.post(f"{path}/move", {"due_at": "2026-12-01T10:00"})
    ((_, second),) = letters(mailing)
    sam.post(f"{path}/done")
    ((_, third),) = letters(mailing)

    assert address == "sam@example.com" and first["To"] == "sam@example.com"
    told = [events_of(letter) for letter in (first, second, third)]
    assert [method for method, _ in told] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [event["sequence"] for _, event in told] == [0, 1, 2]
    assert len({event["uid"] for _, event in told}) == 1
    assert told[1][1]["dtstart"].dt == datetime(2026, 12, 1, 10, tzinfo=UTC)
    assert told[0][1]["organizer"] == "mailto:us@example.com"
    assert told[0][1]["summary"] == "Follow-up: Lena Lead"
    assert "follow_up.invited" in audits(mailing) and letters(mailing) == []


def test_who_lost_the_lead_hears_no_more_of_its_follow_up(mailing: Office) -> None:
    lead = mailing.enter_lead(name="Lena Lead", assigned_to=None)
    number = follow_up(mailing, lead)
    mailing.sam.post(f"/console/calendar/{lead}/{number}/invite")
    assert len(letters(mailing)) == 1

    mailing.ask(lambda ours: ours.pipeline.assign(lead, "sue@example.com", actor="alice"))
    mailing.sue.post(f"/console/calendar/{lead}/{number}/move", {"due_at": "2026-12-01T10:00"})

    assert letters(mailing) == []


def test_who_is_not_invited_hears_of_no_move(mailing: Office) -> None:
    lead = mailing.enter_lead(assigned_to="sam@example.com")
    number = follow_up(mailing, lead)

    mailing.sam.post(f"/console/calendar/{lead}/{number}/move", {"due_at": "2026-12-01T10:00"})

    assert letters(mailing) == []


def test_the_owner_is_reminded_at_their_own_address_with_the_note(mailing: Office) -> None:
    lead = mailing.enter_lead(name="Lena Lead", assigned_to="sam@example.com")
    mailing.hire("Sam", "sales")
    live_in(mailing, "Sam", "Europe/Berlin")
    number = follow_up(mailing, lead, START + timedelta(minutes=5), note="Bring the offer")
    mailing.clock.advance(600)
    with mailing.unit() as services:
        assert services.diary.remind(number)

    found = letters(mailing)

    assert [address for address, _ in found] == ["sam@example.com"]
    text = found[0][1].get_body(("plain",)).get_content()
    assert "Bring the offer" in text and "10:05 CET" in text
    assert found[0][1]["Subject"] == "Follow-up due: Lena Lead"
    assert letters(mailing) == []


def test_personal_addresses_are_no_destinations_that_others_see(mailing: Office) -> None:
    lead = mailing.enter_lead(assigned_to="sam@example.com")
    number = follow_up(mailing, lead)
    mailing.sam.post(f"/console/calendar/{lead}/{number}/invite")

    listed = mailing.ask(lambda services: services.destinations.list_all())

    assert listed["destinations"] == []


def test_without_a_mail_server_the_file_is_offered_alone(ours: Office) -> None:
    lead = ours.enter_lead(name=HOSTILE)
    number = follow_up(ours, lead, note=HOSTILE)
    path = f"/console/calendar/{lead}/{number}"

    page = ours.sam.get(path).text
    reply = ours.sam.get(f"{path}/follow-up.ics")

    assert "Invite me" not in page and "<script>alert" not in page
    assert ours.sam.post(f"{path}/invite").status_code == 409
    (event,) = Calendar.from_ical(reply.data).walk("VEVENT")
    assert reply.mimetype == "text/calendar" and "attendee" not in event
    assert event["dtstart"].dt == SOON


def test_an_address_shows_ones_own_follow_ups_until_it_is_revoked(ours: Office) -> None:
    mine = ours.enter_lead(name="Mine", email="mine@example.com", assigned_to="sam@example.com")
    hers = ours.enter_lead(name="Hers", assigned_to="sue@example.com")
    number = follow_up(ours, mine, note="Offer")
    follow_up(ours, hers)
    sam = ours.sam
    path, anybody = feed_of(sam), ours.app.test_client()

    first = anybody.get(path)
    same = anybody.get(path, headers={"If-None-Match": first.headers["ETag"]})
    with ours.unit() as services:
        services.diary.finish_follow_up(mine, number, actor="x")
    other = anybody.get(path, headers={"If-None-Match": first.headers["ETag"]})

    (event,) = Calendar.from_ical(first.data).walk("VEVENT")
    assert (event["summary"], event["description"]) == ("Follow-up: Mine", "Offer")
    assert b"Hers" not in first.data and b"mine@example.com" not in first.data
    assert same.status_code == 304 and other.status_code == 200 and b"VEVENT" not in other.data
    assert "private" in first.headers["Cache-Control"]
    read = select(CalendarFeed.read_at, CalendarFeed.token_sha256, CalendarFeed.id)
    at, kept, feed_id = ours.ask(lambda s: s.session.execute(read).one())
    assert at == START and kept not in path

    assert ours.sue.post(f"/console/calendar/feeds/{feed_id}/revoke").status_code == 404
    assert anybody.get(path).status_code == 200
    assert sam.post(f"/console/calendar/feeds/{feed_id}/revoke").status_code == 303
    assert anybody.get(path).status_code == 404
    assert {"calendar_feed.made", "calendar_feed.revoked"} <= set(audits(ours))


def test_an_address_dies_with_the_person_who_left(small: Office) -> None:
    path = feed_of(small.sam)
    with small.unit() as services:
        left = update(Person).where(Person.email == "sam@example.com")
        services.session.execute(left.values(disabled_at=START))

    assert small.app.test_client().get(path).status_code == 404


@pytest.mark.parametrize("token", ["x", "a" * 43, "é" * 40, "a" * 5000, "%00" * 40])
def test_an_unknown_address_is_nothing(small: Office, token: str) -> None:
    assert small.app.test_client().get(f"/calendar/{token}.ics").status_code == 404


def test_addresses_are_few_and_shown_once(small: Office) -> None:
    sam = small.sam
    paths = {feed_of(sam) for _ in range(5)}

    assert sam.post("/console/calendar/feeds").status_code == 409
    page = sam.get("/console/calendar").text
    assert len(paths) == 5 and not any(path in page for path in paths)


def test_who_only_looks_on_sees_letters_and_no_notes(small: Office) -> None:
    lead = small.enter_lead(name="Lena Lead", company="Secret Ltd", assigned_to="sam@example.com")
    number = follow_up(small, lead, note="Private words")
    path = f"/console/calendar/{lead}/{number}"
    query = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}

    for person in (small.mark, small.vera):
        for page in ("/console/calendar", path, "/console/calendar/events"):
            text = person.get(page, **query).text
            assert "L." in text
            assert not any(word in text for word in ("Lena", "Secret", "Private"))
        assert person.get(f"{path}/follow-up.ics").status_code == 403
        assert person.get("/console/calendar/new").status_code == 403
        for action in ("done", "move", "snooze", "invite", "back"):
            assert person.post(f"{path}/{action}").status_code == 403
        assert person.post("/console/calendar/feeds").status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"start": "2026-11-01T00:00:00Z", "end": "2027-11-01T00:00:00Z"},
        {"start": "2026-11-02T00:00:00Z", "end": "2026-11-01T00:00:00Z"},
        {"start": "0001-01-01T00:00:00Z", "end": "0001-01-02T00:00:00Z"},
    ],
)
def test_a_range_that_cannot_be_is_refused(small: Office, query: dict[str, str]) -> None:
    assert small.sam.get("/console/calendar/events", **query).status_code == 422


def test_a_lead_is_found_by_a_part_of_its_name(small: Office) -> None:
    small.enter_lead(name="Lena Lead")
    small.enter_lead(name=HOSTILE)

    text = small.sam.get("/console/calendar/new", q="len", at="2026-12-01").text

    assert "Lena Lead" in text and 'value="2026-12-01T09:00"' in text
    assert "<script>alert" not in small.sam.get("/console/calendar/new").text


def test_the_page_allows_one_style_element_by_a_word_of_its_own(small: Office) -> None:
    replies = [small.sam.get("/console/calendar") for _ in range(2)]

    words = [
        re.search(r"'nonce-([^']+)'", one.headers["Content-Security-Policy"]) for one in replies
    ]
    assert words[0] and words[1] and words[0][1] != words[1][1]
    assert f'content="{words[0][1]}"' in replies[0].text
    assert "unsafe" not in replies[0].headers["Content-Security-Policy"]
