"""A fact of a lead in words, for people who read its history; nothing in it that was typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engine.ledger_words import action_words, question_words
from engine.vocabulary import FactKind
from engine.workflow import Workflow

Measured = Mapping[str, Any]


class Chapter(StrEnum):
    """By what a history can be filtered."""

    CHAT = "chat"
    SALES = "sales"
    SCORE = "score"
    SYSTEM = "system"


@dataclass(frozen=True)
class Told:
    """One line of a history; `moments` are moments in it that the reader's own zone shows."""

    chapter: Chapter
    text: str
    moments: tuple[str, ...] = ()


def tell(kind: str, measured: Measured, workflow: Workflow | None) -> Told:
    """What happened; a kind that has no words of its own is named as it is."""
    words = _WORDS.get(kind)
    if words is None:
        return Told(Chapter.SYSTEM, kind.replace(".", " ").replace("_", " ").capitalize())
    chapter, say = words
    said = say(measured, workflow)
    moments = tuple(
        str(measured[name]) for name in ("due_at", "until") if isinstance(measured.get(name), str)
    )
    return Told(chapter, said, moments)


def _question(measured: Measured, workflow: Workflow | None) -> str:
    number = measured.get("question_id", "?")
    return question_words(number, workflow) if workflow else f"question {number}"


def _answered(measured: Measured, workflow: Workflow | None) -> str:
    verb = "Skipped" if measured.get("skipped") else "Answered"
    return f"{verb} “{_question(measured, workflow)}”"


def _reasked(measured: Measured, workflow: Workflow | None) -> str:
    return f"Was asked again: “{_question(measured, workflow)}”"


def _behaved(measured: Measured, workflow: Workflow | None) -> str:
    action, subject = str(measured.get("action", "")), str(measured.get("subject", ""))
    if workflow is None:
        return action.replace("_", " ").capitalize() or "Did something"
    return action_words(action, subject, workflow)


def _profiled(measured: Measured, _: Workflow | None) -> str:
    who = "Staff changed the profile" if measured.get("by") == "staff" else "Told about themselves"
    return _with_fields(who, measured)


def _edited(measured: Measured, _: Workflow | None) -> str:
    return _with_fields("Staff changed the profile", measured)


def _with_fields(text: str, measured: Measured) -> str:
    names = [str(one).replace("_", " ") for one in measured.get("fields") or ()]
    return f"{text}: {', '.join(names)}" if names else text


def _classified(measured: Measured, _: Workflow | None) -> str:
    score = f" with {measured['score']} points" if "score" in measured else ""
    return f"Class {measured.get('from')} → {measured.get('to')}{score}"


def _tiered(measured: Measured, _: Workflow | None) -> str:
    profile = str(measured.get("profile", "")).replace("_", " ")
    return (
        f"Became {measured.get('to')} (was {measured.get('from')})"
        f" with {measured.get('score')} in {profile}"
    )


def _rescored(measured: Measured, _: Workflow | None) -> str:
    return f"Re-scored under workflow version {measured.get('version')}"


def _logged(measured: Measured, _: Workflow | None) -> str:
    kind = str(measured.get("kind", "activity")).replace("_", " ").capitalize()
    said = [str(measured[name]).replace("_", " ") for name in _SAID if measured.get(name)]
    seconds = measured.get("duration")
    if isinstance(seconds, (int, float)) and seconds > 0:
        said.append(f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s")
    return f"{kind}: {', '.join(said)}" if said else kind


_SAID = ("status", "outcome", "method")


def _assigned(measured: Measured, _: Workflow | None) -> str:
    to = measured.get("to")
    return f"Given to {to}" if to else "Given to nobody"


def _staged(measured: Measured, _: Workflow | None) -> str:
    before = measured.get("from") or "the first stage"
    again = ", open again" if measured.get("reopened") else ""
    return f"Moved from {before} to {measured.get('to') or 'the first stage'}{again}"


def _recycled(measured: Measured, _: Workflow | None) -> str:
    before = measured.get("from")
    came = f" (before: {before})" if before else ""
    return f"Starts anew in the campaign {measured.get('to')}{came}"


def _ended(measured: Measured, _: Workflow | None) -> str:
    value = measured.get("value")
    worth = f", worth {value:g}" if isinstance(value, (int, float)) else ""
    names = {"won": "Deal", "lost": "Reject"}
    outcome = measured.get("outcome")
    return f"{names[outcome]}{worth}" if outcome in names else "Conversation closed"


def _chosen(measured: Measured, _: Workflow | None) -> str:
    why = {"score": "for its score", "chance": "by lot", "judgement": "by somebody's judgement"}
    return f"Chosen for work {why.get(str(measured.get('by')), '')}".rstrip()


def _seen(measured: Measured, _: Workflow | None) -> str:
    name, arm = measured.get("experiment") or measured.get("test"), measured.get("arm")
    return f"Saw variant {arm} of {name}" if name and arm else "Saw a variant"


def _converted(measured: Measured, _: Workflow | None) -> str:
    name = measured.get("experiment") or measured.get("test") or "an experiment"
    what = measured.get("conversion_type") or measured.get("type") or "a conversion"
    return f"Counted for {name}: {what}"


def _always(text: str) -> Callable[[Measured, Workflow | None], str]:
    return lambda measured, workflow: text


_Say = Callable[[Measured, Workflow | None], str]
_WORDS: dict[str, tuple[Chapter, _Say]] = {
    FactKind.SESSION_STARTED: (Chapter.CHAT, _always("Opened the chat")),
    FactKind.ANSWER_RECORDED: (Chapter.CHAT, _answered),
    FactKind.ANSWER_REASKED: (Chapter.CHAT, _reasked),
    FactKind.BEHAVIOR_REPORTED: (Chapter.CHAT, _behaved),
    FactKind.PROFILE_UPDATED: (Chapter.CHAT, _profiled),
    FactKind.JOURNEY_COMPLETED: (Chapter.CHAT, _always("Answered all that was asked")),
    FactKind.LEAD_CLASSIFIED: (Chapter.SCORE, _classified),
    FactKind.TIER_CHANGED: (Chapter.SCORE, _tiered),
    FactKind.SESSION_RESCORED: (Chapter.SCORE, _rescored),
    FactKind.LEAD_CREATED: (Chapter.SALES, _always("Entered by hand")),
    FactKind.LEAD_IMPORTED: (Chapter.SALES, _always("Imported")),
    FactKind.LEAD_EDITED: (Chapter.SALES, _edited),
    FactKind.LEAD_DELETED: (Chapter.SALES, _always("Deleted")),
    FactKind.LEAD_ERASED: (Chapter.SYSTEM, _always("Personal data erased")),
    FactKind.ACTIVITY_LOGGED: (Chapter.SALES, _logged),
    FactKind.FOLLOW_UP_SET: (Chapter.SALES, _always("Follow-up set for")),
    FactKind.FOLLOW_UP_MOVED: (Chapter.SALES, _always("Follow-up moved to")),
    FactKind.FOLLOW_UP_DONE: (Chapter.SALES, _always("Follow-up done; it was due")),
    FactKind.FOLLOW_UP_DUE: (Chapter.SALES, _always("Reminder sent of the follow-up due")),
    FactKind.LEAD_ASSIGNED: (Chapter.SALES, _assigned),
    FactKind.LEAD_STAGED: (Chapter.SALES, _staged),
    FactKind.LEAD_SNOOZED: (Chapter.SALES, _always("Snoozed until")),
    FactKind.LEAD_WOKEN: (Chapter.SALES, _always("Snooze over")),
    FactKind.LEAD_RECYCLED: (Chapter.SALES, _recycled),
    FactKind.OUTCOME_RECORDED: (Chapter.SALES, _ended),
    FactKind.LEAD_CHOSEN: (Chapter.SYSTEM, _chosen),
    FactKind.EXPERIMENT_EXPOSED: (Chapter.SYSTEM, _seen),
    FactKind.EXPERIMENT_CONVERTED: (Chapter.SYSTEM, _converted),
    FactKind.ALERT_RAISED: (Chapter.SYSTEM, _always("An alert went out")),
    FactKind.ALERT_REQUESTED: (Chapter.SYSTEM, _always("An alert was asked for")),
}
