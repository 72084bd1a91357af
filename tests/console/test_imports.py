"""The page of imports: from a file on somebody's desk to leads in sight, and back."""

from __future__ import annotations

import io
import re
from typing import Any

from jobs.tasks import Worker
from models import ImportBlock
from tests.console.office import Office, Visit, plain

TABLE = (
    "Name;E-Mail;Shop size;Result\n"
    "Ana Ünal;ana@example.com;12;yes\n"
    "Bo;not an address;3;no\n"
    "Cy;cy@example.com;7;no\n"
    "Di;ana@example.com;1;no\n"
)


def _upload(visit: Visit, content: bytes, name: str = "leads.csv") -> Any:
    form = {"file": (io.BytesIO(content), name)}
    return visit.post("/console/imports", form)


def _work(ours: Office) -> None:
    worker = Worker(ours.resources)
    while worker.work():
        pass


def _choices(**more: str) -> dict[str, str]:
    return {
        "column-0": "name",
        "column-1": "email",
        "column-2": "attribute",
        "column-3": "outcome",
        "won_values": "yes",
        **more,
    }


def test_a_file_is_mapped_tried_imported_and_taken_back(ours: Office) -> None:
    alice = ours.alice
    page = _upload(alice, TABLE.encode("cp1252")).headers["Location"]
    seen = alice.text(page)
    assert "Ana Ünal" in seen and "cp1252" in seen and "semicolon" in seen

    alice.post(f"{page}/choose", _choices(then="try"))
    assert "being tried" in alice.text(page)
    _work(ours)
    tried = alice.text(page)
    assert "2 would be new leads" in tried and "2 rows left out" in tried
    assert alice.get("/api/leads").json["leads"] == []

    alice.post(f"{page}/choose", _choices(then="import"))
    _work(ours)
    done = alice.text(page)
    assert "2 new leads" in done and "2 rows left out" in done
    leads = alice.get("/api/leads").json["leads"]
    assert {one["name"] for one in leads} == {"Ana Ünal", "Cy"}
    report = alice.get(f"{page}/report.csv").text
    assert len(report.splitlines()) == 3 and "not an address" not in report

    assert "Its leads are out of sight." in plain(alice.post(f"{page}/undo", follow=True).text)
    assert alice.get("/api/leads").json["leads"] == []
    alice.post(f"{page}/redo")
    assert len(alice.get("/api/leads").json["leads"]) == 2


def test_what_columns_mean_is_remembered_for_the_next_file(small: Office) -> None:
    alice = small.alice
    page = _upload(alice, TABLE.encode()).headers["Location"]
    form = _choices(then="try", **{"column-2": "ignore", "won_values": "Gewonnen, ja"})
    alice.post(f"{page}/choose", form)
    _work(small)

    again = _upload(alice, TABLE.encode()).headers["Location"]

    chosen = re.findall(r'<option value="(\w+)" selected', alice.get(again).text)
    assert chosen[:4] == ["name", "email", "ignore", "outcome"]
    assert 'value="gewonnen, ja"' in alice.get(again).text


def test_a_known_e_mail_is_updated_left_out_or_added_as_one_chose(ours: Office) -> None:
    ours.enter_lead(name="Old Ana", email="ana@example.com")
    counts = []
    for policy in ("skip", "add", "update"):
        page = _upload(ours.alice, b"name,email\nAna,ana@example.com\n").headers["Location"]
        form = {"column-0": "name", "column-1": "email", "policy": policy, "then": "import"}
        ours.alice.post(f"{page}/choose", form)
        _work(ours)
        said = ours.alice.text(page)
        counts.append([int(one) for one in re.findall(r"(\d+) (?:new leads|leads up|rows)", said)])

    assert counts == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_a_spreadsheets_unicode_text_is_read(small: Office) -> None:
    text = "name\temail\nJürgen 😀\tj@example.com\n"

    page = _upload(small.alice, text.encode("utf-16"), "leads.txt").headers["Location"]

    assert "Jürgen 😀" in small.alice.text(page) and "tab" in small.alice.text(page)


def test_a_file_that_is_none_is_refused_in_words(small: Office) -> None:
    alice = small.alice

    empty = _upload(alice, b"")
    missing = alice.post("/console/imports", {})
    headless = _upload(alice, b"ana@example.com,Ana\n")

    assert [one.status_code for one in (empty, missing, headless)] == [422, 422, 422]
    assert "empty" in plain(empty.text) and "Choose a file first" in plain(missing.text)
    assert "looks like a lead" in plain(headless.text)


def test_two_columns_that_are_one_field_are_named_and_the_choices_stay(small: Office) -> None:
    alice = small.alice
    page = _upload(alice, b"a,b\n1,2\n").headers["Location"]

    reply = alice.post(f"{page}/choose", {"column-0": "name", "column-1": "name", "then": "import"})

    assert reply.status_code == 422
    assert '"a" and "b" are both name' in plain(reply.text)
    assert reply.text.count('<option value="name" selected') == 2


def test_markup_in_a_file_is_text(small: Office) -> None:
    hostile = "<script>alert(1)</script>"
    page = _upload(
        small.alice, f"name,{hostile}\n{hostile},x\n".encode(), f"{hostile}.csv"
    ).headers["Location"]

    for path in (page, "/console/imports"):
        assert hostile not in small.alice.get(path).text


def test_a_forgotten_file_leaves_nothing_and_only_admins_import(small: Office) -> None:
    page = _upload(small.alice, TABLE.encode()).headers["Location"]
    small.alice.post(f"{page}/forget")

    assert small.alice.get(page).status_code == 404
    assert small.ask(lambda services: services.session.query(ImportBlock).count()) == 0
    for visit in (small.sam, small.mark, small.vera):
        assert visit.get("/console/imports").status_code == 403
        assert _upload(visit, TABLE.encode()).status_code == 403
