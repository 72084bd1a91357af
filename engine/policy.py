"""Who may do what in the console: the one table of roles and permissions; what is not named is
refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from engine.vocabulary import Scope


class Role(StrEnum):
    """What somebody is here for."""

    ADMIN = "admin"
    MARKETER = "marketer"
    SALES = "sales"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What a page or an action asks for; those of API keys have the same names."""

    LEADS_READ = "leads:read"
    LEADS_WRITE = "leads:write"
    LEADS_EXPORT = "leads:export"
    # Leads of other owners as well; without it a person sees their own and those of nobody.
    LEADS_ALL = "leads:all"
    # Names, addresses, numbers and typed answers as they are; without it they are masked.
    LEADS_PERSONAL = "leads:personal"
    # Give leads to others, merge and delete them.
    LEADS_MANAGE = "leads:manage"
    IMPORTS_WRITE = "imports:write"
    ANALYTICS_READ = "analytics:read"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"
    WORKFLOW_READ = "workflow:read"
    WORKFLOW_WRITE = "workflow:write"
    EXPERIMENTS_READ = "experiments:read"
    EXPERIMENTS_WRITE = "experiments:write"
    PREDICTIONS_READ = "predictions:read"
    PREDICTIONS_WRITE = "predictions:write"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    PRIVACY = "privacy"
    # People, API keys, the audit log.
    ADMIN = "admin"


_READS = frozenset(
    {
        Permission.LEADS_READ,
        Permission.LEADS_ALL,
        Permission.ANALYTICS_READ,
        Permission.CAMPAIGNS_READ,
        Permission.WORKFLOW_READ,
        Permission.EXPERIMENTS_READ,
        Permission.PREDICTIONS_READ,
        Permission.MODELS_READ,
    }
)

POLICY: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.MARKETER: _READS
    | {
        Permission.CAMPAIGNS_WRITE,
        Permission.WORKFLOW_WRITE,
        Permission.EXPERIMENTS_WRITE,
        Permission.MODELS_WRITE,
        Permission.ALERTS_READ,
        Permission.ALERTS_WRITE,
    },
    Role.SALES: frozenset(
        {
            Permission.LEADS_READ,
            Permission.LEADS_WRITE,
            Permission.LEADS_EXPORT,
            Permission.LEADS_PERSONAL,
            Permission.ANALYTICS_READ,
            Permission.CAMPAIGNS_READ,
            Permission.PREDICTIONS_READ,
        }
    ),
    Role.VIEWER: _READS,
}


# What shows how far work in the background is: to a key its scope, to a person their permission.
# Work that runs by the clock, and every kind that is not named, is the administrators' business.
_JOBS: Mapping[str, tuple[Scope, Permission]] = {
    "leads.refresh": (Scope.LEADS_READ, Permission.WORKFLOW_READ),
    "leads.import": (Scope.IMPORTS_WRITE, Permission.IMPORTS_WRITE),
    "leads.bulk": (Scope.ADMIN, Permission.LEADS_MANAGE),
    "leads.predict": (Scope.PREDICTIONS_READ, Permission.MODELS_READ),
    "models.train": (Scope.MODELS_READ, Permission.MODELS_READ),
    "workflow.try": (Scope.ADMIN, Permission.WORKFLOW_READ),
}


def may(role: Role, permission: Permission) -> bool:
    """Whether somebody of this role may do that."""
    return permission in POLICY[role]


def may_call(role: Role, scope: Scope) -> bool:
    """Whether a signed-in person of this role may call an API endpoint that asks for this scope.

    The API masks nothing, so that who sees leads masked is refused there.
    """
    if scope in (Scope.LEADS_READ, Scope.LEADS_WRITE, Scope.LEADS_EXPORT):
        return may(role, Permission(scope)) and may(role, Permission.LEADS_PERSONAL)
    return may(role, Permission(scope))


def scope_to_watch(kind: str) -> Scope:
    """What a key needs to see how far a job of this kind is."""
    return _JOBS[kind][0] if kind in _JOBS else Scope.ADMIN


def may_watch(role: Role, kind: str) -> bool:
    """Whether somebody of this role sees how far a job of this kind is, whoever asked for it."""
    return may(role, _JOBS[kind][1] if kind in _JOBS else Permission.ADMIN)
