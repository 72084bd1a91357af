"""The form of one question of a draft: its words, its options, and when it is asked."""

from __future__ import annotations

import errors
from engine import workflow_edits as edits
from engine.vocabulary import PROFILE_FIELDS, UTM_FIELDS, QuestionType
from engine.workflow_shape import Plain
from engine.workflow_words import OPERATORS
from services.workflow_drafts import Draft
from web.console import condition_form as tree
from web.console import typed
from web.console import workflow_forms as forms
from web.console.frame import trouble
from web.console.workflow_view import inner_place, problems_here, show_draft

KINDS = {
    QuestionType.CHOICE: "One of several options",
    QuestionType.MULTI_CHOICE: "Several options at once",
    QuestionType.TEXT: "Text",
    QuestionType.EMAIL: "E-mail address",
    QuestionType.PHONE: "Phone number",
    QuestionType.NUMBER: "Number",
    QuestionType.DATE: "Date",
    QuestionType.RATING: "Rating",
    QuestionType.CONSENT: "Yes or no",
}
ROWS_MORE = 2


def show_question(draft: Draft, number: int, *, rows: tree.Row | None = None) -> str:
    """The page of a question; what was typed instead of what is kept, if it was refused.

    `rows` are those of its condition after a button that changes them, and nothing else.
    """
    asked = draft.workflow.get("questions", [])
    kept = find_question(draft, number)
    is_typed = rows is not None or bool(trouble().message)
    shown = forms.read_question(number) if is_typed else kept
    whole = rows if rows is not None else forms.read_tree() if is_typed else None
    place = asked.index(kept)
    condition = forms.condition_form(shown.get("show_if"), whole)
    if rows is not None and condition[0] == forms.ALWAYS:
        # Who adds a row wants it to count.
        condition = (tree.ALL, *condition[1:])
    return show_draft(
        "question.html",
        draft,
        "questions",
        prefix=f"questions[{place}]",
        condition_problems=_condition_problems(draft, place, condition[1]),
        one=shown,
        mark=typed.text("mark") if rows is not None else edits.mark_of(kept),
        place=place,
        count=len(asked),
        condition=(condition[0], tree.with_room(condition[1]), condition[2]),
        is_reshaped=rows is not None,
        revision=typed.whole("revision") if rows is not None else draft.revision,
        groups=tree.GROUPS,
        subjects=_subjects(asked[:place]),
        known_values=_values(asked[:place]),
        operators=OPERATORS,
        kinds=KINDS,
        fields=PROFILE_FIELDS,
        rows_more=ROWS_MORE,
    )


def find_question(draft: Draft, number: int) -> Plain:
    """A question of a draft; NotFound for one that it does not have."""
    try:
        return edits.find_question(draft.workflow, number)
    except edits.Gone:
        raise errors.NotFound("This draft does not have this question.") from None


def _condition_problems(draft: Draft, place: int, whole: tree.Row) -> dict[str, list[str]]:
    """What is wrong with a condition, by the row that it is in."""
    found: dict[str, list[str]] = {}
    prefix, keys = f"questions[{place}]", dict(tree.places(whole))
    for one in problems_here(draft, edits.QUESTIONS, prefix):
        row = tree.row_of(inner_place(one, prefix), keys)
        found.setdefault(row, []).append(one.sentence)
    return found


def _subjects(earlier: list[Plain]) -> list[tuple[str, str]]:
    """What a condition may look at: earlier answers, the source of the visit, the score."""
    answers = [(f"answer:{one['slug']}", f"Answer to “{one.get('text', '')}”") for one in earlier]
    sources = [(f"utm:{one.removeprefix('utm_')}", f"Source: {one}") for one in UTM_FIELDS]
    return [*answers, *sources, ("score", "Points so far")]


def _values(earlier: list[Plain]) -> list[tuple[str, list[str]]]:
    """What each earlier question that has options may be answered with."""
    return [
        (str(one["slug"]), [str(option["value"]) for option in one.get("options", ())])
        for one in earlier
        if one.get("options")
    ]
