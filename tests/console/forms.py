"""The forms of a page, filled in as a browser shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Form:
    """Where a form goes, and what it would send as it stands."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Forms that post, with the values of their fields."""

    def __init__(self, here: str) -> None:
        super().__init__()
        self.here = here
        self.found: list[Form] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._options: list[tuple[str, bool]] = []
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form" and (given.get("method") or "").lower() == "post":
            self._form = Form(given.get("action") or self.here)
            self.found.append(self._form)
        elif tag == "input" and name and given.get("type") not in ("file", "submit"):
            is_tick = given.get("type") in ("checkbox", "radio")
            if not is_tick or "checked" in given:
                self._add(name, value or ("on" if is_tick else ""))
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select is not None:
            self._options.append((given.get("value") or "", "selected" in given))
        elif tag == "textarea":
            self._area = name
            self._add(name, "")

    def handle_data(self, data: str) -> None:
        if self._area and self._form:
            self._form.fields[self._area][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select" and self._select is not None:
            chosen = [value for value, is_chosen in self._options if is_chosen]
            if self._options:
                self._add(self._select, (chosen or [self._options[0][0]])[0])
            self._select = None

    def _add(self, name: str, value: str) -> None:
        if self._form is not None and name:
            self._form.fields.setdefault(name, []).append(value)


def forms_of(text: str, here: str) -> list[Form]:
    """Every form of a page at `here` that posts."""
    reader = _Reader(here)
    reader.feed(text)
    return reader.found


def form_to(text: str, action: str, here: str = "") -> dict[str, Any]:
    """What the form to this address would send; fails where the page has no such form."""
    found = [one for one in forms_of(text, here or action) if one.action == action]
    assert found, f"the page has no form to {action}"
    return {name: list(values) for name, values in found[0].fields.items()}
