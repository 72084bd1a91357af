"""An experiment as a marketer writes it down: read, checked, edited, and who takes part in it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from engine.bucketing import ArmWeight, Chosen, Filter, choose_arm, lets_through
from engine.experiment_arms import PARTS, Kind
from engine.plain_reading import is_number
from engine.targeting import LONGEST_PATTERN, OPERATORS, is_met
from engine.vocabulary import UTM_FIELDS

MOST_ARMS = 26
MOST_METRICS = 10
LONGEST_WINDOW = 365.0
NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,63}", re.ASCII)
# Addresses under /api/experiments that are no experiment.
RESERVED = frozenset({"holdout"})
# Goals that the server sees for itself, in words for a sentence.
METRICS = {
    "demo_request": "demo requests",
    "contact_shared": "contacts",
    "completed": "completed conversations",
    "mql": "marketing qualified leads",
    "sql": "qualified leads",
    "deal_won": "won deals",
    "deal_value": "deal value",
}
# A goal that a page reports with /api/ab-test/conversion: its name, or the value it carries.
CUSTOM, CUSTOM_VALUE = "custom:", "custom_value:"
# How long each goal may take, in days, unless an experiment says otherwise.
WINDOWS = {"mql": 1.0, "sql": 1.0, "deal_won": 30.0, "deal_value": 30.0}
SHORT_WINDOW = 1.0
# What is known of a visitor when they arrive.
ATTRIBUTES = (*UTM_FIELDS, "url", "path", "referrer", "locale", "language", "device", "returning")
# Points change nothing that a visitor sees: they would be scored in shadow, which is still to come.
TRIED = tuple(kind for kind in Kind if kind is not Kind.POINTS)
_LOGIC = ("$or", "$nor", "$and", "$not")
_MOBILE = re.compile(r"iPhone|iPod|Android.+Mobile|Mobi", re.IGNORECASE)
# A repeated group can be made to run for minutes, and so can many repeats one after the other.
_RISKY = re.compile(r"\)\s*[*+{?]|\\[1-9]|\(\?[^:]")
_UNBOUNDED = re.compile(r"[*+]|\{[0-9]*,[0-9]*\}")
MOST_REPEATS = 2
_TABLET = re.compile(r"iPad|Tablet|Android(?!.*Mobile)", re.IGNORECASE)


class Status(StrEnum):
    """How far an experiment has come."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DECIDED = "decided"


# The states from which each step may be taken.
STEPS: dict[str, tuple[Status, ...]] = {
    "start": (Status.DRAFT, Status.PAUSED),
    "pause": (Status.RUNNING,),
    "stop": (Status.RUNNING, Status.PAUSED),
    "decide": (Status.STOPPED,),
}
AFTER: dict[str, Status] = {
    "start": Status.RUNNING,
    "pause": Status.PAUSED,
    "stop": Status.STOPPED,
    "decide": Status.DECIDED,
}


class ExperimentInvalid(ValueError):
    """A definition that cannot be run; `fields` holds one sentence for each reason."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(text for texts in fields.values() for text in texts))
        self.fields = {name: list(texts) for name, texts in fields.items()}


@dataclass(frozen=True)
class Arm:
    """One arm: its name for ever, its share, what it changes, and a label that may be edited."""

    name: str
    weight: float
    config: Mapping[str, Any]
    label: str = ""


@dataclass(frozen=True)
class Group:
    """A part of a group of experiments of which a visitor is in one at most."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Definition:
    """All that a marketer decides about an experiment."""

    name: str
    kind: Kind
    arms: tuple[Arm, ...]
    control: str
    metric: str
    metrics: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    targeting: Mapping[str, Any] = field(default_factory=dict)
    coverage: float = 1.0
    group: Group | None = None
    window_days: float | None = None
    hoped_lift: float = 0.2
    planned_visitors: int | None = None
    description: str = ""

    @property
    def weights(self) -> dict[str, float]:
        """Each arm's share."""
        return {arm.name: arm.weight for arm in self.arms}

    def arm(self, name: str | None) -> Arm:
        """The arm of this name; the control when there is none."""
        found = next((arm for arm in self.arms if arm.name == name), None)
        return found or next(arm for arm in self.arms if arm.name == self.control)

    def window_of(self, metric: str) -> float:
        """How many days after the exposure a conversion counts."""
        return self.window_days or WINDOWS.get(metric, SHORT_WINDOW)

    def to_plain(self) -> dict[str, Any]:
        """The definition as it is stored and sent."""
        group = self.group and {
            "name": self.group.name,
            "from": self.group.start,
            "to": self.group.end,
        }
        return {
            "name": self.name,
            "kind": str(self.kind),
            "arms": [
                {"arm": a.name, "weight": a.weight, "config": dict(a.config), "label": a.label}
                for a in self.arms
            ],
            "control": self.control,
            "metric": self.metric,
            "metrics": list(self.metrics),
            "guardrails": list(self.guardrails),
            "targeting": dict(self.targeting),
            "coverage": self.coverage,
            "exclusion_group": group,
            "window_days": self.window_days,
            "hoped_lift": self.hoped_lift,
            "planned_visitors": self.planned_visitors,
            "description": self.description,
        }


def read_definition(raw: Mapping[str, Any]) -> Definition:
    """The definition of plain data; ExperimentInvalid with a sentence for each mistake."""
    reader = _Reader(raw)
    definition = reader.definition()
    if reader.fields:
        raise ExperimentInvalid(reader.fields)
    return definition


def stored_definition(raw: Mapping[str, Any]) -> Definition:
    """A definition that was checked before it was stored."""
    group = raw.get("exclusion_group")
    return Definition(
        name=raw["name"],
        kind=Kind(raw["kind"]),
        arms=tuple(
            Arm(one["arm"], one["weight"], one["config"], one["label"]) for one in raw["arms"]
        ),
        control=raw["control"],
        metric=raw["metric"],
        metrics=tuple(raw["metrics"]),
        guardrails=tuple(raw["guardrails"]),
        targeting=raw["targeting"],
        coverage=raw["coverage"],
        group=Group(group["name"], group["from"], group["to"]) if group else None,
        window_days=raw["window_days"],
        hoped_lift=raw["hoped_lift"],
        planned_visitors=raw["planned_visitors"],
        description=raw["description"],
    )


class _Reader:
    """Reads one definition; each mistake becomes a sentence under its field."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.fields: dict[str, list[str]] = {}

    def refuse(self, name: str, sentence: str) -> None:
        """Note a mistake."""
        self.fields.setdefault(name, []).append(sentence)

    def definition(self) -> Definition:
        """The whole, with a default wherever a part could not be read."""
        kind = self._kind()
        arms = self._arms(kind) if kind else ()
        return Definition(
            name=self._name(),
            kind=kind or Kind.GREETING,
            arms=arms,
            control=self._control(arms),
            metric=self._metric(),
            metrics=self._metrics("metrics"),
            guardrails=self._metrics("guardrails"),
            targeting=self._targeting(),
            coverage=self._coverage(),
            group=self._group(),
            window_days=self._number("window_days", None, 0, LONGEST_WINDOW),
            hoped_lift=self._number("hoped_lift", 0.2, 0, 10) or 0.2,
            planned_visitors=self._planned(),
            description=str(self.raw.get("description") or ""),
        )

    def _name(self) -> str:
        name = self.raw.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in RESERVED:
            self.refuse("name", "A name is letters, digits, _ . and -, at most 64 of them.")
        return str(name)

    def _kind(self) -> Kind | None:
        kind = self.raw.get("kind")
        if kind in TRIED:
            return Kind(str(kind))
        self.refuse("kind", f"An experiment varies one of {', '.join(TRIED)}.")
        return None

    def _arms(self, kind: Kind) -> tuple[Arm, ...]:
        raw = self.raw.get("arms")
        if not isinstance(raw, list) or not 2 <= len(raw) <= MOST_ARMS:
            self.refuse("arms", f"An experiment needs 2 to {MOST_ARMS} arms, one the control.")
            return ()
        arms = [self._arm(kind, one, f"arms[{place}]") for place, one in enumerate(raw)]
        read = [arm for arm in arms if arm]
        if len({arm.name for arm in read}) < len(read):
            self.refuse("arms", "Two arms have the same name; give each its own.")
        given = [one.get("weight") for one in raw if isinstance(one, Mapping)]
        return self._weighted(read, given)

    def _arm(self, kind: Kind, raw: Any, place: str) -> Arm | None:
        name = raw.get("arm") if isinstance(raw, Mapping) else None
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.refuse(place, "An arm is named by letters, digits, _ . and -, at most 64.")
            return None
        config, label = raw.get("config") or {}, raw.get("label") or ""
        if not isinstance(config, Mapping) or not isinstance(label, str) or len(label) > 255:
            self.refuse(place, f"What {name} changes must be an object, and its label a text.")
            return None
        for key in config:
            if key not in PARTS[kind]:
                known = ", ".join(PARTS[kind])
                self.refuse(place, f"{name} says {key!r}; an arm of this kind says {known}.")
        return Arm(name, 0.0, dict(config), label)

    def _weighted(self, arms: Sequence[Arm], given: Sequence[Any]) -> tuple[Arm, ...]:
        """The arms with shares that add up to 1; none given are equal ones."""
        if len(given) != len(arms):
            return tuple(arms)
        if all(weight is None for weight in given):
            return tuple(replace(arm, weight=1 / len(arms)) for arm in arms)
        if not all(is_number(weight) and weight >= 0 for weight in given):
            self.refuse("arms", "Each arm needs a weight, a number not below 0.")
            return tuple(arms)
        total = math.fsum(given)
        whole = next((sum_ for sum_ in (1, 100) if abs(total - sum_) <= sum_ / 1000), None)
        if whole is None:
            self.refuse("arms", f"The weights add up to {total:g}; they must add up to 1.")
            return tuple(arms)
        return tuple(
            replace(arm, weight=weight / total) for arm, weight in zip(arms, given, strict=True)
        )

    def _control(self, arms: Sequence[Arm]) -> str:
        """The arm of everybody outside: the one named, else the first."""
        named = self.raw.get("control", arms[0].name if arms else "")
        arm = next((arm for arm in arms if arm.name == named), None)
        if arms and arm is None:
            self.refuse("control", "The control is none of the arms; name one of them.")
        elif arm and not arm.weight and "arms" not in self.fields:
            self.refuse("control", "The control needs a weight, or nothing can be compared.")
        return str(named)

    def _metric(self) -> str:
        metric = self.raw.get("metric")
        if not is_metric(metric):
            self.refuse("metric", unknown_metric(metric))
        return str(metric)

    def _metrics(self, name: str) -> tuple[str, ...]:
        raw = self.raw.get(name) or []
        if not isinstance(raw, list) or len(raw) > MOST_METRICS:
            self.refuse(name, f"These are a list of at most {MOST_METRICS} goals.")
            return ()
        for metric in raw:
            if not is_metric(metric):
                self.refuse(name, unknown_metric(metric))
        return tuple(dict.fromkeys(str(one) for one in raw if one != self.raw.get("metric")))

    def _targeting(self) -> Mapping[str, Any]:
        raw = self.raw.get("targeting") or {}
        for sentence in condition_problems(raw):
            self.refuse("targeting", sentence)
        return raw if isinstance(raw, Mapping) else {}

    def _coverage(self) -> float:
        coverage = self._number("coverage", 1.0, 0, 1)
        return 1.0 if coverage is None else coverage

    def _group(self) -> Group | None:
        raw = self.raw.get("exclusion_group")
        if raw is None:
            return None
        if isinstance(raw, Mapping):
            name, start, end = raw.get("name"), raw.get("from", 0.0), raw.get("to", 1.0)
            named = isinstance(name, str) and NAME.fullmatch(name)
            if named and is_number(start) and is_number(end) and 0 <= start < end <= 1:
                return Group(str(name), float(start), float(end))
        sentence = "An exclusion group has a name and a part of it: from and to, 0 to 1."
        self.refuse("exclusion_group", sentence)
        return None

    def _planned(self) -> int | None:
        planned = self._number("planned_visitors", None, 0, 1e9)
        return None if planned is None else int(planned)

    def _number(self, name: str, default: float | None, above: float, most: float) -> float | None:
        value = self.raw.get(name)
        if value is None:
            return default
        if not is_number(value) or not above < value <= most:
            self.refuse(name, f"This must be a number above {above:g}, up to {most:g}.")
            return default
        return float(value)


def is_metric(metric: Any) -> bool:
    """Whether a goal is one that can be counted."""
    if not isinstance(metric, str):
        return False
    for prefix in (CUSTOM, CUSTOM_VALUE):
        if metric.startswith(prefix):
            return 0 < len(metric) - len(prefix) <= 64
    return metric in METRICS


def unknown_metric(metric: Any) -> str:
    """Why a goal cannot be counted."""
    known = ", ".join(METRICS)
    return f"{metric!r} is no goal; known are {known}, and custom:<name> for one of your own."


def stored_metric(metric: str) -> tuple[str, bool]:
    """The name under which conversions of a goal are kept, and whether their value is compared."""
    if metric == "deal_value":
        return "deal_won", True
    if metric.startswith(CUSTOM_VALUE):
        return metric.removeprefix(CUSTOM_VALUE), True
    return metric.removeprefix(CUSTOM), False


def noun_of(metric: str) -> str:
    """A goal in the plural, for a sentence."""
    return METRICS.get(metric) or metric.partition(":")[2].replace("_", " ") + " conversions"


def condition_problems(raw: Any) -> Iterable[str]:
    """What is wrong with a targeting condition, a sentence each."""
    if not isinstance(raw, Mapping):
        return ["A condition is an object from what is known of a visitor to what it must be."]
    problems: list[str] = []
    for name, wanted in raw.items():
        if name in _LOGIC:
            parts = [wanted] if name == "$not" else wanted
            for part in parts if isinstance(parts, list) else [parts]:
                problems.extend(condition_problems(part))
        elif name not in ATTRIBUTES:
            problems.append(
                f"{name!r} is not known of a visitor; known are {', '.join(ATTRIBUTES)}."
            )
        else:
            problems.extend(_operator_problems(wanted))
    return problems


def _operator_problems(wanted: Any) -> Iterable[str]:
    if not isinstance(wanted, Mapping):
        return
    for name, part in wanted.items():
        if name not in OPERATORS:
            yield f"{name!r} is no comparison; known are {', '.join(sorted(OPERATORS))}."
        elif name.lower().endswith(("regex", "regexi")) and not _is_pattern(part):
            yield f"{part!r} is no pattern of at most {LONGEST_PATTERN} characters."
        else:
            # Comparisons may hold others: those of each element, those that must not hold.
            for inner in part if isinstance(part, list) else [part]:
                yield from _operator_problems(inner)


def _is_pattern(text: Any) -> bool:
    """Whether a pattern can be read, and takes no time to speak of on a visitor's text."""
    if not isinstance(text, str) or len(text) > LONGEST_PATTERN or _RISKY.search(text):
        return False
    try:
        return bool(re.compile(text)) and len(_UNBOUNDED.findall(text)) <= MOST_REPEATS
    except re.error:
        return False


# Edits while it runs


@dataclass(frozen=True)
class Edit:
    """What an edit of a running experiment is: safe, the start of an epoch, or refused."""

    refused: tuple[str, ...] = ()
    opens_epoch: tuple[str, ...] = ()


def judge_edit(before: Definition, after: Definition) -> Edit:
    """What may be changed while visitors are in it, and at what price.

    Raising the coverage or taking a condition away moves nobody. Weights, new arms and new
    conditions change who is compared with whom: what follows is an epoch of its own. Anything
    else would make the numbers so far mean something else.
    """
    refused, opens = _judge_arms(before, after)
    if after.coverage < before.coverage:
        refused.append("Coverage can only be raised while it runs; pause it to let nobody in.")
    for name, sentence in _FIXED.items():
        if getattr(before, name) != getattr(after, name):
            refused.append(sentence)
    kept = {key: value for key, value in before.targeting.items() if key in after.targeting}
    if after.targeting != kept:
        opens.append("Its targeting changed.")
    return Edit(tuple(refused), tuple(opens))


_FIXED = {
    "kind": "What it varies cannot be changed while it runs; make a new experiment.",
    "control": "Its control cannot be changed while it runs; make a new experiment.",
    "metric": "Its goal was chosen before the start and stays; make a new experiment.",
    "metrics": "Its goals were chosen before the start and stay; make a new experiment.",
    "window_days": "How long a conversion may take was chosen before the start and stays.",
    "hoped_lift": "The effect hoped for was chosen before the start and stays.",
    "planned_visitors": "Its planned size was chosen before the start and stays.",
    "group": "Its exclusion group cannot be changed while it runs; make a new experiment.",
}


def _judge_arms(before: Definition, after: Definition) -> tuple[list[str], list[str]]:
    refused: list[str] = []
    opens: list[str] = []
    now = {arm.name: arm for arm in after.arms}
    for arm in before.arms:
        if arm.name not in now:
            refused.append(
                f"Visitors were shown {arm.name}, so it stays; give it the weight 0 instead."
            )
        elif dict(now[arm.name].config) != dict(arm.config):
            refused.append(f"Visitors were shown what {arm.name} says; add a new arm instead.")
    if set(now) - set(before.weights):
        opens.append("An arm was added.")
    elif after.weights != before.weights:
        opens.append("Its weights changed.")
    return refused, opens


# Who takes part


@dataclass(frozen=True)
class Holdout:
    """The share of visitors that no experiment ever gets, by a place of its own."""

    share: float = 0.0
    seed: str = ""

    def holds(self, unit: str) -> bool:
        """Whether this unit is kept out of everything."""
        if self.share <= 0:
            return False
        return lets_through(Filter(f"holdout:{self.seed}", ((0.0, self.share),)), unit)


def chosen_arm(
    definition: Definition,
    seed: str,
    unit: str,
    known: Mapping[str, object],
    holdout: Holdout,
) -> Chosen | None:
    """The arm of a visitor who is new to the experiment; None for who stays outside.

    In this order: targeting, the exclusion group, the holdout, the coverage, the arm.
    """
    if not is_met(definition.targeting, known):
        return None
    group = definition.group
    if group and not lets_through(Filter(f"group:{group.name}", ((group.start, group.end),)), unit):
        return None
    if holdout.holds(unit):
        return None
    weights = [ArmWeight(arm.name, arm.weight) for arm in definition.arms]
    return choose_arm(seed, unit, weights, definition.coverage)


def names_of(targeting: Any) -> set[str]:
    """What a condition asks about a visitor."""
    if not isinstance(targeting, Mapping):
        return set()
    found: set[str] = set()
    for name, wanted in targeting.items():
        if name in _LOGIC:
            for part in wanted if isinstance(wanted, list) else [wanted]:
                found |= names_of(part)
        else:
            found.add(name)
    return found


def device_of(user_agent: str | None) -> str:
    """What kind of device a program runs on, as far as its name tells."""
    said = user_agent or ""
    if _TABLET.search(said):
        return "tablet"
    return "mobile" if _MOBILE.search(said) else "desktop"


def read_forced(text: str | None) -> dict[str, str]:
    """The arms that a preview asks for: `name:arm`, several with commas between them."""
    pairs = (one.partition(":") for one in (text or "")[:1000].split(","))
    return {name.strip(): arm.strip() for name, _, arm in pairs if name.strip() and arm.strip()}
