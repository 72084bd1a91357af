"""PredictionSettings: what a workspace decides about its models, and the lot of its leads."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from sqlalchemy.orm import Session

import outbox
from engine.fair_chance import LANE, MOST_PERCENT, is_drawn
from engine.plain_reading import is_number
from engine.vocabulary import FactKind, ModelKind
from errors import Invalid, invalid_field
from lib.clock import iso
from models import WorkspaceSetting
from outbox import NewFact
from services.account_service import AccountService
from services.resources import Resources
from services.workspace_settings import keep_setting

NAME, COMPARISON = "prediction", "model_comparison"


@dataclass(frozen=True)
class Decided:
    """Which estimator learns, how many per cent get a fair chance, and the seed of their lots."""

    model_kind: str = str(ModelKind.BLEND)
    fair_chance_percent: float = 0.0
    seed: str = ""

    def lane_of(self, lead_id: int) -> str | None:
        """The lane of a lead, None for no special one."""
        drawn = is_drawn(self.seed, lead_id, self.fair_chance_percent)
        return LANE if drawn else None

    def view(self) -> dict[str, Any]:
        """What people are shown; the seed is nobody's business."""
        return {name: value for name, value in asdict(self).items() if name != "seed"}


class PredictionSettings:
    """The stored decisions; every change is audited."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def decided(self) -> Decided:
        """What holds now."""
        stored = self.session.get(WorkspaceSetting, NAME)
        known = {name: value for name, value in (stored.value if stored else {}).items()}
        return Decided(**{name: known[name] for name in asdict(Decided()) if name in known})

    def change(self, wanted: Mapping[str, Any], *, by: str) -> dict[str, Any]:
        """The decisions after some were changed; Invalid names each that cannot be."""
        before = self.decided()
        if problems := dict(_problems(wanted)):
            raise Invalid("The configuration cannot be used.", fields=problems)
        # Drawn once: who is in the lane today is in it tomorrow.
        seed = before.seed or secrets.token_hex(8)
        after = Decided(**{**asdict(before), **wanted, "seed": seed})
        changed = {
            name: value for name, value in after.view().items() if value != before.view()[name]
        }
        if changed:
            now = self.resources.clock.now()
            keep_setting(self.session, NAME, asdict(after), by=by, now=now)
            fact = NewFact(FactKind.SETTINGS_CHANGED, now, {"setting": NAME, "changed": changed})
            outbox.record(self.session, fact)
            accounts = AccountService(self.session, self.resources)
            accounts.audit(by, "models.configured", NAME, changed)
        return after.view()

    def keep_comparison(self, compared: Mapping[str, Any], *, by: str) -> None:
        """Keep what the estimators gave side by side, for people to look at."""
        now = self.resources.clock.now()
        value = {**compared, "compared_at": iso(now)}
        keep_setting(self.session, COMPARISON, value, by=by, now=now)

    def comparison(self) -> dict[str, Any] | None:
        """The last comparison, None while there is none."""
        stored = self.session.get(WorkspaceSetting, COMPARISON)
        return dict(stored.value) if stored else None


def check_kind(kind: str | None, *, compare: bool) -> None:
    """Refuse an estimator that is unknown, not installed here, or never to answer."""
    if kind is None:
        return
    if kind not in ModelKind._value2member_map_:
        raise invalid_field("kind", f"There is no such kind; known are {', '.join(ModelKind)}.")
    if not compare and not ModelKind(kind).serves:
        raise invalid_field("kind", f"{kind} can only be compared with; it never answers.")
    if _is_missing(kind):
        raise invalid_field("kind", ModelKind(kind).advice)


def _is_missing(kind: str) -> bool:
    """Whether a kind needs a package that this installation has not."""
    needed = ModelKind(kind).needs
    return needed is not None and find_spec(needed[0]) is None


def _problems(wanted: Mapping[str, Any]) -> Any:
    known = Decided().view()
    for name, value in wanted.items():
        if name not in known:
            yield name, [f"There is no such setting; known are {', '.join(known)}."]
        elif name == "model_kind" and value not in ModelKind._value2member_map_:
            yield name, [f"There is no such kind; known are {', '.join(ModelKind)}."]
        elif name == "model_kind" and not ModelKind(value).serves:
            yield name, [f"{value} can only be compared with; it never answers."]
        elif name == "model_kind" and _is_missing(value):
            yield name, [ModelKind(value).advice]
        elif name == "fair_chance_percent" and not (
            is_number(value) and 0 <= value <= MOST_PERCENT
        ):
            yield name, [f"Must be a number from 0 to {MOST_PERCENT:g} (per cent of the leads)."]
