"""The pages of the list of leads: who sees what, forms that are refused, hostile texts."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from sqlalchemy import select

from jobs.tasks import Worker
from models import AuditEntry, Lead
from tests.browser.hostile import TEXTS
from tests.console.office import Office, Visit, plain
from tests.console.talks import talk

FORM = {"query": ""}


def entries(ours: Office) -> list[tuple[str, str]]:
    """What the audit log has of people, without what the test's own set-up did."""
    rows = select(AuditEntry.actor, AuditEntry.action).order_by(AuditEntry.id)
    return ours.ask(lambda s: [tuple(row) for row in s.session.execute(rows)])


def test_a_rep_reads_filters_and_walks_through_their_leads(ours: Office) -> None:
    for number in range(30):
        ours.enter_lead(name=f"Lead {number:02d}", assigned_to="sam@example.com")
    hers = ours.enter_lead(name="Hers alone", assigned_to="sue@example.com")
    sam = ours.sam

    first = sam.get("/console/leads", sort="name", size=25)

    assert "30 leads" in plain(first.text) and "Hers alone" not in first.text
    after = first.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = sam.text(after)
    assert "Lead 29" in second and "Lead 03" not in second
    assert "1 lead" in sam.text("/console/leads", q="lead 07")
    assert "No lead is like that" in sam.text("/console/leads", q="hers")
    assert "Hers alone" in ours.alice.text("/console/leads", owner="sue@example.com")
    assert sam.get("/console/leads", filters=1).status_code == 200
    assert sam.get(f"/console/leads/{hers}/edit").status_code == 404


@pytest.mark.parametrize(
    "query", [{"sort": "id;drop"}, {"size": "3"}, {"cursor": "x"}, {"tier": "x"}, {"from": "when"}]
)
def test_an_address_that_makes_no_sense_is_told_so(small: Office, query: dict[str, str]) -> None:
    assert small.sam.get("/console/leads", **query).status_code == 422


def test_who_sees_people_masked_finds_nobody_by_name(small: Office) -> None:
    talk(small, profile={"name": "Lena Keller", "email": "lena@example.com"})
    small.enter_lead(name="Omar", company="Haddad & Sons")

    for visit in (small.mark, small.vera):
        page = visit.get("/console/leads")
        assert "Keller" not in page.text and "lena@" not in page.text and "Haddad" not in page.text
        assert "L." in plain(page.text)
        for query in ({"q": "lena"}, {"said": "mumbai"}):
            assert "2 leads" in plain(visit.get("/console/leads", **query).text)
        assert "1 lead" in plain(visit.get("/console/leads", chose="1:Retail Store").text)
        assert visit.get("/console/leads/new").status_code == 403
        assert visit.post("/console/leads/export", {"format": "csv"}).status_code == 403
        assert visit.post("/console/leads/bulk", {"action": "assign"}).status_code == 403
        assert visit.get("/console/leads/duplicates").status_code == 403


@pytest.mark.parametrize("path", ["new", "1/edit", "duplicates", "1/merge/2", "views"])
def test_strangers_are_sent_to_sign_in(small: Office, path: str) -> None:
    reply = small.app.test_client().get(f"/console/leads/{path}")

    assert reply.status_code == 303 and "/console/sign-in" in reply.headers["Location"]


# Views


def test_a_view_is_kept_shared_renamed_and_deleted(small: Office) -> None:
    small.enter_lead(name="Lena")
    sam, sue = small.sam, small.sue

    sam.post("/console/leads/views", {"name": "My hot", "query": "tier=hot&q=lena"})
    sam.post("/console/leads/views", {"name": "Ours", "shared": "true", "query": "owner=mine"})

    assert "My hot" in sam.text("/console/leads") and "Ours" in sue.text("/console/leads")
    assert "My hot" not in sue.text("/console/leads")
    person = small.hire("Sam", "sales")
    ids = small.ask(lambda s: [one.id for one in s.saved_views.list_views(person)])
    stolen = sue.post(f"/console/leads/views/{ids[1]}", {"name": "Mine now"})
    assert stolen.status_code == 404
    taken = sam.post(f"/console/leads/views/{ids[0]}", {"name": "Ours"})
    assert taken.status_code == 409 and "already" in plain(taken.text)
    sam.post(f"/console/leads/views/{ids[0]}", {"name": "<b>Renamed</b>"})
    assert "&lt;b&gt;Renamed" in sam.get("/console/leads").text
    sam.post(f"/console/leads/views/{ids[0]}/delete")
    assert "Renamed" not in sam.text("/console/leads/views")


def test_who_only_looks_on_keeps_views_but_shares_none(small: Office) -> None:
    vera = small.vera

    vera.post("/console/leads/views", {"name": "Vera's", "shared": "true", "query": "tier=hot"})
    person = small.hire("Vera", "viewer")
    mine = small.ask(lambda s: [one.id for one in s.saved_views.list_views(person)])
    vera.post(f"/console/leads/views/{mine[0]}", {"name": "Vera's own", "shared": "true"})

    assert "Vera's own" in vera.text("/console/leads")
    assert "Vera's own" not in small.sam.text("/console/leads")
    assert 'name="shared"' not in vera.get("/console/leads/views").text
    small.enter_lead()
    assert "leads/bulk" not in vera.get("/console/leads").text


# Many at once


def test_ticked_leads_are_moved_and_taken_back_from_the_toast(ours: Office) -> None:
    ids = [ours.enter_lead(name=f"N{number}") for number in range(3)]
    alice = ours.alice
    before = len(entries(ours))

    form = {"ids": ids[:2], "action": "stage", "stage": "Meeting", "query": "q=n"}
    reply = alice.post("/console/leads/bulk", form)

    assert reply.headers["Location"] == "/console/leads?q=n"
    said = alice.get("/console/leads").text
    assert "2 leads moved" in said
    assert len(entries(ours)) == before + 1
    undo = said.split('<form method="post" action="/console/leads/bulk/')[1].split('"')[0]
    alice.post(f"/console/leads/bulk/{undo}")
    stages = [ours.ask(lambda s: s.session.get(Lead, one).stage) for one in ids]
    assert stages == [None, None, None]


def test_a_rep_takes_leads_but_gives_none_to_others(small: Office) -> None:
    lead = small.enter_lead()
    sam, sue = small.sam, small.sue

    other = {"ids": [lead], "action": "assign", "owner": sue.person}
    assert sam.post("/console/leads/bulk", other).status_code == 403
    none = {"ids": [lead], "action": "assign", "owner": ""}
    assert sam.post("/console/leads/bulk", none).status_code == 422
    assert sam.post("/console/leads/bulk", {"action": "assign", "owner": "mine"}).status_code == 422
    assert sam.post("/console/leads/bulk", {**other, "owner": "mine"}).status_code == 303

    assert small.ask(lambda s: s.session.get(Lead, lead).assigned_to) == sam.person
    assert (
        small.alice.post(
            "/console/leads/bulk", {**other, "owner": "nobody@nowhere.example"}
        ).status_code
        == 422
    )


def test_all_of_a_long_list_is_changed_in_the_background(small: Office) -> None:
    with small.unit() as services:
        for number in range(201):
            services.book.enter({"name": f"N{number}"}, actor="x")
    alice = small.alice

    form = {"all": "true", "action": "campaign", "campaign": "Spring", "query": "owner=nobody"}
    reply = alice.post("/console/leads/bulk", form)

    path = reply.headers["Location"]
    assert "looked at" in alice.text(path)
    while Worker(small.resources).work():
        pass
    assert "201 of 201 leads changed" in alice.text(path)
    assert "201 leads" in alice.text("/console/leads", campaign="Spring")


# Out


def test_a_list_goes_out_as_it_is_filtered_and_the_audit_knows(ours: Office) -> None:
    ours.enter_lead(name="=1+1", assigned_to="sam@example.com")
    ours.enter_lead(name="Free")
    ours.enter_lead(name="Hers", assigned_to="sue@example.com")
    sam = ours.sam

    reply = sam.post("/console/leads/export", {"format": "csv", "query": "sort=oldest"})

    assert reply.headers["Content-Disposition"].startswith('attachment; filename="leads-2026-11-21')
    rows = list(csv.DictReader(io.StringIO(reply.text[1:])))
    assert [row["name"] for row in rows] == ["'=1+1", "Free"]
    assert entries(ours)[-1] == ("sam@example.com", "leads.exported")
    ticked = {"format": "jsonl", "ids": [rows[1]["id"]]}
    assert sam.post("/console/leads/export", ticked).text.count("\n") == 1


# By hand


def test_a_walk_in_is_entered_edited_deleted_and_brought_back(ours: Office) -> None:
    alice = ours.alice
    form = {"name": "Walter", "phone": "+91 98765 43210", "source": "walk-in", "stage": "Meeting"}
    before = len(entries(ours))

    made = alice.post("/console/leads/new", form)

    lead = int(made.headers["Location"].rsplit("/", 1)[1])
    assert len(entries(ours)) == before + 1
    assert "Walter" in alice.text(f"/console/leads/{lead}/edit")
    alice.post(f"/console/leads/{lead}/edit", {"name": "Walt", "stage": "Meeting"})
    known = ours.ask(lambda s: s.book.find_lead(lead))
    assert (known["name"], known["phone"], known["stage"]) == ("Walt", None, "Meeting")
    assert len(entries(ours)) == before + 2
    alice.post(f"/console/leads/{lead}/delete")
    assert "Walt" not in alice.get("/console/leads").text.split("<tbody>")[-1]
    alice.post(f"/console/leads/{lead}/restore")
    assert "Walt" in alice.text("/console/leads")
    assert len(entries(ours)) == before + 4


def test_attributes_of_a_lead_are_added_changed_and_taken_away(ours: Office) -> None:
    told = {"branch": "Pune", "tables": 12, "open": True, "tags": ["new"], "old": "x"}
    lead = ours.enter_lead(attributes=told)
    sam, path = ours.sam, f"/console/leads/{lead}/edit"
    page = sam.get(path).text
    assert 'name="attribute_value" value="Pune"' in page and 'value="[&#34;new&#34;]"' in page
    before = len(entries(ours))

    form = {
        "name": "Lena Lead",
        "attribute_name": ["branch", "old", "open", "tables", "tags", "unheard"],
        "attribute_value": ["Mumbai", "", "true", "14", '["new"]', "x"],
        "new_attribute_name": ["floor", ""],
        "new_attribute_value": [" 2nd ", ""],
    }
    assert sam.post(path, form).status_code == 303

    known = ours.ask(lambda s: s.book.find_lead(lead))["attributes"]
    assert known == {
        **{"branch": "Mumbai", "tables": 14, "open": True, "tags": ["new"]},
        **{"old": None, "floor": "2nd"},
    }
    assert len(entries(ours)) == before + 1
    assert "2nd" in sam.text(f"/console/leads/{lead}")
    assert 'value="old"' not in sam.get(path).text
    detail = ours.ask(lambda s: s.session.scalars(select(AuditEntry)).all())[-1].detail
    assert detail == {"fields": ["attributes"]}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("email", "x", "This name is taken"),
        ("lead_score", "100", "This name is taken"),
        ("branch", "Delhi", "There is one of this name already."),
        ("floor", "", "Say what it is."),
        ("n" * 65, "x", "has 1 to 64 characters"),
        ("floor", "x" * 1001, "At most 1000 characters"),
    ],
)
def test_an_attribute_that_cannot_be_is_refused_beside_its_row(
    small: Office, name: str, value: str, sentence: str
) -> None:
    lead = small.enter_lead(attributes={"branch": "Pune"})
    form = {
        "name": "Lena Lead",
        "attribute_name": ["branch"],
        "attribute_value": ["Goa"],
        "new_attribute_name": [name],
        "new_attribute_value": [value],
    }

    reply = small.sam.post(f"/console/leads/{lead}/edit", form)

    assert reply.status_code == 422 and sentence in reply.text
    assert 'value="Goa"' in reply.text and f'value="{name}"' in reply.text
    assert small.ask(lambda s: s.book.find_lead(lead))["attributes"] == {"branch": "Pune"}


def test_a_lead_has_so_many_attributes_and_no_more(small: Office) -> None:
    lead = small.enter_lead(attributes={f"a{number}": "x" for number in range(50)})
    form = {"name": "Lena", "new_attribute_name": ["b"], "new_attribute_value": ["x"]}

    reply = small.sam.post(f"/console/leads/{lead}/edit", form)

    assert reply.status_code == 422 and "at most 50 attributes" in reply.text


def test_a_refused_entry_keeps_what_was_typed_beside_the_sentence(small: Office) -> None:
    sam = small.sam

    wrong = sam.post("/console/leads/new", {"name": "Lena", "email": "no address", "phone": "12"})
    empty = sam.post("/console/leads/new", {"location": "Pune"})
    given = sam.post("/console/leads/new", {"name": "X", "assigned_to": "sue@example.com"})

    assert wrong.status_code == 422 and 'value="no address"' in wrong.text
    assert "This is no e-mail address." in wrong.text and "This is no phone number." in wrong.text
    assert empty.status_code == 422 and 'value="Pune"' in empty.text
    assert given.status_code == 403
    assert small.ask(lambda s: s.session.scalars(select(Lead.id)).all()) == []


def test_duplicates_are_compared_merged_and_parted(ours: Office) -> None:
    one = ours.enter_lead(name="Lena", email="lena@example.com")
    two = ours.enter_lead(name="Lena Keller", email="LENA@example.com", company="Keller")
    alice = ours.alice

    assert "The same e-mail" in alice.text("/console/leads/duplicates")
    assert "Lena Keller" in alice.text(f"/console/leads/{one}/merge/{two}")
    done = alice.post(f"/console/leads/{one}/merge/{two}", {"name": "other", "company": "other"})

    assert done.headers["Location"] == f"/console/leads/{one}"
    known = ours.ask(lambda s: s.book.find_lead(one))
    assert (known["name"], known["company"]) == ("Lena Keller", "Keller")
    assert "Part them" in alice.text(f"/console/leads/{one}/edit")
    merge = ours.ask(lambda s: s.merges.merges(one)[0].id)
    assert ours.sam.post(f"/console/leads/merges/{merge}/part").status_code == 403
    assert alice.post(f"/console/leads/merges/{merge}/part").status_code == 303
    assert ours.ask(lambda s: s.book.find_lead(one))["name"] == "Lena"
    assert alice.get(f"/console/leads/{one}/merge/{one}").status_code == 422
    assert alice.get(f"/console/leads/{one}/merge/999999").status_code == 404


def test_hostile_texts_are_texts_in_every_place(small: Office) -> None:
    alice: Visit = small.alice
    first = small.enter_lead(name="First", email="same@example.com")
    for number, hostile in enumerate(TEXTS):
        data: dict[str, Any] = {"company": hostile, "campaign": hostile[:200], "location": hostile}
        with small.unit() as services:
            services.book.enter({"name": hostile, "source": hostile[:200], **data}, actor="x")
    with small.unit() as services:
        services.book.edit(2, {"email": "same@example.com"}, actor="x")
    alice.post("/console/leads/views", {"name": TEXTS[0][:80], "query": "q=" + TEXTS[2]})

    for path in (
        "/console/leads?size=100",
        "/console/leads?size=100&filters=1",
        f"/console/leads/{first}/merge/2",
        "/console/leads/2/edit",
        "/console/leads/duplicates",
        "/console/leads/views",
    ):
        text = alice.get(path).text
        for hostile in TEXTS:
            if hostile.startswith(("<", '"', "'", "`", "</")) and "<" in hostile:
                assert hostile not in text, (path, hostile)
    for hostile in TEXTS:
        reply = alice.get("/console/leads", q=hostile[:200], campaign=hostile[:200])
        assert reply.status_code == 200 and "<script>window" not in reply.text
