"""What an arm of an experiment changes, as fields of a form beside what there is now."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.experiment_arms import Kind
from engine.vocabulary import DEFAULT_POINTS
from engine.workflow_shape import Plain
from errors import invalid_field
from lib.text import strip_all
from web.console.typed import WHOLE, text

Config = dict[str, Any]
THRESHOLDS = ("sql", "mql")
_DEFAULT_THRESHOLDS = {"sql": 60, "mql": 30}
MOST_CALLS = 8
QUESTION = "questions."
TEXT_PARTS: Mapping[str, str] = {
    "closing": "The closing words",
    "contact": "The question for the contact",
    "products": "The words above the products",
    "calls_to_action": "The words above the calls to action",
}
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "closing": ("closing",),
    "contact": ("contact", "text"),
    "products": ("product_text",),
    "calls_to_action": ("call_to_action_text",),
    "greeting": ("greeting", "text"),
}


@dataclass(frozen=True)
class Present:
    """What there is now: the workflow in force, and the versions that may be tried whole."""

    workflow: Plain
    versions: Sequence[tuple[int, str]] = ()

    @property
    def locales(self) -> list[str]:
        """The languages besides the default one."""
        return list(self.workflow.get("translations", {}))

    @property
    def questions(self) -> Sequence[Plain]:
        """The questions in their order."""
        found: Sequence[Plain] = self.workflow.get("questions", ())
        return found

    @property
    def parts(self) -> dict[str, str]:
        """The texts that can be tried, and what people call them."""
        asked = {
            QUESTION + one["slug"]: f"Question: {one.get('text', '')}" for one in self.questions
        }
        return {**{key: said for key, said in TEXT_PARTS.items() if self.text(key)}, **asked}

    @property
    def closed(self) -> dict[str, str]:
        """The questions that offer options."""
        return {
            one["slug"]: one.get("text", "") for one in self.questions if self.options(one["slug"])
        }

    def text(self, part: str, locale: str = "") -> str:
        """A text as it is now, in a language; "" where there is none."""
        slug = part.removeprefix(QUESTION)
        if locale:
            texts = self.workflow.get("translations", {}).get(locale, {})
            path = ("questions", slug, "text") if part.startswith(QUESTION) else (part,)
            return _at(texts, path)
        if part.startswith(QUESTION):
            asked = next((one for one in self.questions if one["slug"] == slug), {})
            return str(asked.get("text", ""))
        return _at(self.workflow, _TEXTS.get(part, ("",)))

    def options(self, slug: str) -> list[Any]:
        """The options of a question as they are written."""
        asked = next((one for one in self.questions if one["slug"] == slug), {})
        if asked.get("options_from"):
            return [{"value": one.get("name", "")} for one in self.workflow.get("products", ())]
        return list(asked.get("options", ()))

    @property
    def calls(self) -> Sequence[Plain]:
        """The calls to action."""
        found: Sequence[Plain] = self.workflow.get("calls_to_action", ())
        return found

    @property
    def points(self) -> dict[str, int]:
        """What each action earns, and from when on a lead is good."""
        said = self.workflow.get("scoring", {})
        borders = {**_DEFAULT_THRESHOLDS, **self.workflow.get("classification_thresholds", {})}
        return {
            **{str(one): said.get(str(one), worth) for one, worth in DEFAULT_POINTS.items()},
            **{name: borders[name] for name in THRESHOLDS},
        }


@dataclass(frozen=True)
class Fields:
    """The fields of an arm; which of them count is a matter of what the experiment varies."""

    arm: str
    label: str = ""
    share: str = ""
    says: str = ""
    translated: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    calls: Sequence[Mapping[str, str]] = ()
    points: Mapping[str, str] = field(default_factory=dict)
    # For developers: the change as JSON, instead of all of these.
    raw: str = ""


def typed_fields(arm: str, now: Present) -> Fields:
    """What was typed about an arm."""
    return Fields(
        arm,
        label=text(f"label_{arm}"),
        share=text(f"share_{arm}"),
        says=text(f"says_{arm}", lines=True),
        translated={one: text(f"says_{arm}.{one}", lines=True) for one in now.locales},
        places={one["slug"]: text(f"place_{arm}.{one['slug']}") for one in now.questions},
        calls=[
            {name: text(f"call_{arm}.{n}.{name}") for name in ("label", "action")}
            for n in range(MOST_CALLS)
        ],
        points={name: text(f"points_{arm}.{name}") for name in now.points},
        raw=text(f"raw_{arm}", lines=True),
    )


def stored_fields(kind: str, about: str, one: Mapping[str, Any], now: Present) -> Fields:
    """A stored arm as its fields; as JSON where they cannot say it."""
    config = one.get("config") or {}
    share = f"{round(one['weight'] * 100, 4):g}" if one.get("weight") is not None else ""
    fields = Fields(one["arm"], one.get("label", ""), share, **_FILLED[kind](config, about, now))
    if config and not _is_said(kind, about, fields, now, config):
        raw = json.dumps(config, ensure_ascii=False)
        return Fields(fields.arm, fields.label, share, raw=raw, **_FILLED[kind]({}, about, now))
    return fields


def about_of(kind: str, arms: Sequence[Mapping[str, Any]]) -> str:
    """Which text or question an experiment is about; "" where that is no question."""
    part = {Kind.TEXT: "texts", Kind.OPTIONS: "options"}.get(Kind(kind))
    for one in arms:
        for name in (one.get("config") or {}).get(part or "", ()):
            return str(name)
    return ""


def config_of(kind: str, about: str, fields: Fields, now: Present) -> Config:
    """What an arm changes; empty for as it is. Invalid names the field that cannot be read."""
    if fields.raw:
        return _raw(fields)
    return _CONFIGS[kind](fields, about, now)


def _is_said(kind: str, about: str, fields: Fields, now: Present, config: Config) -> bool:
    """Whether fields say all of a change."""
    said = config_of(kind, about, fields, now)
    if kind == Kind.QUESTION_ORDER and set(config) == {"order"}:
        # An order may name the first questions only; fields name all.
        order = config["order"]
        return isinstance(order, list) and said.get("order", [])[: len(order)] == order
    return said == config


def _raw(fields: Fields) -> Config:
    try:
        found = strip_all(json.loads(fields.raw))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        sentence = 'This is no JSON object; it looks like {"greeting": "Hello!"}.'
        raise invalid_field(f"raw_{fields.arm}", sentence)
    return found


# From fields to a change


def _greeting(fields: Fields, about: str, now: Present) -> Config:
    if not fields.says:
        return {}
    said = {locale: one for locale, one in fields.translated.items() if one}
    return {"greeting": fields.says, **({"greeting_translations": said} if said else {})}


def _text(fields: Fields, about: str, now: Present) -> Config:
    if not fields.says:
        return {}
    said = {locale: {about: one} for locale, one in fields.translated.items() if one}
    return {"texts": {about: fields.says}, **({"translations": said} if said else {})}


def _order(fields: Fields, about: str, now: Present) -> Config:
    order = [one["slug"] for one in now.questions]
    places: dict[str, int] = {}
    for slug, place in fields.places.items():
        if place and not WHOLE.fullmatch(place):
            raise invalid_field(f"place_{fields.arm}.{slug}", "Write its place, such as 1.")
        places[slug] = int(place) if place else len(order) + 1
    chosen = sorted(order, key=lambda slug: (places.get(slug, len(order) + 1), order.index(slug)))
    return {} if chosen == order else {"order": chosen}


def _options(fields: Fields, about: str, now: Present) -> Config:
    lines = [one.strip() for one in fields.says.splitlines() if one.strip()]
    known = {_value(one): one for one in now.options(about)}
    if not lines or lines == list(known):
        return {}
    return {"options": {about: [known.get(line, line) for line in lines]}}


def _calls(fields: Fields, about: str, now: Present) -> Config:
    known = {one.get("label"): one for one in now.calls}
    made = []
    for row in fields.calls:
        if row.get("label"):
            before = known.get(row["label"], {})
            if before.get("action", "") == row.get("action", ""):
                made.append(dict(before) or {"label": row["label"]})
            else:
                action = {"action": row["action"]} if row.get("action") else {}
                kept = {name: one for name, one in before.items() if name == "id"}
                made.append({**kept, "label": row["label"], **action})
    return {} if not made or made == list(now.calls) else {"calls_to_action": made}


def _points(fields: Fields, about: str, now: Present) -> Config:
    changed: dict[str, int] = {}
    for name, said in fields.points.items():
        if said and not WHOLE.fullmatch(said):
            raise invalid_field(f"points_{fields.arm}.{name}", "Write whole points, such as 15.")
        if said and int(said) != now.points.get(name):
            changed[name] = int(said)
    scoring = {name: worth for name, worth in changed.items() if name not in THRESHOLDS}
    borders = {name: worth for name, worth in changed.items() if name in THRESHOLDS}
    parts = {"scoring": scoring, "classification_thresholds": borders}
    return {name: part for name, part in parts.items() if part}


def _version(fields: Fields, about: str, now: Present) -> Config:
    if not fields.says:
        return {}
    if not WHOLE.fullmatch(fields.says) or len(fields.says) > 9:
        raise invalid_field(f"says_{fields.arm}", "Choose one of the versions.")
    return {"workflow_version": int(fields.says)}


_CONFIGS: Mapping[str, Callable[[Fields, str, Present], Config]] = {
    Kind.GREETING: _greeting,
    Kind.TEXT: _text,
    Kind.QUESTION_ORDER: _order,
    Kind.OPTIONS: _options,
    Kind.CALLS_TO_ACTION: _calls,
    Kind.POINTS: _points,
    Kind.WORKFLOW: _version,
}


# From a change to fields


def _filled_greeting(config: Config, about: str, now: Present) -> Plain:
    said = config.get("greeting_translations") or {}
    return {"says": str(config.get("greeting", "")), "translated": dict(said)}


def _filled_text(config: Config, about: str, now: Present) -> Plain:
    said = (config.get("texts") or {}).get(about, "")
    translated = {
        locale: str(texts.get(about, ""))
        for locale, texts in (config.get("translations") or {}).items()
        if isinstance(texts, dict)
    }
    return {"says": str(said), "translated": translated}


def _filled_order(config: Config, about: str, now: Present) -> Plain:
    order = [one["slug"] for one in now.questions]
    named = [str(one) for one in config.get("order") or () if str(one) in order]
    chosen = [*named, *(slug for slug in order if slug not in named)]
    return {"places": {slug: str(chosen.index(slug) + 1) for slug in order}}


def _filled_options(config: Config, about: str, now: Present) -> Plain:
    options = (config.get("options") or {}).get(about) or now.options(about)
    lines = [_value(one) for one in options] if isinstance(options, list) else []
    return {"says": "\n".join(lines)}


def _filled_calls(config: Config, about: str, now: Present) -> Plain:
    calls = config.get("calls_to_action") or now.calls
    return {"calls": [_call(one) for one in calls] if isinstance(calls, Sequence) else []}


def _filled_points(config: Config, about: str, now: Present) -> Plain:
    parts = (config.get("scoring") or {}, config.get("classification_thresholds") or {})
    return {"points": {str(name): str(worth) for part in parts for name, worth in part.items()}}


def _filled_version(config: Config, about: str, now: Present) -> Plain:
    return {"says": str(config.get("workflow_version", ""))}


_FILLED: Mapping[str, Callable[[Config, str, Present], Plain]] = {
    Kind.GREETING: _filled_greeting,
    Kind.TEXT: _filled_text,
    Kind.QUESTION_ORDER: _filled_order,
    Kind.OPTIONS: _filled_options,
    Kind.CALLS_TO_ACTION: _filled_calls,
    Kind.POINTS: _filled_points,
    Kind.WORKFLOW: _filled_version,
}


def _value(option: Any) -> str:
    return str(option.get("value", "")) if isinstance(option, Mapping) else str(option)


def _call(one: Any) -> dict[str, str]:
    part = one if isinstance(one, Mapping) else {"label": str(one)}
    return {name: str(part.get(name) or "") for name in ("label", "action")}


def _at(part: Any, path: Sequence[str]) -> str:
    for name in path:
        part = part.get(name) if isinstance(part, Mapping) else None
    return part if isinstance(part, str) else ""
