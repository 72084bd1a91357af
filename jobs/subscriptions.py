"""Who reacts to which fact: the whole table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.vocabulary import FactKind
from models import Event
from services import Services
from services.experiment_partings import ExperimentPartings
from services.fair_chance import FairChance

React = Callable[[Services, int | None, Sequence[Event]], None]


@dataclass(frozen=True)
class Subscriber:
    """Somebody who hears of facts of some kinds, a lead's together, in the order of the log."""

    name: str
    kinds: frozenset[FactKind]
    react: React


def _renew_scores(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    if lead_id is not None:
        services.lead_scores.renew(lead_id)


def _note_choice(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    if lead_id is not None:
        services.make(FairChance).on_facts(lead_id, facts)


def _predict(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    if lead_id is not None:
        services.predictions.on_facts(lead_id)
    elif services.predictions.store.promoted():
        # A whole table of leads came into sight.
        services.predictions.request(by="relay")


def _raise_alerts(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    if lead_id is not None:
        services.notifications.on_facts(lead_id, facts)


def _carry_follow_ups(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    if lead_id is not None:
        services.calendar.on_facts(lead_id, facts)


def _count_conversions(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    services.experiments.on_facts(lead_id, facts)


def _give_out(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    if lead_id is not None:
        services.routing.on_facts(lead_id)


def _publish_winners(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    for fact in facts:
        services.experiment_book.publish_winner(fact)


def _join_browsers(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    for fact in facts:
        partings = services.make(ExperimentPartings)
        if fact.kind == FactKind.LEAD_MERGED:
            partings.before_merge(fact)
            partings.on_merge(fact)
        else:
            partings.on_part(fact)


def _tell_the_team(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    for fact in facts:
        services.notifications.on_destination_stopped(fact)


def _tell_of_models(services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
    for fact in facts:
        services.notifications.on_model_changed(fact)


# In this order: an alert tells the scores as they are after the facts it speaks of.
SUBSCRIBERS = (
    # First of all: why a lead was called is told by its score before the call.
    Subscriber(
        "choices",
        frozenset({FactKind.LEAD_ASSIGNED, FactKind.ACTIVITY_LOGGED}),
        _note_choice,
    ),
    Subscriber(
        "scores",
        frozenset(
            {
                FactKind.SESSION_STARTED,
                FactKind.SESSION_RESCORED,
                FactKind.ANSWER_RECORDED,
                FactKind.BEHAVIOR_REPORTED,
                FactKind.PROFILE_UPDATED,
                FactKind.LEAD_CREATED,
                FactKind.LEAD_EDITED,
                FactKind.LEAD_STAGED,
                FactKind.ACTIVITY_LOGGED,
                FactKind.OUTCOME_RECORDED,
            }
        ),
        _renew_scores,
    ),
    Subscriber(
        "predictions",
        frozenset(
            {
                FactKind.SESSION_STARTED,
                FactKind.ANSWER_RECORDED,
                FactKind.BEHAVIOR_REPORTED,
                FactKind.PROFILE_UPDATED,
                FactKind.LEAD_CREATED,
                FactKind.LEAD_EDITED,
                FactKind.LEAD_IMPORTED,
                FactKind.ACTIVITY_LOGGED,
            }
        ),
        _predict,
    ),
    Subscriber(
        "alerts",
        frozenset(
            {
                FactKind.ANSWER_RECORDED,
                FactKind.BEHAVIOR_REPORTED,
                FactKind.PROFILE_UPDATED,
                FactKind.JOURNEY_COMPLETED,
                FactKind.LEAD_CREATED,
                FactKind.LEAD_CLASSIFIED,
                FactKind.LEAD_EDITED,
                FactKind.LEAD_ASSIGNED,
                FactKind.FOLLOW_UP_DUE,
                FactKind.OUTCOME_RECORDED,
                FactKind.TIER_CHANGED,
            }
        ),
        _raise_alerts,
    ),
    Subscriber(
        "calendars",
        frozenset({FactKind.FOLLOW_UP_MOVED, FactKind.FOLLOW_UP_DONE, FactKind.FOLLOW_UP_DUE}),
        _carry_follow_ups,
    ),
    Subscriber(
        "experiments",
        frozenset(
            {
                FactKind.ANSWER_RECORDED,
                FactKind.BEHAVIOR_REPORTED,
                FactKind.JOURNEY_COMPLETED,
                FactKind.LEAD_CLASSIFIED,
                FactKind.OUTCOME_RECORDED,
                FactKind.PROFILE_UPDATED,
            }
        ),
        _count_conversions,
    ),
    Subscriber("people", frozenset({FactKind.LEAD_MERGED, FactKind.LEAD_PARTED}), _join_browsers),
    Subscriber(
        "routing",
        frozenset({FactKind.LEAD_CREATED, FactKind.LEAD_CLASSIFIED, FactKind.LEAD_EDITED}),
        _give_out,
    ),
    Subscriber("winners", frozenset({FactKind.EXPERIMENT_DECIDED}), _publish_winners),
    Subscriber(
        "models",
        frozenset({FactKind.MODEL_PROMOTED, FactKind.MODEL_RETURNED}),
        _tell_of_models,
    ),
    Subscriber("team", frozenset({FactKind.DESTINATION_STOPPED}), _tell_the_team),
)


def everybody_hears() -> frozenset[FactKind]:
    """Every kind of fact that has a subscriber."""
    return frozenset().union(*(subscriber.kinds for subscriber in SUBSCRIBERS))
