"""An experiment as a marketer wrote it down, read and checked: each mistake becomes a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.experiment_arms import PARTS, Kind
from engine.experiments import Arm, Bandit, Definition, Group, Mode
from engine.goals import CUSTOM, is_metric, stored_metric, unknown_metric
from engine.plain_reading import is_number
from engine.visitors import condition_problems

MOST_ARMS = 26
MOST_METRICS = 10
LONGEST_WINDOW = 365.0
# A bandit that hears of its rewards later than this learns nothing while it matters.
LONGEST_WAIT = 7.0
# Visitors are told apart to a ten-thousandth; below this an arm is as good as stopped.
LOWEST_FLOOR = 0.001
EXACT = 1e-9
NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,63}", re.ASCII)
# Addresses under /api/experiments that are no experiment.
RESERVED = frozenset({"holdout"})


class ExperimentInvalid(ValueError):
    """A definition that cannot be run; `fields` holds one sentence for each reason."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(text for texts in fields.values() for text in texts))
        self.fields = {name: list(texts) for name, texts in fields.items()}


def read_definition(raw: Mapping[str, Any]) -> Definition:
    """The definition of plain data; ExperimentInvalid with a sentence for each mistake."""
    reader = _Reader(raw)
    definition = reader.definition()
    if reader.fields:
        raise ExperimentInvalid(reader.fields)
    return definition


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
        definition = Definition(
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
            bandit=self._bandit(arms),
        )
        if definition.kind is Kind.POINTS:
            self._require_later(definition.metric)
        if definition.bandit:
            self._require_earning(definition)
        return definition

    def _name(self) -> str:
        name = self.raw.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in RESERVED:
            self.refuse("name", "A name is letters, digits, _ . and -, at most 64 of them.")
        return str(name)

    def _kind(self) -> Kind | None:
        kind = self.raw.get("kind")
        if kind in tuple(Kind):
            return Kind(str(kind))
        self.refuse("kind", f"An experiment varies one of {', '.join(Kind)}.")
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
        if abs(total - 1) < EXACT:
            # As they were given: else an edit of something else would seem to change them.
            total = 1.0
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

    def _bandit(self, arms: Sequence[Arm]) -> Bandit | None:
        """How its weights move, for an experiment that earns."""
        mode, raw = self.raw.get("mode") or Mode.TEST, self.raw.get("bandit") or {}
        if mode not in tuple(Mode):
            self.refuse("mode", f"An experiment's mode is one of {', '.join(Mode)}.")
        if mode != Mode.BANDIT:
            return None
        floor = raw.get("floor") if isinstance(raw, Mapping) else raw
        careful = raw.get("careful", False) if isinstance(raw, Mapping) else False
        most = 1 / max(len(arms), 2)
        if floor is not None and not (is_number(floor) and LOWEST_FLOOR <= floor <= most):
            lowest = f"{LOWEST_FLOOR:g}"
            self.refuse("bandit", f"A floor is a share of the visitors, {lowest} to {most:g}.")
            floor = None
        if not isinstance(careful, bool):
            self.refuse("bandit", "Whether it is careful is true or false.")
        return Bandit(floor, careful is True)

    def _require_earning(self, definition: Definition) -> None:
        """What keeps weights from following rewards."""
        if stored_metric(definition.metric)[1]:
            self.refuse("metric", "A bandit counts conversions; name the goal, not its value.")
        if definition.window_of(definition.metric) > LONGEST_WAIT:
            self.refuse(
                "metric",
                f"A bandit learns from what comes within {LONGEST_WAIT:g} days; "
                "choose an earlier goal, such as sql.",
            )
        if definition.planned_visitors is not None:
            self.refuse("planned_visitors", "A bandit has no planned size; leave it out.")
        if definition.kind is Kind.POINTS:
            self.refuse("mode", "Points are tried in shadow, where nothing can be earned.")

    def _require_later(self, metric: str) -> None:
        """A score is judged by what earns no points and makes no class."""
        if metric != "deal_won" and not metric.startswith(CUSTOM):
            self.refuse(
                "metric",
                "Points are judged by what comes later and earns none: deal_won, or a goal of your "
                f"own, {CUSTOM}<name>.",
            )

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
