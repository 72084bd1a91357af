"""An experiment as a form says it, and as the service takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import marshmallow
from marshmallow import fields, validate

from engine.experiment_arms import TEXTS, Kind
from engine.goals import METRICS
from errors import invalid_field
from lib.text import strip_all

ARMS = ("A", "B", "C", "D")
KINDS: dict[str, tuple[str, str]] = {
    Kind.GREETING: ("The greeting", "What the bot says first."),
    Kind.TEXT: ("Another text", "Choose which one below."),
    Kind.QUESTION_ORDER: ("The order of questions", "Their names, by commas, first one first."),
    Kind.WORKFLOW: ("A whole workflow version", "The number of a published version."),
    Kind.OPTIONS: (
        "The options of a question",
        'As JSON: {"staff_size": ["Just me", "2 or more"]}',
    ),
    Kind.CALLS_TO_ACTION: ("Calls to action", 'As JSON: [{"label": "Book a demo"}]'),
    Kind.POINTS: ("The points, in shadow", 'As JSON: {"scoring": {"clicked_demo": 20}}'),
}
TEXT_PARTS = {
    "closing": "The closing words",
    "contact": "The question for the contact",
    "products": "The words above the products",
    "calls_to_action": "The words above the calls to action",
}
GOALS = {name: words.capitalize() for name, words in METRICS.items()}


class ExperimentForm(marshmallow.Schema):
    """What a marketer decides about an experiment."""

    name = fields.String(required=True, validate=validate.Length(1, 64))
    description = fields.String(load_default="", validate=validate.Length(max=2000))
    kind = fields.String(required=True, validate=validate.OneOf([str(one) for one in Kind]))
    part = fields.String(load_default="closing", validate=validate.OneOf(list(TEXTS)))
    metric = fields.String(required=True)
    metrics = fields.List(fields.String())
    guardrails = fields.List(fields.String())
    hoped_lift = fields.Float(load_default=20.0, validate=validate.Range(0.1, 1000))
    coverage = fields.Float(load_default=100.0, validate=validate.Range(0, 100))
    window_days = fields.Float(load_default=None)
    planned_visitors = fields.Integer(load_default=None)
    mode = fields.String(load_default="test", validate=validate.OneOf(("test", "bandit")))
    targeting = fields.String(load_default="", validate=validate.Length(max=4000))


def definition_of(form: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """The experiment that a form describes; Invalid names the arm that cannot be read."""
    said = [arm for arm in ARMS if arm == "A" or typed.get(f"says_{arm}", "").strip()]
    shares = _shares(said, typed)
    arms = [
        {
            "arm": arm,
            "weight": shares[arm],
            "label": typed.get(f"label_{arm}", "").strip(),
            "config": _config(form["kind"], form["part"], typed.get(f"says_{arm}", ""), arm),
        }
        for arm in said
    ]
    return {
        "name": form["name"],
        "description": form["description"],
        "kind": form["kind"],
        "arms": arms,
        "control": "A",
        "metric": form["metric"],
        "metrics": [one for one in form.get("metrics", []) if one != form["metric"]],
        "guardrails": form.get("guardrails", []),
        "hoped_lift": form["hoped_lift"] / 100,
        "coverage": form["coverage"] / 100,
        "window_days": form["window_days"],
        "planned_visitors": form["planned_visitors"],
        "mode": form["mode"],
        "targeting": _json(form["targeting"] or "{}", "targeting"),
    }


def said_of(kind: str, config: Mapping[str, Any]) -> str:
    """What an arm says, as the form shows it."""
    if not config:
        return ""
    if kind == Kind.GREETING:
        return str(config.get("greeting", ""))
    if kind == Kind.TEXT:
        return str(next(iter((config.get("texts") or {}).values()), ""))
    if kind == Kind.QUESTION_ORDER:
        return ", ".join(config.get("order", ()))
    if kind == Kind.WORKFLOW:
        return str(config.get("workflow_version", ""))
    whole = config.get("options" if kind == Kind.OPTIONS else "calls_to_action", config)
    return json.dumps(whole if kind != Kind.POINTS else config, ensure_ascii=False)


def _config(kind: str, part: str, text: str, arm: str) -> dict[str, Any]:
    text = text.strip()
    if not text:
        return {}
    field = f"says_{arm}"
    if kind == Kind.GREETING:
        return {"greeting": text}
    if kind == Kind.TEXT:
        return {"texts": {part: text}}
    if kind == Kind.QUESTION_ORDER:
        return {"order": [one.strip() for one in text.split(",") if one.strip()]}
    if kind == Kind.WORKFLOW:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise invalid_field(field, "Write the number of a version, such as 3.")
        return {"workflow_version": int(text)}
    read = _json(text, field)
    if kind == Kind.OPTIONS:
        return {"options": read}
    if kind == Kind.CALLS_TO_ACTION:
        return {"calls_to_action": read}
    if not isinstance(read, dict):
        raise invalid_field(field, 'Write an object, such as {"scoring": {…}}.')
    return read


def _shares(arms: list[str], typed: Mapping[str, str]) -> dict[str, float]:
    """The share of each arm, alike where nothing is said."""
    texts = {arm: typed.get(f"share_{arm}", "").strip() for arm in arms}
    if not any(texts.values()):
        return {arm: 1 / len(arms) for arm in arms}
    shares = {}
    for arm, text in texts.items():
        try:
            shares[arm] = float(text or 0) / 100
        except ValueError:
            raise invalid_field(f"share_{arm}", "Write a number of per cent.") from None
    return shares


def _json(text: str, field: str) -> Any:
    try:
        return strip_all(json.loads(text))
    except (ValueError, RecursionError):
        raise invalid_field(field, "This is no JSON; look at the example.") from None
