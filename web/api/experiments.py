"""Experiments as those see them who run them: from a draft to a verdict."""

from __future__ import annotations

from typing import Any

from flask import Response

from engine.vocabulary import Scope
from schemas import (
    DecisionIn,
    ExperimentChangeIn,
    ExperimentIn,
    ExperimentOut,
    ExperimentsOut,
    HoldoutIn,
    HoldoutOut,
    PowerOut,
    PowerQuery,
    ResultsOut,
    ResultsQuery,
    RowsQuery,
)
from web.api.alerts import who
from web.endpoints import Api
from web.unit_of_work import services

api = Api("experiments", __name__, description="Experiments: definitions, results, decisions.")

READ, WRITE = Scope.EXPERIMENTS_READ, Scope.EXPERIMENTS_WRITE
ALL, HOLDOUT, ONE = (
    "/api/experiments",
    "/api/experiments/holdout",
    "/api/experiments/<experiment>",
)


@api.endpoint("GET", ALL, reply=ExperimentsOut, access=READ)
def list_experiments() -> dict[str, Any]:
    """Every experiment, those of the workflow too."""
    return services().experiment_book.list_all()


@api.endpoint("POST", ALL, body=ExperimentIn, reply=ExperimentOut, access=WRITE, status=201)
def create_experiment(body: dict[str, Any]) -> dict[str, Any]:
    """Write an experiment down; it is a draft until it is started."""
    return services().experiment_book.create(body, who=who().name)


@api.endpoint("GET", HOLDOUT, reply=HoldoutOut, access=READ)
def get_holdout() -> dict[str, Any]:
    """The share of visitors that no experiment gets."""
    return services().experiment_book.holdout()


@api.endpoint("POST", HOLDOUT, body=HoldoutIn, reply=HoldoutOut, access=WRITE)
def change_holdout(body: dict[str, Any]) -> dict[str, Any]:
    """Change the share of visitors that no experiment gets."""
    return services().experiment_book.keep_holdout(body["share"], who=who().name)


@api.endpoint("GET", ONE, reply=ExperimentOut, access=READ)
def get_experiment(experiment: str) -> dict[str, Any]:
    """One experiment with its epochs and its history."""
    return services().experiment_book.get(experiment)


@api.endpoint("PATCH", ONE, body=ExperimentChangeIn, reply=ExperimentOut, access=WRITE)
def change_experiment(experiment: str, body: dict[str, Any]) -> dict[str, Any]:
    """Edit an experiment; while it runs only what is safe, or opens an epoch."""
    return services().experiment_book.change(experiment, body, who=who().name)


@api.endpoint("POST", f"{ONE}/start", reply=ExperimentOut, access=WRITE)
def start_experiment(experiment: str) -> dict[str, Any]:
    """Let visitors in."""
    return services().experiment_book.start(experiment, who=who().name)


@api.endpoint("POST", f"{ONE}/pause", reply=ExperimentOut, access=WRITE)
def pause_experiment(experiment: str) -> dict[str, Any]:
    """Let nobody new in."""
    return services().experiment_book.pause(experiment, who=who().name)


@api.endpoint("POST", f"{ONE}/stop", reply=ExperimentOut, access=WRITE)
def stop_experiment(experiment: str) -> dict[str, Any]:
    """End it; late conversions still count."""
    return services().experiment_book.stop(experiment, who=who().name)


@api.endpoint("POST", f"{ONE}/decide", body=DecisionIn, reply=ExperimentOut, access=WRITE)
def decide_experiment(experiment: str, body: dict[str, Any]) -> dict[str, Any]:
    """Name the winner, which is then published as a workflow version."""
    book = services().experiment_book
    return book.decide(experiment, body["arm"], who=who().name, reason=body.get("reason"))


@api.endpoint("GET", f"{ONE}/results", query=ResultsQuery, reply=ResultsOut, access=READ)
def get_results(experiment: str, query: dict[str, Any]) -> dict[str, Any]:
    """Counts, effects and a verdict that may be read at any time."""
    return services().experiment_results.results(experiment, **query)


@api.endpoint("GET", f"{ONE}/power", query=PowerQuery, reply=PowerOut, access=READ)
def get_power(experiment: str, query: dict[str, Any]) -> dict[str, Any]:
    """Before the start: visitors and days at the present traffic, and which goal would do."""
    return services().experiment_plans.power(experiment, query.get("lift"))


@api.endpoint("GET", f"{ONE}/rows", query=RowsQuery, access=READ, content_type="text/csv")
def get_rows(experiment: str, query: dict[str, Any]) -> Response:
    """The raw rows as CSV; `X-Next-Cursor` says where the next page begins."""
    page = services().experiment_results.rows(experiment, **query)
    headers = {"Content-Disposition": 'attachment; filename="experiment.csv"'}
    if page.next_cursor is not None:
        headers["X-Next-Cursor"] = str(page.next_cursor)
    return Response(page.text, content_type="text/csv; charset=utf-8", headers=headers)
