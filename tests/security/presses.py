"""Every button of the console, pressed once as somebody would press it: by the name of its view.

Each is a function of an office that has put what the button is about in its place; it says on which
page the form stands, where it goes, and what is filled in besides what the page has filled in.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from jobs.tasks import Worker
from models import ConsoleSession, Delivery
from services.destination_service import Who
from services.one_time_links import Purpose
from services.password import hashed
from tests.console.office import Office

PASSWORD = "four grey geese fly"
BY = "alice@example.com"
TABLE = b"Name,Email\nAna,ana@example.com\n"
DEAR = {"name": "Dear", "email": "dear@example.com", "phone": "+919123456789"}


@dataclass(frozen=True)
class Press:
    """A form on its page: where it goes and what is typed; without a page it stands alone."""

    action: str
    typed: Mapping[str, Any] = field(default_factory=dict)
    page: str | None = None


Prepare = Callable[[Office], Press]
BUTTONS: dict[str, Prepare] = {}


def press(view: str) -> Callable[[Prepare], Prepare]:
    """Names the view that a button calls."""

    def named(prepare: Prepare) -> Prepare:
        BUTTONS[view] = prepare
        return prepare

    return named


def _lead(ours: Office, **more: Any) -> str:
    return f"/console/leads/{ours.enter_lead(**more)}"


def _number(path: str) -> int:
    return int(path.rpartition("/")[2])


# A lead on its page


def _of_lead(view: str, button: str, typed: Mapping[str, Any]) -> None:
    def prepare(ours: Office) -> Press:
        page = _lead(ours)
        return Press(f"{page}/{button}", typed, page)

    BUTTONS[f"console_lead_work.{view}"] = prepare


_of_lead("log", "activities", {"kind": "call", "result": "reached", "note": "Nice"})
_of_lead("plan", "follow-ups", {"due_at": "2026-12-01T09:00"})
_of_lead("snooze", "snooze", {"span": "1d"})
_of_lead("give", "owner", {"owner": BY})
_of_lead("stage", "stage", {"stage": "Meeting"})
_of_lead("end", "outcome", {"outcome": "won", "value": "10"})


@press("console_lead_work.wake")
def _wake(ours: Office) -> Press:
    page = _lead(ours)
    with ours.unit() as services:
        until = ours.clock.now() + timedelta(days=1)
        services.pipeline.snooze(_number(page), until, actor=BY)
    return Press(f"{page}/wake", page=page)


@press("console_lead_work.recycle")
def _recycle(ours: Office) -> Press:
    page = _lead(ours)
    with ours.unit() as services:
        services.pipeline.record_outcome(_number(page), "lost", actor=BY)
    return Press(f"{page}/recycle", {"campaign": "Second try"}, page)


def _follow_up(ours: Office, *, hours: int = 1) -> tuple[int, int]:
    lead = ours.enter_lead()
    with ours.unit() as services:
        due = ours.clock.now() + timedelta(hours=hours)
        return lead, int(services.diary.set_follow_up(lead, due, actor=BY)["id"])


@press("console_lead_work.move")
def _move_there(ours: Office) -> Press:
    lead, number = _follow_up(ours)
    page = f"/console/leads/{lead}"
    return Press(f"{page}/follow-ups/{number}/move", {"due_at": "2026-12-02T09:00"}, page)


@press("console_lead_work.finish")
def _finish_there(ours: Office) -> Press:
    lead, number = _follow_up(ours)
    page = f"/console/leads/{lead}"
    return Press(f"{page}/follow-ups/{number}/done", page=page)


@press("console_lead_entry.enter")
def _enter(ours: Office) -> Press:
    page = "/console/leads/new"
    return Press(page, {"name": "Walter", "source": "walk-in", "stage": "Uncontacted"}, page)


@press("console_lead_entry.keep")
def _keep(ours: Office) -> Press:
    page = f"{_lead(ours)}/edit"
    return Press(page, {"company": "Keller", "campaign": "Spring", "assigned_to": BY}, page)


@press("console_lead_entry.delete")
def _delete(ours: Office) -> Press:
    page = _lead(ours)
    return Press(f"{page}/delete", page=f"{page}/edit")


@press("console_lead_entry.restore")
def _restore(ours: Office) -> Press:
    page = _lead(ours)
    with ours.unit() as services:
        services.book.delete(_number(page), actor=BY)
    return Press(f"{page}/restore")


# The queue


def _in_queue(view: str, button: str, typed: Mapping[str, Any]) -> None:
    def prepare(ours: Office) -> Press:
        lead, _ = _follow_up(ours, hours=-1)
        return Press(f"/console/now/{lead}/{button}", typed)

    BUTTONS[f"console_now.{view}"] = prepare


_in_queue("called", "called", {})
_in_queue("no_answer", "no-answer", {})
_in_queue("wrote", "wrote", {})
_in_queue("snooze", "snooze", {"span": "1h"})
_in_queue("tomorrow", "tomorrow", {})
_in_queue("finish", "finish", {})
_in_queue("take", "take", {})


# Many leads, views, duplicates


@press("console_leads.change_many")
def _many(ours: Office) -> Press:
    ids = [ours.enter_lead(), ours.enter_lead()]
    typed = {"action": "stage", "stage": "Meeting", "ids": ids}
    return Press("/console/leads/bulk", typed, "/console/leads")


@press("console_leads.undo")
def _undo_many(ours: Office) -> Press:
    from services.bulk_service import Change
    from services.bulk_service import Who as Asker

    lead = ours.enter_lead()
    with ours.unit() as services:
        change = Change("stage", "Meeting")
        done = services.bulk.change_some([lead], change, Asker(BY))
    return Press(f"/console/leads/bulk/{done.entry_id}/undo")


@press("console_leads.export")
def _export(ours: Office) -> Press:
    lead = ours.enter_lead()
    return Press("/console/leads/export", {"format": "csv", "ids": [lead]})


@press("console_leads.keep_view")
def _keep_view(ours: Office) -> Press:
    return Press("/console/leads/views", {"name": "Hot ones", "shared": "true"}, "/console/leads")


def _view(ours: Office, name: str) -> int:
    ours.alice.post("/console/leads/views", {"name": name, "query": "tier=hot"})
    person = ours.hire("Alice", "admin")
    views = ours.ask(lambda services: services.saved_views.list_views(person))
    return int(next(one.id for one in views if one.name == name))


@press("console_leads.rename_view")
def _rename_view(ours: Office) -> Press:
    page = "/console/leads/views"
    return Press(f"{page}/{_view(ours, 'Old name')}", {"name": "New name"}, page)


@press("console_leads.delete_view")
def _delete_view(ours: Office) -> Press:
    page = "/console/leads/views"
    return Press(f"{page}/{_view(ours, 'Too many')}/delete", page=page)


@press("console_duplicates.merge")
def _merge(ours: Office) -> Press:
    one, other = ours.enter_lead(**DEAR), ours.enter_lead(**DEAR)
    page = f"/console/leads/{one}/merge/{other}"
    return Press(page, page=page)


@press("console_duplicates.part")
def _part(ours: Office) -> Press:
    one, other = ours.enter_lead(**DEAR), ours.enter_lead(**DEAR)
    with ours.unit() as services:
        merge_id = services.merges.merge(one, other, {}, actor=BY)
    return Press(f"/console/leads/merges/{merge_id}/part", page=f"/console/leads/{one}/edit")


# The board and the calendar


@press("console_board.move")
def _board_move(ours: Office) -> Press:
    lead = ours.enter_lead()
    return Press(f"/console/board/{lead}/move", {"to": "Meeting"}, "/console/board")


@press("console_board.back")
def _board_back(ours: Office) -> Press:
    lead = ours.enter_lead(stage="Meeting")
    return Press(f"/console/board/{lead}/back?to=Uncontacted&since=Meeting")


@press("console_board_stages.change_stages")
def _stages(ours: Office) -> Press:
    page = "/console/board/stages"
    return Press(page, {"limit_1": "3"}, page)


def _in_calendar(view: str, button: str, typed: Mapping[str, Any]) -> None:
    def prepare(ours: Office) -> Press:
        lead, number = _follow_up(ours)
        page = f"/console/calendar/{lead}/{number}"
        return Press(f"{page}/{button}", typed, page)

    BUTTONS[f"console_follow_up.{view}"] = prepare


_in_calendar("move", "move", {"due_at": "2026-12-03T09:00"})
_in_calendar("finish", "done", {})
_in_calendar("snooze", "snooze", {"rest": "day"})
_in_calendar("invite", "invite", {})


@press("console_follow_up.move_back")
def _move_back(ours: Office) -> Press:
    lead, number = _follow_up(ours)
    return Press(f"/console/calendar/{lead}/{number}/back?to=2026-12-03T09:00:00%2B00:00")


@press("console_follow_up.set_follow_up")
def _set_follow_up(ours: Office) -> Press:
    page = "/console/calendar/new"
    return Press(page, {"lead": ours.enter_lead(), "due_at": "2026-12-03T09:00"}, page)


@press("console_calendar_feed.make")
def _make_feed(ours: Office) -> Press:
    return Press("/console/calendar/feeds", page="/console/calendar")


@press("console_calendar_feed.revoke")
def _revoke_feed(ours: Office) -> Press:
    person = ours.hire("Alice", "admin")
    with ours.unit() as services:
        services.calendar_feeds.make(person)
        number = services.calendar_feeds.list_all(person)[-1].id
    return Press(f"/console/calendar/feeds/{number}/revoke", page="/console/calendar")


# Campaigns and the team


def _campaign(ours: Office, name: str, *, is_archived: bool = False) -> str:
    with ours.unit() as services:
        made = services.campaigns.create({"name": name}, {}, actor=BY)
        if is_archived:
            services.campaigns.archive(made, is_archived=True, actor=BY)
    return f"/console/campaigns/{made}"


@press("console_campaigns.create")
def _new_campaign(ours: Office) -> Press:
    page = "/console/campaigns/new"
    return Press("/console/campaigns", {"name": "Autumn", "goal": "10"}, page)


@press("console_campaigns.edit")
def _edit_campaign(ours: Office) -> Press:
    page = _campaign(ours, "Edited")
    return Press(page, {"name": "Edited twice"}, page)


@press("console_campaigns.archive")
def _archive(ours: Office) -> Press:
    page = _campaign(ours, "Archived")
    return Press(f"{page}/archive", page=page)


@press("console_campaigns.take_back")
def _take_back(ours: Office) -> Press:
    page = _campaign(ours, "Back again", is_archived=True)
    return Press(f"{page}/take-back", page=page)


@press("console_agents.share")
def _share(ours: Office) -> Press:
    person = ours.hire("Sam", "sales")
    return Press(f"/console/team/{person}", {"weight": "3", "capacity": "9"}, "/console/team")


@press("console_agents.routing")
def _routing(ours: Office) -> Press:
    return Press("/console/team/routing", {"enabled": "on"}, "/console/team")


# The workflow


def _draft(ours: Office, more: str) -> str:
    with ours.unit() as services:
        made = services.workflow_drafts.begin(1, actor=BY)
    return f"/console/workflow/drafts/{made}/{more}"


def _in_draft(view: str, page: str, action: str, typed: Mapping[str, Any]) -> None:
    def prepare(ours: Office) -> Press:
        base = _draft(ours, "")
        return Press(base + action, typed, base + page)

    BUTTONS[f"console_workflow_{view}"] = prepare


_in_draft("draft.save_part", "points", "points", {})
_in_draft("draft.add_question", "questions", "questions", {"text": "Why?", "type": "text"})
_in_draft("draft.order_questions", "questions", "questions/order", {"order": "2,1,3,4,5"})
_in_draft("draft.move_question", "questions", "questions/2/move", {"to": "up"})
_in_draft("draft.remove_question", "questions", "questions/5/remove", {})
_in_draft("draft.save_question", "questions/1", "questions/1", {"text": "What is your trade?"})
_in_draft(
    "draft.remove_experiment", "questions", "experiments/remove", {"name": "greeting_message"}
)
_in_draft("draft.add_language", "languages", "languages", {"locale": "de"})
_in_draft("draft.save_language", "languages/hi", "languages/hi", {})
_in_draft("draft.remove_language", "languages/hi", "languages/hi/remove", {})
_in_draft("draft.rename", "publish", "name", {"name": "Summer"})
_in_draft("draft.throw_away", "publish", "throw-away", {})
_in_draft("try.publish", "publish", "publish", {"note": "Because."})


@press("console_workflow_draft.bring_back")
def _bring_back(ours: Office) -> Press:
    base = _draft(ours, "")
    with ours.unit() as services:
        services.workflow_drafts.throw_away(_number(base.rstrip("/")), actor=BY)
    return Press(f"{base}bring-back")


@press("console_workflow_try.begin_trial")
def _trial(ours: Office) -> Press:
    return Press(_draft(ours, "try"), {"days": "30"})


@press("console_workflow.begin")
def _begin(ours: Office) -> Press:
    return Press("/console/workflow/drafts", {"version": "1"}, "/console/workflow")


@press("console_workflow.import_file")
def _import_workflow(ours: Office) -> Press:
    content = b'{"name": "Shop", "questions": [{"id": 1, "text": "Why?"}]}'
    file = (io.BytesIO(content), "shop.json")
    return Press("/console/workflow/import", {"file": file}, "/console/workflow")


@press("console_workflow.rescore")
def _rescore(ours: Office) -> Press:
    ours.enter_lead()
    return Press("/console/workflow/rescore", page="/console/workflow")


@press("console_workflow.restore")
def _restore_version(ours: Office) -> Press:
    page = "/console/workflow/versions/1"
    with ours.unit() as services:
        drafts = services.workflow_drafts
        made = drafts.begin(1, actor=BY)
        drafts.publish(made, "Another", revision=drafts.get(made).revision, actor=BY)
    return Press(f"{page}/restore", {"note": "It was better."}, page)


# Experiments and models


EXPERIMENT = {"kind": "greeting", "metric": "sql", "says_B": "Welcome!", "hoped_lift": "20"}


def _experiment(ours: Office, name: str, *, is_stopped: bool = False) -> str:
    made = ours.alice.post("/console/experiments/new", {"name": name, **EXPERIMENT})
    assert made.status_code == 303, made.text[:500]
    if is_stopped:
        with ours.unit() as services:
            services.experiment_book.start(name, who=BY)
            services.experiment_book.stop(name, who=BY)
    return f"/console/experiments/{name}"


@press("console_experiments.create")
def _new_experiment(ours: Office) -> Press:
    page = "/console/experiments/new"
    return Press(page, {"name": "made", **EXPERIMENT})


@press("console_experiments.change")
def _change_experiment(ours: Office) -> Press:
    page = f"{_experiment(ours, 'changed')}/edit"
    return Press(page, {"name": "changed", **EXPERIMENT, "says_B": "Hello!"})


@press("console_experiments.take_step")
def _start(ours: Office) -> Press:
    page = _experiment(ours, "started")
    return Press(f"{page}/start", page=page)


@press("console_experiments.decide")
def _decide(ours: Office) -> Press:
    page = _experiment(ours, "decided", is_stopped=True)
    return Press(f"{page}/decide", {"arm": "B", "reason": "Friendlier"})


@press("console_experiments.holdout")
def _holdout(ours: Office) -> Press:
    return Press("/console/experiments/holdout", {"share": "5"}, "/console/experiments")


@press("console_models.train")
def _train(ours: Office) -> Press:
    return Press("/console/models/train", page="/console/models")


@press("console_models.compare")
def _compare(ours: Office) -> Press:
    return Press("/console/models/compare")


@press("console_models.settings")
def _model_settings(ours: Office) -> Press:
    return Press("/console/models/settings", {"fair_chance_percent": "4"}, "/console/models")


@press("console_models.promote")
def _promote(ours: Office) -> Press:
    for number in range(60):
        wins = number % 3 == 0
        lead = ours.enter_lead(source="fair" if wins else "list")
        with ours.unit() as services:
            services.pipeline.record_outcome(lead, "won" if wins else "lost", actor=BY)
    for _ in range(2):
        with ours.unit() as services:
            services.jobs.request("models.train", requested_by=BY, payload={})
        work(ours)
    cards = ours.ask(lambda services: services.predictions.store.list_cards())
    other = next(one["id"] for one in cards if one["status"] != "promoted")
    return Press(f"/console/models/{other}/promote")


def work(ours: Office) -> None:
    """The background does all that waits."""
    while Worker(ours.resources).work():
        pass


# Imports


def _import_page(ours: Office) -> str:
    file = (io.BytesIO(TABLE), "leads.csv")
    return str(ours.alice.post("/console/imports", {"file": file}).headers["Location"])


def _imported(ours: Office) -> str:
    page = _import_page(ours)
    ours.alice.post(f"{page}/choose", {"then": "import", "policy": "add"})
    work(ours)
    return page


@press("console_imports.upload")
def _upload(ours: Office) -> Press:
    file = (io.BytesIO(TABLE), "leads.csv")
    return Press("/console/imports", {"file": file}, "/console/imports")


@press("console_imports.choose")
def _choose(ours: Office) -> Press:
    page = _import_page(ours)
    return Press(f"{page}/choose", {"then": "import"}, page)


@press("console_imports.forget")
def _forget(ours: Office) -> Press:
    page = _import_page(ours)
    return Press(f"{page}/forget", page=page)


@press("console_imports.undo")
def _undo_import(ours: Office) -> Press:
    page = _imported(ours)
    return Press(f"{page}/undo", page=page)


@press("console_imports.redo")
def _redo_import(ours: Office) -> Press:
    page = _imported(ours)
    ours.alice.post(f"{page}/undo")
    return Press(f"{page}/redo", page=page)


# Alerts and deliveries


def _place(ours: Office, channel: str = "email", address: str = "team@example.com") -> str:
    data = {"channel": channel, "address": address, "enabled": True, "triggers": None}
    with ours.unit() as services:
        made = services.destinations.add(data, who=Who(BY, is_operator=True))
    return f"/console/alerts/{made['id']}"


@press("console_alerts.add")
def _add_place(ours: Office) -> Press:
    page = "/console/alerts/new"
    return Press(page, {"channel": "email", "address": "more@example.com"}, page)


@press("console_alerts.change")
def _change_place(ours: Office) -> Press:
    page = _place(ours)
    return Press(page, {"name": "The team"}, page)


@press("console_alerts.remove")
def _remove_place(ours: Office) -> Press:
    page = _place(ours)
    return Press(f"{page}/remove", page=page)


@press("console_alerts.rotate")
def _rotate(ours: Office) -> Press:
    page = _place(ours, "webhook", "https://93.184.216.34/hook")
    return Press(f"{page}/rotate", page=page)


@press("console_alerts.test")
def _test_place(ours: Office) -> Press:
    page = _place(ours)
    return Press(f"{page}/test", page=page)


@press("console_alerts.rules")
def _rules(ours: Office) -> Press:
    return Press("/console/alerts/rules", {"hot_threshold": "80"}, "/console/alerts")


@press("console_deliveries.resend")
def _resend(ours: Office) -> Press:
    page = _place(ours)
    ours.alice.post(f"{page}/test")
    newest = select(Delivery.id).order_by(Delivery.created_at.desc())
    found = ours.ask(lambda services: services.session.scalars(newest).first())
    return Press(f"/console/deliveries/{found}/resend", page=f"/console/deliveries/{found}")


# The workspace, people, keys, privacy


@press("console_workspace.change")
def _workspace(ours: Office) -> Press:
    page = "/console/workspace"
    return Press(page, {"currency": "EUR", "time_zone": "Asia/Kolkata"}, page)


@press("console_people.invite")
def _invite(ours: Office) -> Press:
    page = "/console/people"
    return Press(page, {"email": "new@example.com", "name": "New", "role": "viewer"}, page)


def _person(ours: Office, name: str, *, is_disabled: bool = False) -> str:
    person = ours.hire(name, "sales")
    if is_disabled:
        with ours.unit() as services:
            services.people.disable(person, by=BY)
    return f"/console/people/{person}"


@press("console_people.change")
def _change_person(ours: Office) -> Press:
    page = _person(ours, "Ann")
    return Press(page, {"role": "marketer", "weight": "2", "capacity": "5"}, page)


@press("console_people.make_link")
def _make_link(ours: Office) -> Press:
    page = _person(ours, "Ben")
    return Press(f"{page}/link", page=page)


@press("console_people.disable")
def _disable(ours: Office) -> Press:
    page = _person(ours, "Cid")
    return Press(f"{page}/disable", page=page)


@press("console_people.enable")
def _enable(ours: Office) -> Press:
    page = _person(ours, "Dan", is_disabled=True)
    return Press(f"{page}/enable", page=page)


@press("console_keys.create")
def _create_key(ours: Office) -> Press:
    typed = {"name": "CRM", "scopes": ["leads:read"], "days": "90"}
    return Press("/console/keys", typed, "/console/keys")


@press("console_keys.revoke")
def _revoke_key(ours: Office) -> Press:
    prefix = ours.new_key("leads:read").split("_")[1]
    return Press(f"/console/keys/{prefix}/revoke", page="/console/keys")


@press("console_privacy.export")
def _export_person(ours: Office) -> Press:
    lead = ours.enter_lead()
    return Press(f"/console/privacy/{lead}/export.json", page=f"/console/privacy/{lead}")


@press("console_privacy.erase")
def _erase(ours: Office) -> Press:
    page = f"/console/privacy/{ours.enter_lead()}"
    return Press(f"{page}/erase", {"sure": "erase"}, page)


# Oneself, and the door


@press("console_profile.change_profile")
def _profile(ours: Office) -> Press:
    page = "/console/profile"
    return Press(page, {"name": "Alice", "time_zone": "Asia/Kolkata"}, page)


@press("console_profile.change_password")
def _password(ours: Office) -> Press:
    _give_password(ours)
    typed = {"current_password": PASSWORD, "password": "five green frogs jump"}
    return Press("/console/profile/password", typed, "/console/profile")


@press("console_profile.end_browser")
def _end_browser(ours: Office) -> Press:
    page, person = "/console/profile", ours.hire("Alice", "admin")
    ours.visit("Alice", "admin")
    theirs = select(ConsoleSession.id).where(
        ConsoleSession.person_id == person, ConsoleSession.ended_at.is_(None)
    )
    newest = ours.ask(lambda s: s.session.scalars(theirs.order_by(ConsoleSession.id)).all()[-1])
    return Press(f"{page}/browsers/{newest}/end")


@press("console_profile.end_other_browsers")
def _end_others(ours: Office) -> Press:
    ours.visit("Alice", "admin")
    return Press("/console/profile/browsers/end-others")


@press("console_access.sign_out")
def _sign_out(ours: Office) -> Press:
    return Press("/console/sign-out", page="/console/profile")


@press("console_access.enter")
def _sign_in(ours: Office) -> Press:
    _give_password(ours)
    return Press("/console/sign-in", {"email": BY, "password": PASSWORD})


@press("console_access.send_link")
def _send_link(ours: Office) -> Press:
    return Press("/console/forgotten", {"email": BY})


@press("console_one_time.open_link")
def _open_link(ours: Office) -> Press:
    person = ours.hire("Eve", "viewer")
    with ours.unit() as services:
        token = services.links.make(Purpose.INVITATION, by=BY, person_id=person)
    typed = {"name": "Eve", "password": PASSWORD}
    return Press(f"/console/link/{token}", typed)


def _give_password(ours: Office) -> None:
    person = ours.hire("Alice", "admin")
    with ours.unit() as services:
        services.people.change_password(person, hashed(PASSWORD), here=0)
