"""The way through the console: which page stands where, and for whom."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, request, url_for

from engine.policy import Permission
from services.sign_in_service import Principal


@dataclass(frozen=True)
class Item:
    """A line of the navigation; `endpoint` is `console_<file>.<view>`."""

    label: str
    endpoint: str
    icon: str
    needs: Permission | None = None


@dataclass(frozen=True)
class Link:
    """A line as a page shows it."""

    label: str
    path: str
    icon: str
    is_here: bool


ITEMS: tuple[tuple[str, tuple[Item, ...]], ...] = (
    (
        "Sell",
        (
            Item("Now", "console_now.now", "zap", Permission.LEADS_READ),
            Item("Leads", "console_leads.leads", "users", Permission.LEADS_READ),
            Item("Board", "console_board.board", "kanban", Permission.LEADS_READ),
            Item("Calendar", "console_calendar.calendar", "calendar", Permission.LEADS_READ),
        ),
    ),
    (
        "Understand",
        (
            Item("Dashboard", "console_dashboard.overview", "gauge", Permission.ANALYTICS_READ),
            Item("Campaigns", "console_campaigns.campaigns", "flag", Permission.CAMPAIGNS_READ),
            Item("Team", "console_agents.agents", "trophy", Permission.ANALYTICS_READ),
        ),
    ),
    (
        "Tune",
        (
            Item("Workflow", "console_workflow.versions", "workflow", Permission.WORKFLOW_READ),
            Item(
                "Experiments",
                "console_experiments.experiments",
                "flask-conical",
                Permission.EXPERIMENTS_READ,
            ),
            Item("Model", "console_models.models", "brain", Permission.MODELS_READ),
        ),
    ),
    (
        "Run",
        (
            Item("Imports", "console_imports.imports", "upload", Permission.IMPORTS_WRITE),
            Item("Deliveries", "console_deliveries.deliveries", "send", Permission.ALERTS_READ),
            Item("Alerts", "console_alerts.destinations", "bell", Permission.ALERTS_READ),
            Item("People", "console_people.people", "id-card", Permission.ADMIN),
            Item("Workspace", "console_workspace.workspace", "settings", Permission.ADMIN),
            Item("API keys", "console_keys.keys", "key-round", Permission.ADMIN),
            Item("Privacy", "console_privacy.privacy", "shield", Permission.PRIVACY),
            Item("Audit log", "console_audit.audit", "scroll-text", Permission.ADMIN),
        ),
    ),
)


def sections(person: Principal) -> list[tuple[str, list[Link]]]:
    """The navigation of this person, the present page marked."""
    found = []
    for title, items in ITEMS:
        links = [_link(item) for item in items if _is_open(item, person)]
        if links:
            found.append((title, links))
    return found


def home(person: Principal) -> str:
    """The first page of this person: what to do now for who sells, else the figures."""
    sells = person.may(Permission.LEADS_WRITE)
    first = ("console_now.now", "console_dashboard.overview")
    for endpoint in first if sells else reversed(first):
        if endpoint in current_app.view_functions:
            return url_for(endpoint)
    links = sections(person)
    return links[0][1][0].path if links else url_for("console_profile.profile")


def _is_open(item: Item, person: Principal) -> bool:
    known = item.endpoint in current_app.view_functions
    return known and (item.needs is None or person.may(item.needs))


def _link(item: Item) -> Link:
    path = url_for(item.endpoint)
    is_here = request.path == path or request.path.startswith(f"{path}/")
    return Link(item.label, path, item.icon, is_here)
