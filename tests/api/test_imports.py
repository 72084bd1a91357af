"""Leads from files: row by row, all at once or none, and nobody is told of old news."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from typing import Any

import pytest
from sqlalchemy import insert, select

from jobs.importing import Importing
from jobs.tasks import Prepared, Worker
from many_rows import each_of
from models import Lead
from services import import_reading
from services.import_reading import ImportReading
from tests.api.conftest import Caller, refused
from tests.shared_data import shared_file

HEADER = "name,email,phone,company,budget,result,created_at,occurred_at\n"
ANN = "Ann,ann@example.com,9123456789,Tea & Co,7,won,2026-01-02,2026-02-03T10:00:00Z\n"
BEN = "Ben,ben@example.com,,,007,lost,,\n"
MAPPING = {"result": "outcome"}


def send(api: Caller, data: str | bytes, **more: Any) -> Any:
    """The reply to a file; `mapping` as a dictionary, the rest as fields of the form."""
    raw = data.encode() if isinstance(data, str) else data
    headers = {**api.key("admin"), **more.pop("headers", {})}
    fields = {name: json.dumps(v) if isinstance(v, dict) else str(v) for name, v in more.items()}
    body, kind = form(fields, raw)
    client = api.app.test_client()
    return client.post("/api/imports", data=body, content_type=kind, headers=headers)


def form(fields: dict[str, str], file: bytes | None) -> tuple[bytes, str]:
    """A form as it travels, and its type; the test client would leave files of its own open."""
    said = "".join(
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ).encode()
    if file is not None:
        place = b'Content-Disposition: form-data; name="file"; filename="leads.csv"'
        said += b"--XX\r\n" + place + b"\r\n\r\n" + file + b"\r\n"
    return said + b"--XX--\r\n", "multipart/form-data; boundary=XX"


def work(api: Caller) -> None:
    """Every job that is due, to its end."""
    worker = Worker(api.resources)
    while worker.work():
        pass


def job_of(api: Caller, reply: Any) -> dict[str, Any]:
    """How far the job is that a reply names."""
    assert reply.status_code == 202, reply.text
    said: Any = api.staff("GET", reply.headers["Location"]).json
    return dict(said)


def bring_in(api: Caller, data: str | bytes, **more: Any) -> dict[str, Any]:
    """The result of an import that comes to its end."""
    reply = send(api, data, **more)
    work(api)
    job = job_of(api, reply)
    assert job["status"] == "done", job
    result: dict[str, Any] = job["result"]
    return result


def rejected(api: Caller, result: dict[str, Any]) -> list[list[str]]:
    """The rows of the report on what was left out."""
    reply = api.staff("GET", result["errors_url"])
    assert reply.mimetype == "text/csv"
    return list(csv.reader(io.StringIO(reply.text)))[1:]


def leads(api: Caller) -> dict[str, dict[str, Any]]:
    """All leads by name, as their pages show them."""
    found = api.staff("GET", "/api/leads", limit=200).json["leads"]
    return {one["name"]: api.staff("GET", f"/api/leads/{one['id']}").json for one in found}


def count(api: Caller, table: str) -> int:
    return int(api.rows(f"SELECT count(*) FROM {table}")[0][0])


def waiting(api: Caller) -> int:
    """How many facts of leads that never talked to us somebody must still hear of, one by one."""
    of_leads = "pending_facts p JOIN events e ON e.id = p.event_id JOIN leads l ON l.id = e.lead_id"
    return count(api, f"{of_leads} WHERE l.session_id IS NULL")


def test_a_file_becomes_leads_with_their_history(api: Caller) -> None:
    result = bring_in(api, HEADER + ANN + BEN, mapping=MAPPING)

    assert {k: result[k] for k in ("imported", "updated", "rejected")} == {
        "imported": 2,
        "updated": 0,
        "rejected": 0,
    }
    found = leads(api)
    ann, ben = found["Ann"], found["Ben"]
    assert (ann["email"], ann["phone"], ann["company"]) == (
        "ann@example.com",
        "9123456789",
        "Tea & Co",
    )
    assert (ann["outcome"], ann["outcome_at"]) == ("won", "2026-02-03T10:00:00.000Z")
    assert (ann["stage"], ben["stage"]) == ("Deal", "Reject")
    assert ann["created_at"] == "2026-01-02T00:00:00.000Z"
    assert (ann["attributes"], ben["attributes"]) == ({"budget": "7"}, {"budget": "007"})
    assert ann["source"] == "import"
    told = [(fact["kind"], fact["occurred_at"]) for fact in ann["history"]]
    assert told == [
        ("lead.created", "2026-01-02T00:00:00.000Z"),
        ("outcome.recorded", "2026-02-03T10:00:00.000Z"),
    ]
    assert ann["history"][0]["measured"]["source_kind"] == "import"
    assert rejected(api, result) == []


def test_nobody_is_told_of_old_news(api: Caller) -> None:
    place = {"channel": "webhook", "address": "https://example.com/hook"}
    assert api.staff("POST", "/api/destinations", place).status_code == 201
    session = api.reference()
    api.relay()
    before = count(api, "deliveries")

    bring_in(api, HEADER + ANN + "John,john@example.com,,,,won,,\n", mapping=MAPPING)
    assert waiting(api) == 0
    api.relay()

    assert before > 0
    assert count(api, "deliveries") == before
    assert count(api, "pending_facts") == 0
    assert api.summary(session)["lead_data"]["name"] == "John"
    assert api.differences() == []
    ann = leads(api)["Ann"]
    assert {row["profile"] for row in ann["score_history"]} >= {"core_points", "crm_rules"}


def test_a_known_lead_is_filled_and_overwritten(api: Caller) -> None:
    bring_in(api, HEADER + ANN + BEN, mapping=MAPPING)

    text = "email,name,company,city,result\nANN@example.com,Ann B.,,Pune,lost\n"
    result = bring_in(api, text, mapping={**MAPPING, "city": "location"})

    assert (result["imported"], result["updated"], result["rejected"]) == (0, 1, 0)
    ann = leads(api)["Ann B."]
    assert (ann["company"], ann["location"], ann["outcome"]) == ("Tea & Co", "Pune", "lost")
    assert ann["attributes"] == {"budget": "7"}
    assert count(api, "import_updates") == count(api, "import_blocks") == waiting(api) == 0


def test_the_same_file_twice_changes_nothing_the_second_time(api: Caller) -> None:
    bring_in(api, HEADER + ANN + BEN, mapping=MAPPING)
    before = count(api, "events")

    result = bring_in(api, HEADER + ANN + BEN, mapping=MAPPING)

    assert (result["imported"], result["updated"]) == (0, 2)
    # Only that there was an import.
    assert count(api, "events") == before + 1


def test_bad_rows_are_left_out_and_explained(api: Caller) -> None:
    rows = (
        "Ann,nobody,,,,won,,\n"
        "Bob,bob@example.com,call me,,,maybe,,\n"
        "Cid,cid@example.com,,,,won,2026-03-01,2026-02-01\n"
        "Dan,dan@example.com,,,,won,21/11/2026,\n"
        "Eve,eve@example.com\n"
        f"Fay,fay@example.com,,,{'x' * 1001},,,\n"
        "Gus,gus@example.com,,,a\x00b,,,\n"
        "Hal,hal@example.com,,,,,,\n"
        "\n"
        "Ivy,HAL@example.com,,,,,,\n"
        "Jim,jim@example.com,,,,,2027-01-01,\n"
    )
    result = bring_in(api, HEADER + rows, mapping=MAPPING)

    assert (result["imported"], result["rejected"]) == (1, 9)
    assert [(row, field) for row, field, _ in rejected(api, result)] == [
        ("2", "email"),
        ("3", "phone"),
        ("3", "result"),
        ("4", "occurred_at"),
        ("5", "created_at"),
        ("6", "row"),
        ("7", "budget"),
        ("8", "budget"),
        ("11", "email"),
        ("12", "created_at"),
    ]
    assert all(sentence.endswith(".") for *_, sentence in rejected(api, result))
    assert list(leads(api)) == ["Hal"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("name;e-mail\nJörg;j@example.com\n", "utf-8"),
        ("name,email\nJörg,j@example.com\n", "utf-8-sig"),
        ("name\temail\r\nJörg\tj@example.com\r\n", "cp1252"),
        ('Name|Email\rJörg|"j@example.com"\r', "utf-8"),
    ],
)
def test_tables_come_in_many_dialects(lite: Caller, text: str, encoding: str) -> None:
    bring_in(lite, text.encode(encoding))

    assert leads(lite)["Jörg"]["email"] == "j@example.com"


@pytest.mark.parametrize(
    ("raw", "fields", "named"),
    [
        (b"", {}, "file"),
        (b"\r\n\r\n", {}, "file"),
        (b"ann@example.com,Ann\n", {}, "file"),
        (b"1,2,3\n4,5,6\n", {}, "file"),
        (b"name,name\nAnn,Ann\n", {}, "file"),
        (b"name,,x\nAnn,1,2\n", {}, "file"),
        (b'name,"email\nAnn,1\n', {}, "file"),
        ("name\nJörg\n".encode("utf-16"), {}, "file"),
        (b"name\x81\nAnn\n", {}, "file"),
        (b"name,mail\nA,b\n", {"mapping": {"Mail": "email"}}, "mapping"),
        (b"name,mail\nA,b\n", {"mapping": {"mail": "lead_score"}}, "mapping"),
        (b"name,mail\nA,b\n", {"mapping": {"mail": "name"}}, "mapping"),
        (b"name\nA\n", {"mapping": "{"}, "mapping"),
        (b"name\nA\n", {"mapping": '{"name": 1}'}, "mapping"),
        (b"name\nA\n", {"mapping": "[" * 60_000}, "mapping"),
        (b"name\nA\n", {"won_values": " , "}, "won_values"),
        (b"name\nA\n", {"limit": "none"}, "limit"),
        (b"name\nA\n", {"limit": 0}, "limit"),
    ],
)
def test_what_cannot_be_imported_is_refused_at_once(
    lite: Caller, raw: bytes, fields: dict[str, Any], named: str
) -> None:
    error = refused(send(lite, raw, **fields), 422)

    assert list(error["fields"]) == [named]
    assert count(lite, "imports") == count(lite, "jobs") == 0


def test_a_form_without_a_file_is_refused(lite: Caller) -> None:
    client, headers = lite.app.test_client(), lite.key("imports:write")

    def post(data: bytes, kind: str | None) -> Any:
        return client.post("/api/imports", data=data, content_type=kind, headers=headers)

    for fields in ({"mapping": "{}"}, {"file": "name\nAnn\n"}, {}):
        assert list(refused(post(*form(fields, None)), 422)["fields"]) == ["file"]
    whole, kind = form({"limit": "1"}, b"name\nAnn\n")
    twice, _ = form({}, b"name\nBob\n")
    assert list(refused(post(whole[:-8] + b"\r\n" + twice, kind), 422)["fields"]) == ["file"]
    assert post(whole, kind).status_code == 202
    for broken in (whole[:40], whole[:-20], b"", b"--XX", whole.replace(b"XX", b"YY")):
        refused(post(broken, kind), 422)
    refused(post(whole, "multipart/form-data"), 422)
    refused(post(b'{"file": "x"}', "application/json"), 415)
    refused(post(b"name\nAnn", "text/csv"), 415)
    refused(post(b"name\nAnn", None), 415)


def test_a_file_that_is_too_large_is_refused(lite: Caller) -> None:
    refused(send(lite, b"name\n" + b"x" * (51 * 1024 * 1024)), 413)


def test_only_a_key_for_imports_may_import(lite: Caller) -> None:
    body, kind = form({}, b"name\nAnn\n")
    for scope in ("leads:write", "admin"):
        reply = lite.app.test_client().post(
            "/api/imports", data=body, content_type=kind, headers=lite.key(scope)
        )
        assert reply.status_code == (202 if scope == "admin" else 403)
    refused(lite.get("/api/imports/imp_1/errors"), 401)
    refused(lite.staff("GET", "/api/imports/imp_1/errors"), 404, "unknown_import")


def test_a_form_sent_twice_with_one_key_is_one_import(api: Caller) -> None:
    twice = {"headers": {"Idempotency-Key": "leads-2026"}}
    first = send(api, HEADER + ANN, **twice)
    again = send(api, HEADER + ANN, **twice)
    other = send(api, HEADER + BEN, **twice)

    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    refused(other, 422, "idempotency_key_reused")
    assert count(api, "imports") == 1


def test_good_rows_come_into_sight_together(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_reading, "ROWS_AT_ONCE", 100)
    rows = "".join(f"Lead {n},lead{n}@example.com\n" for n in range(400))
    reply = send(api, "name,email\n" + rows)
    seen, worker = [], Worker(api.resources)

    def look() -> bool:
        seen.append(len(api.staff("GET", "/api/leads", limit=200).json["leads"]))
        staged = api.rows("SELECT min(id) FROM leads")[0][0]
        if not seen[-1] and staged:
            refused(api.staff("GET", f"/api/leads/{staged}"), 404)
            refused(api.staff("PATCH", f"/api/leads/{staged}", {"name": "x"}), 404)
            note = {"kind": "call"}
            refused(api.staff("POST", f"/api/leads/{staged}/activities", note), 404)
        return False

    while worker.work(stopping=look):
        pass

    assert len(seen) >= 3 and set(seen) == {0}
    assert job_of(api, reply)["done"] == 400
    assert len(api.staff("GET", "/api/leads", limit=200).json["leads"]) == 200


class Killed(BaseException):
    """What ends a process between two instructions."""


def test_a_killed_job_goes_on_without_doubling(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_reading, "ROWS_AT_ONCE", 100)
    rows = "".join(f"Lead {n},lead{n}@example.com,{n},won\n" for n in range(500))
    known = "Known,known@example.com,1,won\n"
    bring_in(api, "name,email,n,result\n" + known, mapping=MAPPING)
    reply = send(api, "name,email,n,result\n" + rows + known + "bad,bad,1,won\n", mapping=MAPPING)
    times = 0

    def die() -> bool:
        nonlocal times
        times += 1
        raise Killed

    for _ in range(20):
        try:
            Worker(api.resources).work(stopping=die)
        except Killed:
            # Whoever comes next finds the job once its lease has run out.
            api.clock.advance(61)

    result = job_of(api, reply)["result"]
    assert times >= 4
    assert (result["imported"], result["updated"], result["rejected"]) == (500, 1, 1)
    assert api.rows("SELECT count(*), count(DISTINCT email) FROM leads") == [(501, 501)]
    kinds = "SELECT kind, count(*) FROM events WHERE kind LIKE '%.%' GROUP BY kind ORDER BY kind"
    told = dict(api.rows(kinds))
    assert (told["lead.created"], told["outcome.recorded"]) == (501, 501)
    assert told["lead.imported"] == 2


def test_an_import_that_fails_leaves_nothing_in_sight(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.import_service.MOST_ROWS", 300)
    rows = "".join(f"Lead {n},lead{n}@example.com\n" for n in range(301))
    reply = send(api, "name,email\n" + rows)
    work(api)

    job = job_of(api, reply)
    assert job["status"] == "failed"
    assert "more than" in job["error"]
    assert count(api, "leads") == count(api, "import_blocks") == count(api, "lead_scores") == 0
    assert count(api, "events WHERE personal IS NOT NULL") == 0


def test_what_a_job_left_that_died_for_good_is_tidied_up(api: Caller) -> None:
    rows = "".join(f"Lead {n},lead{n}@example.com\n" for n in range(400))
    reply = send(api, "name,email\n" + rows)
    with pytest.raises(Killed):
        Worker(api.resources).work(stopping=_die)
    with api.unit() as services:
        services.session.connection().exec_driver_sql("UPDATE jobs SET status = 'failed'")
        services.session.connection().exec_driver_sql("UPDATE jobs SET due_at = NULL")
    assert count(api, "leads") > 0

    result = bring_in(api, HEADER + ANN)

    assert result["imported"] == 1
    assert count(api, "leads") == 1
    assert job_of(api, reply)["status"] == "failed"


def test_a_hostile_file_harms_nobody(lite: Caller) -> None:
    column = '=cmd|"/c calc"!A1'
    lone = 'x,"never closed\n' + "y,2\n" * 300
    big = "z," + "x" * 10_000_000 + "\n"
    quoted = 'q,"' + "many lines\n" * 1000 + '"\n'
    raw = f'name,"{column.replace(chr(34), chr(34) * 2)}"\n' + lone + big + quoted + "last,1\n"
    result = bring_in(lite, raw)

    # Of the row that never closes only its own line is lost; "many lines" are rows of their own.
    assert result["imported"] == 301
    assert result["rejected"] == 1 + 1 + 1001
    too_long = f"name,x\n{'y' * 1001},1\nA,{'=' * 1001}\n"
    told = rejected(lite, bring_in(lite, too_long))
    assert [row[0] for row in told] == ["2", "3"]
    bad = "=1+1,x\n" + "a," + "y" * 1001 + "\nb," + "y" * 1001
    shown = lite.staff("GET", bring_in(lite, f'"=HYPERLINK(1)",{bad}')["errors_url"]).text
    assert "\"'=" in shown or "=" not in shown


def test_columns_of_any_name_are_kept_and_hide_nothing(lite: Caller) -> None:
    bring_in(lite, "name,id,score,session_id,Company\nAnn,77,99,sess_x,Acme\n")
    ann = leads(lite)["Ann"]

    assert ann["id"] != "77" and ann["score"] == 0 and ann["company"] == "Acme"
    assert ann["attributes"] == {"id": "77", "score": "99", "session_id": "sess_x"}
    with lite.unit() as services:
        (view,) = services.leads.get_all_leads()
    assert (str(view["id"]), view["session_id"]) == (ann["id"], None)


def test_the_bank_file_comes_in_as_it_is(api: Caller) -> None:
    head = shared_file("bank-full.csv").read_bytes().splitlines(keepends=True)[:501]
    result = bring_in(api, b"".join(head), mapping={"y": "outcome"}, limit=400)

    assert (result["imported"], result["rejected"]) == (400, 0)
    rows = api.rows("SELECT outcome, count(*) FROM leads GROUP BY outcome ORDER BY outcome")
    assert sum(n for _, n in rows) == 400
    one = api.staff("GET", "/api/leads", limit=1).json["leads"][0]
    attributes = api.staff("GET", f"/api/leads/{one['id']}").json["attributes"]
    assert len(attributes) == 15
    assert set(attributes) >= {"age", "job", "balance", "duration", "poutcome"}


def _die() -> bool:
    raise Killed


@pytest.mark.nightly
def test_the_whole_bank_file_comes_in(api: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    reply = send(api, shared_file("bank-full.csv").read_bytes(), mapping={"y": "outcome"})
    units, began, last = [], time.monotonic(), time.monotonic()

    def look() -> bool:
        nonlocal last
        units.append(time.monotonic() - last)
        last = time.monotonic()
        return False

    Worker(api.resources).work(stopping=look)

    seconds = time.monotonic() - began
    with capsys.disabled():
        kind = api.resources.engine.dialect.name
        middle, longest = sorted(units)[len(units) // 2], max(units)
        print(f"\n{kind}: 45,211 rows in {seconds:.1f} s, a unit {middle:.3f} s, {longest:.3f} s")
    result = job_of(api, reply)["result"]
    assert (result["imported"], result["rejected"]) == (45_211, 0)
    assert waiting(api) == 0
    outcomes = "SELECT outcome, count(*) FROM leads GROUP BY outcome ORDER BY outcome"
    assert api.rows(outcomes) == [("lost", 39_922), ("won", 5_289)]


def test_the_first_scores_are_those_of_any_later_look(api: Caller) -> None:
    rows = (
        "Ann,ann@example.com,80,,\n"
        "Ben,ben@example.com,,won,\n"
        "Cem,cem@example.com,Just me,,Meeting\n"
        "Dee,dee@example.com,2-5,lost,\n"
    )
    bring_in(api, "name,email,staff_size,outcome,stage\n" + rows)
    columns = "lead_id, profile, score, tier, coverage, armed, crossings"
    scores = f"SELECT {columns} FROM lead_scores ORDER BY lead_id, profile"
    first = api.rows(scores)

    with api.unit() as services:
        ids = list(services.session.scalars(select(Lead.id)))
        notable = services.lead_scores.renew_many(ids)

    assert notable == 0
    assert len(first) == 3 * len(ids) == 12 and api.rows(scores) == first
    assert len({row[2:5] for row in first}) > 3
    points = api.rows("SELECT lead_id, kind, score, tier FROM score_history")
    assert sorted(points) == sorted(row[:4] for row in first)


def test_a_text_that_looks_like_nothing_stays_a_text(api: Caller) -> None:
    odd = [
        "\\N",
        "\\",
        "a\\tb",
        "a\tb\tc",
        "NULL",
        'a "quoted" word',
        "two\nlines\r\nand a third",
        "tab\tand \\ and ,",
        "\\.",
    ]
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["name", "company", "remark"])
    writer.writerows([f"Lead {n:02}", text, text] for n, text in enumerate(odd))

    bring_in(api, table.getvalue())

    found = api.rows("SELECT company, location, name FROM leads ORDER BY name")
    assert found == [(text, None, f"Lead {n:02}") for n, text in enumerate(odd)]
    with api.unit() as services:
        kept = services.session.scalars(select(Lead.attributes).order_by(Lead.name))
        assert [one["remark"] for one in kept] == odd


def test_attributes_are_refused_together_only_where_they_are_too_large(lite: Caller) -> None:
    names = [f"c{n}" for n in range(20)]
    plain, wide = ["x" * 700] * 20, ["\U0001f600" * 65] * 20

    def row(cells: list[str], name: str) -> str:
        return ",".join((name, *cells)) + "\n"

    table = ",".join(("name", *names)) + "\n" + row(plain, "A") + row(wide, "B")
    # A letter beyond the first plane is written in twelve signs, so that few of them are many.
    more = row([*plain[:-1], "x" * 999], "C") + row([*wide[:-1], "\U0001f600" * 90], "D")
    result = bring_in(lite, table + more + row(["x" * 999] * 20, "E"))

    kept = {name: lead["attributes"] for name, lead in leads(lite).items()}
    told = {row for row, *_ in rejected(lite, result)}
    for number, name in enumerate("ABCDE", start=2):
        if name in kept:
            assert len(json.dumps(kept[name])) <= 16_000
        else:
            assert str(number) in told
    assert set(kept) == {"A", "B", "C"} and told == {"5", "6"}


def test_who_goes_on_after_another_reads_the_rows_that_come_next(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_reading, "ROWS_AT_ONCE", 50)
    rows = "".join(f"Lead {n},lead{n}@example.com\n" for n in range(400))
    reply = send(api, "name,email\n" + rows)
    first, second = (
        Worker(api.resources, {"leads.import": Prepared(Importing().prepare)}) for _ in range(2)
    )

    # In turns: what each has read ahead is old when it comes to the job again.
    for worker in [first, first, second, second, first, second, first, first, second] * 3:
        worker.work(stopping=lambda: True)

    result = job_of(api, reply)["result"]
    assert (result["imported"], result["rejected"]) == (400, 0)
    assert api.rows("SELECT count(*), count(DISTINCT email) FROM leads") == [(400, 400)]


def test_what_cannot_be_read_ahead_is_read_when_it_is_due(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_reading, "ROWS_AT_ONCE", 100)
    read = ImportReading.next_rows

    def fail_elsewhere(self: ImportReading, *place: Any) -> Any:
        if threading.current_thread() is not here:
            raise RuntimeError("the reading thread fell over")
        return read(self, *place)

    here = threading.current_thread()
    monkeypatch.setattr(ImportReading, "next_rows", fail_elsewhere)
    rows = "".join(f"Lead {n},lead{n}@example.com\n" for n in range(400))

    assert bring_in(api, "name,email\n" + rows)["imported"] == 400


def test_e_mails_are_looked_up_one_by_one_in_a_table_that_is_being_filled(api: Caller) -> None:
    with api.unit() as services:
        keys = [f"lead{n}@example.com" for n in range(300)]
        found = select(Lead.email_key, Lead.id).where(Lead.deleted_at.is_(None)).order_by(Lead.id)
        asked = each_of(services.session, Lead.email_key, keys, found)
        asked = asked.compile(
            services.session.connection().engine, compile_kwargs={"literal_binds": True}
        )
        now = api.resources.clock.now()
        values = [
            {"email_key": f"lead{n}@example.com", "source": "x", "created_at": now}
            | {"updated_at": now, "last_activity_at": now}
            for n in range(3000)
        ]
        services.session.execute(insert(Lead), values)

        is_server = services.session.connection().dialect.name == "postgresql"
        explain = "EXPLAIN" if is_server else "EXPLAIN QUERY PLAN"
        said = services.session.connection().exec_driver_sql(
            f"{explain} {asked}".replace("%", "%%")
        )
        plan = "\n".join(" ".join(map(str, line)) for line in said)

    assert "ix_leads_email_key" in plan
    assert "Seq Scan on leads" not in plan and "SCAN leads\n" not in plan
