"""What every page of a draft shows: its parts, what is wrong where, and the preview beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from engine.plain_reading import Problem
from engine.policy import Permission
from engine.workflow_edits import part_of_place
from engine.workflow_shape import Plain
from engine.workflow_words import Change
from services.workflow_drafts import Draft
from web.console.frame import me, show

TABS: Mapping[str, str] = {
    "beginning": "Beginning",
    "questions": "Questions",
    "ending": "After the questions",
    "points": "Points",
    "widget": "Widget",
    "languages": "Languages",
    "try": "Try on the past",
    "publish": "Publish",
}
PARTS_IN_WORDS: Mapping[str, str] = {**TABS, "experiments": "Experiments"}
_INDEX = re.compile(r"^(\w+)\[(\d+)\]\.?")
_WORDS: Mapping[str, str] = {
    "questions": "Question",
    "products": "Product",
    "calls_to_action": "Call to action",
}


@dataclass(frozen=True)
class Tab:
    """A part of the draft, and how many places in it must be mended."""

    label: str
    path: str
    is_here: bool
    problems: int


@dataclass(frozen=True)
class Wrong:
    """A problem as the page shows it."""

    where: str
    sentence: str
    # Where its field stands in the form, counted as the form counts.
    field: str = ""


def show_draft(template: str, draft: Draft, here: str, *, prefix: str = "", **context: Any) -> str:
    """A page of a draft; `prefix` is the place of what it edits, taken off where problems stand."""
    mine = problems_here(draft, here, prefix)
    return show(
        f"workflow/{template}",
        draft=draft,
        tabs=_tabs(draft, here),
        here=here,
        wrong=wrong_of(mine, prefix),
        count_wrong=len(draft.problems),
        problems=by_place(mine, prefix),
        may_write=me().may(Permission.WORKFLOW_WRITE) and draft.published_as is None,
        locales=[
            draft.workflow.get("default_locale") or "en",
            *draft.workflow.get("translations", {}),
        ],
        variants=variants(draft.tests) if not draft.problems else [],
        **context,
    )


def wrong_of(problems: Sequence[Problem], prefix: str = "") -> list[Wrong]:
    """Problems as a page lists them."""
    return [
        Wrong(place_words(one.place), one.sentence, inner_place(one, prefix)) for one in problems
    ]


def inner_place(problem: Problem, prefix: str) -> str:
    """The place of a problem within what a form edits."""
    return problem.place.removeprefix(prefix).lstrip(".") or "whole"


def problems_here(draft: Draft, here: str, prefix: str = "") -> list[Problem]:
    """The problems of what a form edits."""
    return [one for one in draft.problems if _is_here(one.place, here, prefix)]


def by_place(problems: Sequence[Problem], prefix: str = "") -> dict[str, list[str]]:
    """The sentences by the place of the field that they are about."""
    found: dict[str, list[str]] = {}
    for one in problems:
        found.setdefault(inner_place(one, prefix), []).append(one.sentence)
    return found


def place_words(place: str) -> str:
    """The place of a problem as people count: "Question 3, options"."""
    match = _INDEX.match(place)
    if match and match[1] in _WORDS:
        rest = place[match.end() :]
        name = f"{_WORDS[match[1]]} {int(match[2]) + 1}"
        return f"{name}, {_spelt(rest)}" if rest else name
    return _spelt(place).capitalize()


def grouped(changes: Sequence[Change]) -> list[tuple[str, list[str]]]:
    """Differences by the part they are in."""
    found: dict[str, list[str]] = {}
    for one in changes:
        found.setdefault(PARTS_IN_WORDS[one.part], []).append(one.sentence)
    return list(found.items())


def variants(tests: Plain) -> list[tuple[str, str]]:
    """The variants of a workflow's own experiments, as the preview is asked for them."""
    found = []
    for name, one in tests.items():
        arms = one.get("variants", one) if isinstance(one, dict) else {}
        if isinstance(arms, list):
            arms = [chr(65 + place) for place in range(len(arms))]
        names = arms if isinstance(arms, dict | list) else ()
        found += [(f"{name}:{arm}", f"{name} {arm}") for arm in names]
    return found


def _tabs(draft: Draft, here: str) -> list[Tab]:
    counts: dict[str, int] = {}
    for one in draft.problems:
        part = part_of_place(one.place)
        counts[part] = counts.get(part, 0) + 1
    return [
        Tab(label, _path(draft.id, name), name == here, counts.get(name, 0))
        for name, label in TABS.items()
    ]


def _path(draft_id: int, name: str) -> str:
    if name in ("questions", "languages"):
        return url_for(f"console_workflow_draft.{name}", draft_id=draft_id)
    if name in ("try", "publish"):
        view = "try_on_past" if name == "try" else "look_before"
        return url_for(f"console_workflow_try.{view}", draft_id=draft_id)
    return url_for("console_workflow_draft.part", draft_id=draft_id, part=name)


def _is_here(place: str, here: str, prefix: str) -> bool:
    return place.startswith(prefix) if prefix else part_of_place(place) == here


def _spelt(place: str) -> str:
    said = re.sub(r"\[(\d+)\]", lambda found: f" {int(found[1]) + 1}", place)
    return said.replace("_", " ").replace(".", ", ")
