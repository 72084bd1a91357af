"""The model: what answers, how good it is, what it goes by; train, promote, choose, compare."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from engine.policy import Permission
from engine.vocabulary import ModelKind
from services import unit_of_work
from services.model_store import TRAIN_JOB, load
from services.prediction_settings import PredictionSettings, check_kind
from web.console.frame import Pages, go_to, me, read, read_query, show
from web.console.notes import say
from web.unit_of_work import resources, services

pages = Pages("models", __name__)
READ, WRITE = Permission.MODELS_READ, Permission.MODELS_WRITE
STAGES = {
    "before_contact": "Before anybody spoke with the lead",
    "after_contact": "After somebody spoke with the lead",
}
STATUSES = {
    "promoted": ("in service", "good"),
    "retired": ("was in service", ""),
    "candidate": ("kept, not in service", ""),
    "refused": ("did not pass", "warn"),
}
LABELS = {
    "normal": ("learned", "Learned from enough outcomes."),
    "early": ("learned, early", "Learned from few outcomes: its bands are wide."),
    "rules": ("points only", "Too little to learn from, or nothing better found: the points say."),
}
# A figure, what it means, and whether more is better.
FIGURES = (
    ("auc", "AUC", "How often a lead that was won stands above one that was lost; 0.5 is chance."),
    ("pr_auc", "PR AUC", "How pure the top of the list is, over all lengths of it."),
    ("log_loss", "Log loss", "How wrong the probabilities are, in nats a lead; less is better."),
    ("brier", "Brier score", "Mean squared error of the probabilities; less is better."),
    ("ece", "Calibration error", "How far what is said lies from what is seen; less is better."),
    ("precision_at_10", "Won in the top tenth", "Share of the best tenth of leads that was won."),
    ("lift_at_10", "Lift in the top tenth", "The same, compared with calling at random."),
)


class ThresholdQuery(marshmallow.Schema):
    """What a call costs, what a deal brings, how many calls there are."""

    call_cost = fields.Float(validate=validate.Range(0, 1e9, min_inclusive=False))
    deal_value = fields.Float(validate=validate.Range(0, 1e12, min_inclusive=False))
    capacity = fields.Integer(validate=validate.Range(1, 1_000_000))


class SettingsForm(marshmallow.Schema):
    """What a workspace decides about its models."""

    model_kind = fields.String(required=True)
    fair_chance_percent = fields.Float(load_default=0.0)


@pages.page("/models", needs=READ)
def models() -> str:
    """Every version, the newest first, and what is being done just now."""
    cards = services().predictions.store.list_cards()
    settings = services().make(PredictionSettings)
    job = services().jobs.latest(TRAIN_JOB)
    return show(
        "models/list.html",
        cards=cards,
        serving=[one for one in cards if one["status"] == "promoted"],
        job=job,
        is_busy=job is not None and job["status"] in ("queued", "running"),
        settings=settings.decided().view(),
        comparison=settings.comparison(),
        kinds=[str(one) for one in ModelKind if one.serves],
        **_words(),
    )


@pages.page("/models/train", methods=("POST",), needs=WRITE)
def train() -> Response:
    """Learn from all outcomes so far, in the background."""
    _request({})
    say("Learning has begun. What comes of it answers only if it is better.")
    return go_to("console_models.models")


@pages.page("/models/compare", methods=("POST",), needs=WRITE)
def compare() -> Response:
    """Measure the estimators side by side; nothing of it is kept in service."""
    _request({"compare": True})
    say("The estimators are being compared; this takes a few minutes.")
    return go_to("console_models.models")


@pages.page("/models/settings", methods=("POST",), needs=WRITE, again=models)
def settings() -> Response:
    """Which estimator learns, and how many leads get a fair chance."""
    form = read(SettingsForm)
    check_kind(form["model_kind"], compare=False)
    services().make(PredictionSettings).change(form, by=me().email)
    say("Kept. The next training heeds it.")
    return go_to("console_models.models")


@pages.page("/models/<model_id>", needs=READ)
def card(model_id: str) -> str:
    """One version: how good, how certain, what it goes by; and whom to call by it."""
    query = read_query(ThresholdQuery)
    predictions = services().predictions
    one = predictions.store.card(model_id)
    overview = one.get("overview") or {}
    strongest = max((item["importance"] for item in overview.get("features", [])), default=1.0)
    return show(
        "models/card.html",
        one=one,
        report=(one.get("reports") or {}).get("newest")
        or (one.get("reports") or {}).get("out_of_fold"),
        overview=overview,
        strongest=strongest or 1.0,
        thresholds=predictions.thresholds(**query) if query else None,
        query=query,
        figures=FIGURES,
        **_words(),
    )


def _check_file(model_id: str) -> None:
    """Read the file before it is promoted: one that was tampered with is refused."""
    with unit_of_work(resources(), read_only=True) as ours:
        stored = ours.predictions.store.stored(model_id)
    load(resources(), [stored])


@pages.page("/models/<model_id>/promote", methods=("POST",), needs=WRITE, before=_check_file)
def promote(model_id: str) -> Response:
    """Let this version answer from now on."""
    services().predictions.promote(model_id, by=me().email)
    say("It answers from now on; every lead is predicted anew.")
    return go_to("console_models.card", model_id=model_id)


def _request(payload: dict[str, Any]) -> None:
    services().jobs.request(TRAIN_JOB, requested_by=me().email, payload=payload)
    services().accounts.audit(me().email, "models.training_requested", "models", payload)


def _words() -> dict[str, Any]:
    return {"stages": STAGES, "statuses": STATUSES, "labels": LABELS}
