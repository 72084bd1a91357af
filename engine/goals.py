"""What an experiment is judged by: the goals, how they are kept, and the facts that reach them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.vocabulary import Action, Classification, FactKind, Outcome

# Goals that the server sees for itself, in words for a sentence.
METRICS = {
    "demo_request": "demo requests",
    "contact_shared": "contacts",
    "completed": "completed conversations",
    "mql": "marketing qualified leads",
    "sql": "qualified leads",
    "deal_won": "won deals",
    "deal_value": "deal value",
}
# A goal that a page reports with /api/ab-test/conversion: its name, or the value it carries.
CUSTOM, CUSTOM_VALUE = "custom:", "custom_value:"
# How long each goal may take, in days, unless an experiment says otherwise.
WINDOWS = {"mql": 1.0, "sql": 1.0, "deal_won": 30.0, "deal_value": 30.0}
SHORT_WINDOW = 1.0
# Outcomes that the server sees for itself; a client's word for them is not taken.
SERVER_OUTCOMES = frozenset({"completed", "mql", "sql", "deal_won"})


def is_metric(metric: Any) -> bool:
    """Whether a goal is one that can be counted."""
    if not isinstance(metric, str):
        return False
    for prefix in (CUSTOM, CUSTOM_VALUE):
        if metric.startswith(prefix):
            return 0 < len(metric) - len(prefix) <= 64
    return metric in METRICS


def unknown_metric(metric: Any) -> str:
    """Why a goal cannot be counted."""
    known = ", ".join(METRICS)
    return f"{metric!r} is no goal; known are {known}, and custom:<name> for one of your own."


def stored_metric(metric: str) -> tuple[str, bool]:
    """The name under which conversions of a goal are kept, and whether their value is compared."""
    if metric == "deal_value":
        return "deal_won", True
    if metric.startswith(CUSTOM_VALUE):
        return metric.removeprefix(CUSTOM_VALUE), True
    return metric.removeprefix(CUSTOM), False


def noun_of(metric: str) -> str:
    """A goal in the plural, for a sentence."""
    return METRICS.get(metric) or metric.partition(":")[2].replace("_", " ") + " conversions"


def window_of(metric: str) -> float:
    """How many days after the exposure a conversion to a goal counts, unless one says otherwise."""
    return WINDOWS.get(metric, SHORT_WINDOW)


def reached(kind: str, said: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """The goals that a fact means were reached, each with its value if it has one."""
    if kind == FactKind.JOURNEY_COMPLETED:
        yield "completed", None
    elif kind == FactKind.LEAD_CLASSIFIED:
        if said["to"] in (Classification.MQL, Classification.SQL):
            yield "mql", None
        if said["to"] == Classification.SQL:
            yield "sql", None
    elif kind == FactKind.OUTCOME_RECORDED and said["outcome"] == Outcome.WON:
        yield "deal_won", said.get("value")
    elif kind == FactKind.BEHAVIOR_REPORTED and said["action"] == Action.DEMO_REQUESTED:
        yield "demo_request", None
    elif kind in (FactKind.PROFILE_UPDATED, FactKind.ANSWER_RECORDED) and said.get("contact"):
        yield "contact_shared", None
