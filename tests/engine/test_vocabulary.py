"""Tests of engine.vocabulary: what a key's scopes allow."""

from __future__ import annotations

import pytest

from engine.vocabulary import Scope, grants


@pytest.mark.parametrize(
    ("held", "needed", "allowed"),
    [
        ({"leads:read"}, Scope.LEADS_READ, True),
        ({"leads:write"}, Scope.LEADS_READ, True),
        ({"leads:read"}, Scope.LEADS_WRITE, False),
        ({"alerts:write"}, Scope.LEADS_READ, False),
        ({"leads:write"}, Scope.LEADS_EXPORT, False),
        ({"admin"}, Scope.LEADS_EXPORT, True),
        (set(), Scope.LEADS_READ, False),
    ],
)
def test_write_includes_read_of_its_kind_and_admin_everything(
    held: set[str], needed: Scope, allowed: bool
):
    assert grants(frozenset(held), needed) is allowed
