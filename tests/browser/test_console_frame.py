"""The frame of the console in a real browser: nothing is refused by its own policy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_profile_is_accessible_and_its_own_policy_refuses_nothing(
    build: Any, size: dict[str, int], scheme: str
) -> None:
    page = build().enter("Sam", "sales", size, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    page.goto("/console/profile")

    assert page.get_by_role("heading", name="Profile").is_visible()
    assert flaws(page) == []
    assert not is_wider_than_its_window(page)
    assert said == []
