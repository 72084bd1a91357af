"""Coming in, in a real browser: the first admin sets up, invites, signs out and comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window

PASSWORD = "four grey geese fly"


@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["phone", "desk"]
)
def test_the_first_admin_sets_up_invites_and_comes_back(
    build: Any, visit: Any, size: dict[str, int], scheme: str
) -> None:
    house = build()
    with house.office.unit() as services:
        token = services.links.make_set_up(by="tests")
    page = visit(size, javascript=True, base_url=house.url, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    def looks_good() -> None:
        assert flaws(page) == []
        assert not is_wider_than_its_window(page), page.url

    page.goto(f"/console/link/{token}")
    looks_good()
    page.get_by_label("E-mail").fill("olga@example.com")
    page.get_by_label("Your name").fill("Olga")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    page.goto("/console/people")
    looks_good()
    page.get_by_label("E-mail").fill("bob@example.com")
    page.get_by_label("Name", exact=True).fill("Bob")
    page.get_by_role("button", name="Make an invitation").click()
    looks_good()
    assert "/console/link/" in page.get_by_label("Link").inner_text()
    for path in ("/console/keys", "/console/audit", "/console/profile", "/console/people/1"):
        page.goto(path)
        looks_good()
    page.get_by_role("button", name="Sign out").first.click()
    looks_good()
    page.get_by_label("E-mail").fill("olga@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)

    assert said == []


def test_without_scripts_one_comes_in_as_well(build: Any, visit: Any) -> None:
    house = build()
    with house.office.unit() as services:
        _, token = services.people.invite("bob@example.com", name="Bob", role="sales", by="tests")
    page = visit(PHONE, javascript=False, base_url=house.url)

    page.goto(f"/console/link/{token}")
    page.get_by_label("New password").fill("password1234")
    page.get_by_role("button", name="Begin").click()
    assert page.get_by_text("Many people use this one").first.is_visible()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    page.goto("/console/profile")

    assert page.get_by_role("heading", name="Where you are signed in").is_visible()
