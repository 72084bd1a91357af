"""What each role may do, and call."""

from __future__ import annotations

from engine.policy import POLICY, Permission, Role, may, may_call
from engine.vocabulary import Scope


def test_an_admin_may_everything_and_a_viewer_writes_nothing() -> None:
    assert all(may(Role.ADMIN, one) for one in Permission)
    assert not any(one.endswith(":write") for one in POLICY[Role.VIEWER])


def test_who_sees_leads_masked_reads_none_by_the_api() -> None:
    for scope in (Scope.LEADS_READ, Scope.LEADS_WRITE, Scope.LEADS_EXPORT):
        assert may_call(Role.SALES, scope) and may_call(Role.ADMIN, scope)
        assert not may_call(Role.MARKETER, scope) and not may_call(Role.VIEWER, scope)
    assert may(Role.MARKETER, Permission.LEADS_READ)


def test_other_calls_follow_the_pages() -> None:
    assert may_call(Role.MARKETER, Scope.EXPERIMENTS_WRITE)
    assert not may_call(Role.SALES, Scope.EXPERIMENTS_WRITE)
    assert may_call(Role.VIEWER, Scope.ANALYTICS_READ)
