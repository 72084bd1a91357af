"""How the widget looks and when it opens by itself, read from a WORKFLOW_CONFIG."""

from __future__ import annotations

import re
from typing import Any

from engine.plain_reading import Notes
from engine.widget_words import WORDS
from engine.workflow import Proactive, WidgetLook

# Words that no page shows any more. Who set them in an earlier release has broken nothing.
RETIRED = {"typing", "optional"}
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def read_widget(notes: Notes, raw: Any) -> WidgetLook:
    """The widget's title, place and colours."""
    part = notes.mapping(raw, "widget", "with title, launcher, position and theme")
    notes.known(part, {"title", "launcher", "position", "theme", "words"}, "widget")
    theme = notes.mapping(part.get("theme"), "widget.theme", "with accent and scheme")
    notes.known(theme, {"accent", "scheme"}, "widget.theme")
    accent = notes.text(theme, "accent", "widget.theme")
    if accent and not _COLOUR.fullmatch(accent):
        notes.refuse("widget.theme.accent", "must be a colour such as #0b6b4f.")
    words = notes.mapping(part.get("words"), "widget.words", "of the widget's words")
    notes.known(words, set(WORDS["en"]) | RETIRED, "widget.words")
    return WidgetLook(
        title=notes.text(part, "title", "widget"),
        launcher=notes.text(part, "launcher", "widget"),
        position=notes.word(part, "position", ("end", "start"), "widget"),
        accent=accent,
        scheme=notes.word(theme, "scheme", ("auto", "light", "dark"), "widget.theme"),
        words={name: notes.text(words, name, "widget.words") for name in words},
    )


def read_proactive(notes: Notes, raw: Any) -> Proactive | None:
    """When the widget opens by itself; None if it never does."""
    place = "proactive"
    part = notes.mapping(raw, place, "with after_seconds, scroll_percent or exit_intent")
    if not part:
        return None
    notes.known(
        part,
        {"after_seconds", "scroll_percent", "exit_intent", "url_pattern", "cap_hours"},
        place,
    )
    seconds = notes.optional_number(part, "after_seconds", place)
    percent = notes.optional_number(part, "scroll_percent", place)
    if seconds is not None and seconds < 0:
        notes.refuse(f"{place}.after_seconds", "must not be below 0.")
    if percent is not None and not 1 <= percent <= 100:
        notes.refuse(f"{place}.scroll_percent", "must be from 1 to 100.")
    at_exit = notes.flag(part, "exit_intent", False, place)
    if seconds is None and percent is None and not at_exit:
        notes.refuse(place, "needs after_seconds, scroll_percent or exit_intent.")
    return Proactive(
        after_seconds=seconds,
        scroll_percent=percent,
        exit_intent=at_exit,
        url_pattern=notes.text(part, "url_pattern", place) or "*",
        cap_hours=notes.number(part, "cap_hours", 24, place),
    )
