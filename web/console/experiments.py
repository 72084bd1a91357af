"""Experiments: what is tried, for how long it must run, and what may be concluded today."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from engine.policy import Permission
from errors import Conflict, Invalid
from web.console import experiment_forms as forms
from web.console.experiment_page import present, show_form
from web.console.experiment_targeting import in_words
from web.console.frame import Pages, go_to, me, read, read_query, show
from web.console.notes import say
from web.unit_of_work import services

pages = Pages("experiments", __name__)
READ, WRITE = Permission.EXPERIMENTS_READ, Permission.EXPERIMENTS_WRITE
SEGMENTS = {
    "utm_source": "Source",
    "utm_medium": "Medium",
    "utm_campaign": "Campaign",
    "locale": "Language",
    "surface": "Surface",
}
STATUSES = {
    "draft": ("draft", ""),
    "running": ("running", "accent"),
    "paused": ("paused", "warn"),
    "stopped": ("stopped, not decided", "warn"),
    "decided": ("decided", "good"),
}
ROWS = 10_000
STEPS = {
    "start": "Visitors are let in.",
    "pause": "Nobody new is let in; who is in stays in.",
    "stop": "It is over; late conversions still count. Decide when you are ready.",
}


class ResultsQuery(marshmallow.Schema):
    """Which goal, by which segment, and whether with what steadies the figures."""

    metric = fields.String(validate=validate.Length(max=80))
    segment = fields.String(validate=validate.OneOf(list(SEGMENTS)))
    adjustments = fields.Boolean(load_default=False)


class DecisionForm(marshmallow.Schema):
    """The winner, and why."""

    arm = fields.String(required=True, validate=validate.Length(1, 64))
    reason = fields.String(load_default=None, validate=validate.Length(max=2000))


class HoldoutForm(marshmallow.Schema):
    """The share of visitors that no experiment gets, in per cent."""

    share = fields.Float(load_default=0.0, validate=validate.Range(0, 50))


@pages.page("/experiments", needs=READ)
def experiments() -> str:
    """Every experiment, the newest first."""
    book = services().experiment_book
    return show(
        "experiments/list.html",
        rows=book.list_all()["experiments"],
        holdout=book.holdout()["share"],
        **_words(),
    )


@pages.page("/experiments/holdout", methods=("POST",), needs=WRITE, again=experiments)
def holdout() -> Response:
    """Another share of visitors that no experiment gets."""
    services().experiment_book.keep_holdout(read(HoldoutForm)["share"] / 100, who=me().email)
    say("Kept.")
    return go_to("console_experiments.experiments")


@pages.page("/experiments/new", needs=WRITE)
def new() -> str:
    """The form of a new experiment, of the kind that is asked for."""
    return show_form(None)


@pages.page("/experiments/new", methods=("POST",), needs=WRITE, again=new)
def create() -> Response:
    """A draft, and what it would take."""
    data = forms.definition_of(read(forms.ExperimentForm), present())
    made = services().experiment_book.create(data, who=me().email)
    say("The draft is kept. Look at what it takes, then start it.")
    return go_to("console_experiments.one", name=made["name"])


@pages.page("/experiments/<name>", needs=READ)
def one(name: str) -> str:
    """One experiment: its verdict and how it came about, or what it would take."""
    found = services().experiment_book.get(name)
    query = read_query(ResultsQuery)
    is_draft = found["status"] == "draft"
    return show(
        "experiments/one.html",
        one=found,
        query=query,
        results=None if is_draft else services().experiment_results.results(name, **query),
        power=services().experiment_plans.power(name, None) if is_draft else None,
        said_of=forms.said_of,
        whom=in_words(found["targeting"] or {}),
        segments=SEGMENTS,
        **_words(),
    )


@pages.page("/experiments/<name>/edit", needs=WRITE)
def edit(name: str) -> str:
    """The form of an experiment that there is."""
    return show_form(services().experiment_book.get(name))


@pages.page("/experiments/<name>/edit", methods=("POST",), needs=WRITE, again=edit)
def change(name: str) -> Response:
    """An edit: safe ones at once, others in an epoch of their own, the rest refused with why."""
    book = services().experiment_book
    before = book.get(name)
    data = forms.definition_of(read(forms.ExperimentForm), present(), before)
    after = book.change(name, data, who=me().email)
    is_anew = after["epoch"] != before["epoch"]
    say(f"Kept. From now on it is counted as epoch {after['epoch']}." if is_anew else "Kept.")
    return go_to("console_experiments.one", name=name)


@pages.page("/experiments/<name>/<any(start, pause, stop):step>", methods=("POST",), needs=WRITE)
def take_step(name: str, step: str) -> Response:
    """One more step of its life."""
    book = services().experiment_book
    {"start": book.start, "pause": book.pause, "stop": book.stop}[step](name, who=me().email)
    say(STEPS[step])
    return go_to("console_experiments.one", name=name)


@pages.page("/experiments/<name>/decide", methods=("POST",), needs=WRITE, again=one)
def decide(name: str) -> Response:
    """The winner, published as a workflow version."""
    form = read(DecisionForm)
    book = services().experiment_book
    try:
        book.decide(name, form["arm"], who=me().email, reason=form["reason"])
    except Conflict as error:
        raise Invalid(error.message, code=error.code) from None
    say(f"{form['arm']} it is; the workflow follows in a moment.")
    return go_to("console_experiments.one", name=name)


@pages.page("/experiments/<name>/rows.csv", needs=READ)
def rows(name: str) -> Response:
    """The first page of raw rows; programs read on by the API."""
    page = services().experiment_results.rows(name, what="exposures", limit=ROWS, cursor=0)
    headers = {"Content-Disposition": 'attachment; filename="experiment.csv"'}
    return Response(page.text, content_type="text/csv; charset=utf-8", headers=headers)


def _words() -> dict[str, Any]:
    return {
        "statuses": STATUSES,
        "kinds": forms.KINDS,
        "goals": forms.GOALS,
    }
