"""Every text of a workflow that another language may say otherwise, and how much of it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.widget_words import WORDS
from engine.workflow_reader import MESSAGES
from engine.workflow_shape import Plain

_RATING_LIKE = ("rating", "consent")


@dataclass(frozen=True)
class TextLine:
    """A text to be translated: where it stands under its locale, what it is, and how it reads."""

    path: tuple[str, ...]
    label: str
    original: str
    # A small word that every language of ours has already.
    is_extra: bool = False

    @property
    def place(self) -> str:
        """Its place under the locale, as the reader names it."""
        return ".".join(self.path)


def text_lines(workflow: Plain) -> list[TextLine]:
    """The texts in the order of a conversation."""
    return [line for line in _lines(workflow) if line.original.strip()]


def found_text(texts: Any, path: tuple[str, ...]) -> str:
    """A text of a locale; "" where it has none."""
    for name in path:
        texts = texts.get(name) if isinstance(texts, dict) else None
    return texts if isinstance(texts, str) else ""


def with_text(texts: Plain, path: tuple[str, ...], text: str) -> Plain:
    """The texts of a locale with one more."""
    name, *rest = path
    inner = with_text(texts.get(name, {}), tuple(rest), text) if rest else text
    return {**texts, name: inner}


def completeness(workflow: Plain, locale: str) -> tuple[int, int]:
    """How many of the texts that visitors read a locale has, and of how many."""
    texts = workflow.get("translations", {}).get(locale, {})
    needed = [line for line in text_lines(workflow) if not line.is_extra]
    return sum(bool(found_text(texts, line.path).strip()) for line in needed), len(needed)


def _lines(workflow: Plain) -> Iterator[TextLine]:
    greeting = workflow.get("greeting", {})
    yield TextLine(("greeting",), "Greeting", _text(greeting, "text"))
    for reply in greeting.get("replies", ()):
        yield TextLine(("replies", str(reply)), "Quick reply", str(reply))
    yield TextLine(("consent",), "Consent", _text(workflow.get("consent", {}), "text"))
    for number, one in enumerate(workflow.get("questions", ()), start=1):
        yield from _question(number, one)
    yield TextLine(("products",), "Above the products", _text(workflow, "product_text"))
    for index, product in enumerate(workflow.get("products", ())):
        key = str(product.get("id") or _text(product, "name"))
        yield TextLine(("product_names", key), f"Product {index + 1}", _text(product, "name"))
        about = f"Product {index + 1}, line about it"
        yield TextLine(("product_descriptions", key), about, _text(product, "description"))
    contact = workflow.get("contact", {})
    yield TextLine(("contact",), "Above the contact fields", _text(contact, "text"))
    above = _text(workflow, "call_to_action_text")
    yield TextLine(("calls_to_action",), "Above the calls to action", above)
    for index, call in enumerate(workflow.get("calls_to_action", ())):
        key = str(call.get("id") or _text(call, "label"))
        label = f"Call to action {index + 1}"
        yield TextLine(("call_labels", key), label, _text(call, "label"))
    yield TextLine(("closing",), "Closing words", _text(workflow, "closing"))
    yield from _extras(workflow)


def _question(number: int, one: Plain) -> Iterator[TextLine]:
    slug = str(one.get("slug"))
    yield TextLine(("questions", slug, "text"), f"Question {number}", _text(one, "text"))
    small = f"Question {number}, small line under it"
    yield TextLine(("questions", slug, "help"), small, _text(one, "help"))
    grey = f"Question {number}, grey words"
    yield TextLine(("questions", slug, "placeholder"), grey, _text(one, "placeholder"))
    if one.get("type") in _RATING_LIKE:
        return
    for option in one.get("options", ()):
        value = str(option["value"])
        path = ("questions", slug, "options", value)
        # "2–5" reads the same everywhere.
        is_number = not any(letter.isalpha() for letter in value)
        yield TextLine(path, f"Question {number}, option", value, is_extra=is_number)


def _extras(workflow: Plain) -> Iterator[TextLine]:
    widget, messages = workflow.get("widget", {}), workflow.get("messages", {})
    title = _text(widget, "title")
    yield TextLine(("widget", "title"), "Title of the widget", title, is_extra=True)
    launcher = _text(widget, "launcher")
    yield TextLine(("widget", "launcher"), "Button of the widget", launcher, is_extra=True)
    for name, phrase in MESSAGES.items():
        said = _text(messages, name) or phrase
        yield TextLine(("messages", name), f"Set phrase “{name}”", said, is_extra=True)
    own = widget.get("words", {})
    for name, word in WORDS["en"].items():
        if name != "launcher":
            said = _text(own, name) or word
            yield TextLine(("widget", name), f"Widget word “{name}”", said, is_extra=True)


def _text(part: Any, name: str) -> str:
    value = part.get(name) if isinstance(part, dict) else None
    return value if isinstance(value, str) else ""
