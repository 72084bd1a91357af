"""Probabilities with their reasons, and the models that say them."""

from __future__ import annotations

from typing import Any

from flask import g

from engine.vocabulary import Scope
from errors import unknown_lead
from lib.ids import is_ascii_id
from schemas import (
    ComparisonOut,
    ExplanationOut,
    JobAcceptedOut,
    ModelOut,
    ModelQuery,
    ModelsConfigIn,
    ModelsConfigOut,
    ModelsOut,
    PredictIn,
    PredictOut,
    TrainIn,
)
from services import unit_of_work
from services.model_store import TRAIN_JOB, in_service_or_prior, load
from services.prediction_service import predict_rows
from services.prediction_settings import PredictionSettings, check_kind
from web.api.jobs import accepted
from web.auth import reader
from web.endpoints import Api
from web.unit_of_work import resources, services

api = Api("predictions", __name__, description="Probabilities with their reasons; models.")

LARGEST_TABLE = 32 * 1024 * 1024


def _be_ready(lead_id: str) -> None:
    """Read the models where a lead has no stored explanation; no transaction is open meanwhile."""
    with unit_of_work(resources(), read_only=True) as ours:
        if ours.predictions.find(_lead_id(lead_id)) is not None:
            return
        wanted = ours.predictions.store.unloaded()
    load(resources(), wanted, or_prior=True)


@api.endpoint(
    "GET",
    "/api/leads/<lead_id>/prediction",
    reply=ExplanationOut,
    access=Scope.PREDICTIONS_READ,
    before=_be_ready,
)
def get_prediction(lead_id: str) -> dict[str, Any]:
    """How likely this lead becomes a customer, and why."""
    return services().predictions.explain_now(_lead_id(lead_id))


def _predict(body: dict[str, Any]) -> None:
    """All of the work, for 10,000 rows take seconds and no transaction should be open so long."""
    with unit_of_work(resources(), read_only=True) as ours:
        wanted = ours.predictions.store.unloaded()
    load(resources(), wanted, or_prior=True)
    with unit_of_work(resources(), read_only=True) as ours:
        models = in_service_or_prior(ours.predictions.store)
    g.predicted = predict_rows(body["rows"], models)


@api.endpoint(
    "POST",
    "/api/predict",
    body=PredictIn,
    reply=PredictOut,
    access=Scope.PREDICTIONS_READ,
    idempotent=False,
    writes=False,
    max_body=LARGEST_TABLE,
    before=_predict,
)
def predict(body: dict[str, Any]) -> dict[str, Any]:
    """How likely each of these becomes a customer, and why; nothing is stored."""
    said: dict[str, Any] = g.pop("predicted")
    return said


@api.endpoint("GET", "/api/models", reply=ModelsOut, access=Scope.MODELS_READ)
def list_models() -> dict[str, Any]:
    """Every version of a model, the newest first."""
    return {"models": services().predictions.store.list_cards()}


@api.endpoint("GET", "/api/models/config", reply=ModelsConfigOut, access=Scope.MODELS_READ)
def get_models_config() -> dict[str, Any]:
    """Which estimator learns, and how many per cent of the leads get a fair chance."""
    return services().make(PredictionSettings).decided().view()


@api.endpoint(
    "POST",
    "/api/models/config",
    body=ModelsConfigIn,
    reply=ModelsConfigOut,
    access=Scope.MODELS_WRITE,
)
def change_models_config(body: dict[str, Any]) -> dict[str, Any]:
    """Change some of these; the next training heeds them."""
    return services().make(PredictionSettings).change(body, by=_by())


@api.endpoint("GET", "/api/models/comparison", reply=ComparisonOut, access=Scope.MODELS_READ)
def get_comparison() -> dict[str, Any]:
    """What the estimators gave side by side when they were last compared."""
    return {"comparison": services().make(PredictionSettings).comparison()}


@api.endpoint(
    "POST",
    "/api/models/train",
    body=TrainIn,
    body_optional=True,
    only_json=False,
    reply=JobAcceptedOut,
    access=Scope.MODELS_WRITE,
    status=202,
)
def train_models(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Learn from all outcomes so far, in the background; promoted only if it is better.

    With `compare` nothing is kept: the estimators are only measured side by side.
    """
    check_kind(body.get("kind"), compare=body["compare"])
    payload = {name: value for name, value in body.items() if value}
    return accepted(services().jobs.request(TRAIN_JOB, requested_by=_by(), payload=payload))


@api.endpoint(
    "GET",
    "/api/models/<model_id>",
    reply=ModelOut,
    query=ModelQuery,
    access=Scope.MODELS_READ,
)
def get_model(model_id: str, query: dict[str, Any]) -> dict[str, Any]:
    """The card of a version; with costs or a capacity, whom to call."""
    predictions = services().predictions
    card = predictions.store.card(model_id)
    return {**card, "thresholds": predictions.thresholds(**query) if query else None}


def _check_file(model_id: str) -> None:
    """Read the file before it is promoted: one that was tampered with is refused."""
    with unit_of_work(resources(), read_only=True) as ours:
        stored = ours.predictions.store.stored(model_id)
    load(resources(), [stored])


@api.endpoint(
    "POST",
    "/api/models/<model_id>/promote",
    reply=ModelOut,
    access=Scope.MODELS_WRITE,
    before=_check_file,
)
def promote_model(model_id: str) -> dict[str, Any]:
    """Let this version answer from now on, such as the one before a promotion."""
    return {**services().predictions.promote(model_id, by=_by()), "thresholds": None}


def _by() -> str:
    return reader().actor


def _lead_id(text: str) -> int:
    number = is_ascii_id(text)
    if number is None:
        raise unknown_lead()
    return number
