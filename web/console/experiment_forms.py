"""An experiment as a form says it, and as the service takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow
from marshmallow import fields, validate

from engine.experiment_arms import Kind
from engine.goals import CUSTOM, METRICS
from errors import invalid_field
from lib.text import strip_all
from web.console import experiment_arms as arms
from web.console import experiment_targeting as targeting
from web.console.typed import text

LETTERS = ("A", "B", "C", "D")
KINDS: dict[str, tuple[str, str]] = {
    Kind.GREETING: ("The greeting", "What the bot says first."),
    Kind.TEXT: ("Another text", "A question's words, or those of a later step."),
    Kind.QUESTION_ORDER: ("The order of questions", "What is asked first, and what last."),
    Kind.OPTIONS: ("The options of a question", "Other words, fewer or more of them."),
    Kind.CALLS_TO_ACTION: ("Calls to action", "What visitors may do at the end."),
    Kind.POINTS: ("The points, in shadow", "Nobody sees it; which points foretell deals better?"),
    Kind.WORKFLOW: ("A whole workflow version", "A published version against the one in force."),
}
GOALS = {name: words.capitalize() for name, words in METRICS.items()}
OWN_GOAL = "own"


class ExperimentForm(marshmallow.Schema):
    """What a marketer decides about an experiment."""

    name = fields.String(required=True, validate=validate.Length(1, 64))
    description = fields.String(load_default="", validate=validate.Length(max=2000))
    kind = fields.String(required=True, validate=validate.OneOf([str(one) for one in Kind]))
    about = fields.String(load_default="", validate=validate.Length(max=128))
    metric = fields.String(required=True)
    own_goal = fields.String(load_default="", validate=validate.Length(max=64))
    metrics = fields.List(fields.String())
    guardrails = fields.List(fields.String())
    hoped_lift = fields.Float(load_default=20.0, validate=validate.Range(0.1, 1000))
    coverage = fields.Float(load_default=100.0, validate=validate.Range(0, 100))
    window_days = fields.Float(load_default=None)
    planned_visitors = fields.Integer(load_default=None)
    mode = fields.String(load_default="test", validate=validate.OneOf(("test", "bandit")))
    floor = fields.Float(load_default=None, validate=validate.Range(0.1, 50))
    careful = fields.Boolean(load_default=False)
    group = fields.String(load_default="", validate=validate.Length(max=64))
    group_from = fields.Float(load_default=0.0, validate=validate.Range(0, 100))
    group_to = fields.Float(load_default=100.0, validate=validate.Range(0, 100))


@dataclass(frozen=True)
class About:
    """Which kind of experiment a form is for, and about which text or question."""

    kind: str
    part: str = ""

    @property
    def is_of_text(self) -> bool:
        """Whether an arm is a text of the bot."""
        return self.kind in (Kind.GREETING, Kind.TEXT)

    def parts(self, now: arms.Present) -> dict[str, str]:
        """What an experiment of this kind may be about."""
        if self.kind == Kind.TEXT:
            return now.parts
        return now.closed if self.kind == Kind.OPTIONS else {}


def about_of(kind: str, part: str, now: arms.Present) -> About:
    """What is asked for, or the first that there is."""
    known = About(kind if kind in tuple(Kind) else str(Kind.GREETING))
    parts = known.parts(now)
    return About(known.kind, part if part in parts else next(iter(parts), ""))


def definition_of(
    form: Mapping[str, Any], now: arms.Present, found: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The experiment that the form describes; Invalid names the field that cannot be read.

    `found` is the experiment that is changed: its arms stay, and what the form cannot say.
    """
    known = {one["arm"]: one for one in (found or {}).get("arms", ())}
    about = about_of(form["kind"], form["about"], now)
    typed = [arms.typed_fields(arm, now) for arm in names_of(known)]
    control = (found or {}).get("control", LETTERS[0])
    configs = {one.arm: _config(about, one, known.get(one.arm), now) for one in typed}
    said = [one for one in typed if one.arm == control or one.arm in known or configs[one.arm]]
    shares = _shares(said)
    return {
        "name": found["name"] if found else name_of(form["name"]),
        "description": form["description"],
        "kind": form["kind"],
        "arms": [
            {
                "arm": one.arm,
                "weight": shares[one.arm],
                "label": one.label,
                "config": configs[one.arm],
            }
            for one in said
        ],
        "control": control,
        "metric": _goal(form),
        "metrics": [one for one in form.get("metrics", []) if one != form["metric"]],
        "guardrails": form.get("guardrails", []),
        "hoped_lift": form["hoped_lift"] / 100,
        "coverage": form["coverage"] / 100,
        "window_days": form["window_days"],
        "planned_visitors": form["planned_visitors"],
        "exclusion_group": _group(form),
        "targeting": _targeting(),
        **_mode(form),
    }


def names_of(known: Mapping[str, Any]) -> list[str]:
    """The arms of a form: those that there are, and letters for new ones."""
    letters = [one for one in LETTERS if one not in known]
    return [*known, *letters[: max(1 if known else 0, len(LETTERS) - len(known))]]


def name_of(said: str) -> str:
    """A name as an experiment may have it, of what somebody called it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", said.strip()).strip("_") or said


def said_of(kind: str, config: Mapping[str, Any]) -> str:
    """What an arm says, in a line."""
    if not config:
        return ""
    if kind == Kind.GREETING:
        return str(config.get("greeting", ""))
    if kind == Kind.TEXT:
        return " · ".join(map(str, (config.get("texts") or {}).values()))
    if kind == Kind.QUESTION_ORDER:
        return ", then ".join(str(one).replace("_", " ") for one in config.get("order", ()))
    if kind == Kind.WORKFLOW:
        return f"version {config.get('workflow_version', '')}"
    return _listed(kind, config)


def _listed(kind: str, config: Mapping[str, Any]) -> str:
    if kind == Kind.OPTIONS:
        lists = (config.get("options") or {}).values()
        found = [_value(one, "value") for options in lists for one in options]
    elif kind == Kind.CALLS_TO_ACTION:
        found = [_value(one, "label") for one in config.get("calls_to_action") or ()]
    else:
        parts = (config.get("scoring") or {}, config.get("classification_thresholds") or {})
        pairs = ((name, worth) for part in parts for name, worth in part.items())
        found = [f"{name.replace('_', ' ')} {worth}" for name, worth in pairs]
    return ", ".join(found)


def _value(one: Any, name: str) -> str:
    return str(one.get(name, "")) if isinstance(one, Mapping) else str(one)


def _config(
    about: About, said: arms.Fields, known: Mapping[str, Any] | None, now: arms.Present
) -> dict[str, Any]:
    """What an arm changes; as it stands where its fields say what they said before."""
    made = arms.config_of(about.kind, about.part, said, now)
    if known is None:
        return made
    before = arms.stored_fields(about.kind, about.part, known, now)
    stored: dict[str, Any] = known.get("config") or {}
    return stored if made == arms.config_of(about.kind, about.part, before, now) else made


def _goal(form: Mapping[str, Any]) -> str:
    if form["metric"] != OWN_GOAL:
        return str(form["metric"])
    if not form["own_goal"]:
        raise invalid_field("own_goal", "Write the name under which your page reports it.")
    return CUSTOM + str(form["own_goal"])


def _group(form: Mapping[str, Any]) -> dict[str, Any] | None:
    if not form["group"]:
        return None
    start, end = form["group_from"] / 100, form["group_to"] / 100
    return {"name": name_of(form["group"]), "from": start, "to": end}


def _mode(form: Mapping[str, Any]) -> dict[str, Any]:
    if form["mode"] != "bandit":
        return {"mode": form["mode"], "bandit": None}
    floor = form["floor"] / 100 if form["floor"] is not None else None
    return {"mode": "bandit", "bandit": {"floor": floor, "careful": form["careful"]}}


def _shares(said: Sequence[arms.Fields]) -> dict[str, float]:
    """The share of each arm, alike where nothing is said."""
    if not any(one.share for one in said):
        return {one.arm: 1 / len(said) for one in said}
    shares = {}
    for one in said:
        try:
            shares[one.arm] = float(one.share.replace(",", ".") or 0) / 100
        except ValueError:
            raise invalid_field(f"share_{one.arm}", "Write a number of per cent.") from None
    return shares


def _targeting() -> dict[str, Any]:
    raw = text("targeting", lines=True)
    if not raw:
        return targeting.targeting_of(targeting.typed_target())
    try:
        found = strip_all(json.loads(raw))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        sentence = 'This is no JSON object; it looks like {"utm_source": "google"}.'
        raise invalid_field("targeting", sentence)
    return found
