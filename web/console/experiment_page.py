"""The form of an experiment: what is tried beside what there is now, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow
from flask import request
from marshmallow import fields, validate

from engine.policy import Permission
from engine.workflow_words import ACTIONS
from web.console import experiment_arms as arms
from web.console import experiment_forms as forms
from web.console import experiment_targeting as targeting
from web.console.frame import me, read_query, show, trouble
from web.console.typed import text
from web.unit_of_work import services

Found = Mapping[str, Any]
POINTS_IN_WORDS = {
    **ACTIONS,
    "sql": "Sales qualified (SQL) from",
    "mql": "Marketing qualified (MQL) from",
}


class KindQuery(marshmallow.Schema):
    """What a new experiment is to vary."""

    kind = fields.String(load_default="greeting", validate=validate.Length(max=32))
    about = fields.String(load_default="", validate=validate.Length(max=128))


def present() -> arms.Present:
    """What there is now, that an experiment may change."""
    history = services().workflow_history
    number = services().workflows.in_force().version
    versions = [
        (one.version, f"Version {one.version}" + (f": {one.note}" if one.note else ""))
        for one in history.versions()
    ]
    return arms.Present(history.shaped(number)[0], versions)


def show_form(found: Found | None) -> str:
    """The form of an experiment, or of a new one; what was typed, if it was refused."""
    now, is_typed = present(), bool(trouble().message)
    about = _about(found, now, is_typed)
    known = {one["arm"]: one for one in (found or {}).get("arms", ())}
    names = forms.names_of(known)
    if is_typed:
        shown = [arms.typed_fields(arm, now) for arm in names]
    else:
        empty = {"arm": "", "config": {}}
        stored = [known.get(arm, {**empty, "arm": arm}) for arm in names]
        shown = [arms.stored_fields(about.kind, about.part, one, now) for one in stored]
    return show(
        "experiments/form.html",
        one=found,
        about=about,
        now=now,
        arms=shown,
        known=list(known),
        control=(found or {}).get("control", names[0]),
        arm_problems=_arm_problems(shown, found),
        parts=about.parts(now),
        points_in_words=POINTS_IN_WORDS,
        most_calls=arms.MOST_CALLS,
        **_target(found, is_typed),
        statuses={},
        kinds=forms.KINDS,
        goals=forms.GOALS,
        own_goal=forms.OWN_GOAL,
        may_write=me().may(Permission.EXPERIMENTS_WRITE),
    )


def _about(found: Found | None, now: arms.Present, is_typed: bool) -> forms.About:
    if found:
        return forms.About(found["kind"], arms.about_of(found["kind"], found["arms"]))
    if is_typed:
        return forms.about_of(text("kind"), text("about"), now)
    query = read_query(KindQuery) if request.args else {}
    return forms.about_of(query.get("kind", "greeting"), query.get("about", ""), now)


def _target(found: Found | None, is_typed: bool) -> dict[str, Any]:
    condition = (found or {}).get("targeting") or {}
    target = targeting.typed_target() if is_typed else targeting.target_of(condition)
    raw = text("targeting", lines=True) if is_typed else condition if target is None else ""
    return {
        "target": target or targeting.Target(),
        "target_raw": raw,
        "who_names": targeting.KNOWN,
        "who_operators": targeting.OPERATORS,
        "who_examples": targeting.EXAMPLES,
    }


def _arm_problems(shown: list[arms.Fields], found: Found | None) -> dict[str, list[str]]:
    """What is wrong with an arm by its name; the service counts the arms that it was sent."""
    said = [one["arm"] for one in (found or {}).get("arms", ())] or [one.arm for one in shown]
    problems: dict[str, list[str]] = {}
    for key, sentences in trouble().fields.items():
        if key.startswith("arms[") and key[5:-1].isdigit() and int(key[5:-1]) < len(said):
            problems.setdefault(said[int(key[5:-1])], []).extend(sentences)
    return problems
