"""What people may change about alerts while the product runs, and what they may not.

How a fact is judged by these settings is `engine.alert_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from engine.plain_reading import is_number
from engine.points import profile_tiers
from engine.quiet_hours import QuietHours
from engine.vocabulary import Profile, Trigger

HIGHEST_THRESHOLD = 1000


class AlertSettingsInvalid(ValueError):
    """Settings that cannot be; `fields` holds the sentences for each field."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(said)}" for name, said in fields.items()))
        self.fields = dict(fields)


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """What a workspace wants to hear of, and from when on a lead is hot; None: not set."""

    queue_profile: Profile = Profile.CORE_POINTS
    hot_threshold: float | None = None
    warm_threshold: float | None = None
    sql_requires_contact: bool = True
    enable_slack: bool = True
    enable_discord: bool = True
    enable_teams: bool = True
    enable_email: bool = True
    triggers: Mapping[str, bool] = field(default_factory=lambda: dict.fromkeys(Trigger, True))
    quiet_hours: QuietHours | None = None

    def tiers(self, otherwise: tuple[float, float]) -> tuple[float, float]:
        """The hot and the warm threshold, each from `otherwise` where it is not set here."""
        hot, warm = otherwise
        return (
            hot if self.hot_threshold is None else self.hot_threshold,
            warm if self.warm_threshold is None else self.warm_threshold,
        )

    def to_plain(self) -> dict[str, Any]:
        """The settings as JSON, for the wire and for `from_plain`."""
        return {
            **{one.name: getattr(self, one.name) for one in fields(self)},
            "queue_profile": str(self.queue_profile),
            "triggers": {str(name): is_on for name, is_on in self.triggers.items()},
            "quiet_hours": self.quiet_hours.to_plain() if self.quiet_hours else None,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> AlertSettings:
        """The settings that `to_plain` wrote, by whatever release.

        It refuses nothing: what this release does not know is passed over, what it misses is as
        shipped. Settings that stand must never keep an alert from going out.
        """
        triggers = {name: on for name, on in plain.get("triggers", {}).items() if _is_trigger(name)}
        changes: dict[str, Any] = {}
        for name, value in {**plain, "triggers": triggers}.items():
            try:
                changes[name] = _reader(name)(value, "UTC")
            except ValueError:
                continue
        return _changed(cls(), changes)


def read_settings(
    raw: Mapping[str, Any],
    stands: AlertSettings | None = None,
    *,
    tz: str = "UTC",
    otherwise: Callable[[Profile], tuple[float, float]] = profile_tiers,
) -> AlertSettings:
    """The settings that stand, with the fields that somebody named changed.

    `tz` is the time zone of quiet hours that name none; `otherwise` gives the thresholds of a
    profile that apply where none is set. AlertSettingsInvalid names every field that is wrong.
    """
    changes: dict[str, Any] = {}
    wrong: dict[str, list[str]] = {}
    for name, value in raw.items():
        try:
            changes[name] = _reader(name)(value, tz)
        except ValueError as error:
            wrong[name] = [str(error)]
    settings = _changed(stands or AlertSettings(), changes)
    wrong.update(_crossed(settings, changes, otherwise))
    if wrong:
        raise AlertSettingsInvalid(wrong)
    return settings


def _changed(settings: AlertSettings, changes: Mapping[str, Any]) -> AlertSettings:
    """A trigger that is not named stays as it is."""
    triggers = {**settings.triggers, **changes.get("triggers", {})}
    return replace(settings, **{**changes, "triggers": triggers})


def _crossed(
    settings: AlertSettings,
    changes: Mapping[str, Any],
    otherwise: Callable[[Profile], tuple[float, float]],
) -> dict[str, list[str]]:
    """What is wrong with the two thresholds together; said of the field that brought it about."""
    names = ("hot_threshold", "warm_threshold", "queue_profile")
    named = next((name for name in names if name in changes), None)
    hot, warm = settings.tiers(otherwise(settings.queue_profile))
    if named is None or warm < hot:
        return {}
    return {named: [f"The warm threshold ({warm:g}) must be below the hot one ({hot:g})."]}


def _reader(name: str) -> Callable[[Any, str], Any]:
    if name not in _READERS:
        raise ValueError(f"There is no such setting; known are {', '.join(_READERS)}.")
    return _READERS[name]


def _read_profile(value: Any, tz: str) -> Profile:
    if isinstance(value, str) and value in Profile._value2member_map_:
        return Profile(value)
    raise ValueError(f"There is no such profile; known are {', '.join(Profile)}.")


def _read_threshold(value: Any, tz: str) -> float | None:
    if value is None:
        return None
    if not is_number(value) or not 0 <= value <= HIGHEST_THRESHOLD:
        raise ValueError(f"Must be a number from 0 to {HIGHEST_THRESHOLD}, or null for none.")
    return float(value)


def _read_switch(value: Any, tz: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Must be true or false.")
    return value


def _read_triggers(value: Any, tz: str) -> dict[str, bool]:
    if not isinstance(value, Mapping):
        raise ValueError('Must be an object such as {"became_hot": false}.')
    for name, is_on in value.items():
        if not _is_trigger(name):
            raise ValueError(f"There is no trigger {name!s:.40}; known are {', '.join(Trigger)}.")
        if not isinstance(is_on, bool):
            raise ValueError(f"{name} must be true or false.")
    return {str(name): is_on for name, is_on in value.items()}


def _is_trigger(name: str) -> bool:
    return name in Trigger._value2member_map_


def _read_quiet(value: Any, tz: str) -> QuietHours | None:
    return None if value is None else QuietHours.parse(value, tz=tz)


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "queue_profile": _read_profile,
    "hot_threshold": _read_threshold,
    "warm_threshold": _read_threshold,
    "sql_requires_contact": _read_switch,
    "enable_slack": _read_switch,
    "enable_discord": _read_switch,
    "enable_teams": _read_switch,
    "enable_email": _read_switch,
    "triggers": _read_triggers,
    "quiet_hours": _read_quiet,
}
