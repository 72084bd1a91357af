"""What every template of the console may use, given to Flask once."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from markupsafe import Markup

from engine.policy import Permission
from lib.languages import language_name
from web.console import assets, navigation, notes, wording
from web.console.frame import trouble
from web.sign_in import csrf_token, signed_in
from web.unit_of_work import resources


def register(app: Flask) -> None:
    """Gives templates their words, and every reply the end of its note."""
    words = ("moment", "day", "calendar_day", "ago", "percent", "number", "money", "local_input")
    for name in words:
        app.add_template_filter(getattr(wording, name), name)
    app.add_template_filter(language_name)
    app.add_template_global(icon, "icon")
    app.add_template_global(wording.currency, "currency")
    app.add_template_global(csrf_field, "csrf_field")
    app.context_processor(_context)
    app.after_request(notes.forget)


def icon(name: str, label: str = "") -> Markup:
    """An icon of the set; with a label it says something, else it is an ornament."""
    files = assets.files()
    place = f"{files.icons}#{name}" if files else f"#{name}"
    said = (
        Markup('role="img" aria-label="{}"').format(label)
        if label
        else Markup('aria-hidden="true"')
    )
    return Markup('<svg class="icon" {}><use href="{}"></use></svg>').format(said, place)


def csrf_field() -> Markup:
    """The hidden field by which we know a form as ours."""
    person = signed_in()
    if person is None:
        return Markup("")
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(csrf_token(person))


def _context() -> dict[str, Any]:
    if not request.path.startswith("/console"):
        return {}
    person = signed_in()
    return {
        "me": person,
        "csrf": csrf_token(person) if person else "",
        "sections": navigation.sections(person) if person else [],
        "home": navigation.home(person) if person else "",
        "files": assets.files(),
        "note": notes.heard(),
        "trouble": trouble(),
        "Permission": Permission,
        "is_demo": resources().settings.DEMO_MODE,
    }
