"""WorkspaceService: what one installation is to all of its people: a currency and a time zone."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from engine.money import CURRENCIES, currency_of
from errors import invalid_field
from lib.clock import zone
from models import WorkspaceSetting
from services.account_service import AccountService
from services.resources import Resources
from services.workflow_service import WorkflowService
from services.workspace_settings import keep_setting

SETTING = "workspace"


@dataclass(frozen=True)
class Workspace:
    """In what money is counted, and whose clock people read who chose none."""

    currency: str
    time_zone: str


class WorkspaceService:
    """The settings that are nobody's own."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def settings(self) -> Workspace:
        """What is in force; a currency that nobody chose is that of the workflow's country."""
        kept = self.session.get(WorkspaceSetting, SETTING)
        if kept is not None:
            return Workspace(kept.value["currency"], kept.value["time_zone"])
        return Workspace(currency_of(self._region()), "UTC")

    def change(self, *, currency: str, time_zone: str, actor: str) -> None:
        """Keep other settings."""
        if currency not in CURRENCIES:
            raise invalid_field("currency", "Choose one of these currencies.")
        try:
            zone(time_zone)
        except ValueError as error:
            raise invalid_field("time_zone", str(error)) from None
        value = asdict(Workspace(currency, time_zone))
        keep_setting(self.session, SETTING, value, by=actor, now=self.resources.clock.now())
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, "settings.changed", SETTING, value)

    def _region(self) -> str | None:
        workflows = WorkflowService(self.session, self.resources)
        version = workflows.find_version_in_force()
        return None if version is None else workflows.get(version).default_region
