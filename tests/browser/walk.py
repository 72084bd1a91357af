"""A walk through the console: somebody signs in, and every page they come to is looked at."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from jobs.relay import Relay
from jobs.tasks import Worker
from services.password import hashed
from tests.browser.conftest import DESK, flaws, is_wider_than_its_window

PASSWORD = "four grey geese fly"
TOUCH = {"width": 360, "height": 740}


class Walk:
    """One person's window, and what was wrong with the pages seen in it."""

    def __init__(self, house: Any, visit: Any, *, is_phone: bool) -> None:
        more = {"has_touch": True, "is_mobile": True} if is_phone else {}
        size = TOUCH if is_phone else DESK
        self.house = house
        self.is_phone = is_phone
        self.page: Page = visit(size, javascript=True, base_url=house.url, **more)
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def sign_in(self, name: str, role: str) -> None:
        """In by the door, with a password, as one does in the morning."""
        with self.house.office.unit() as services:
            email = f"{name.lower()}@example.com"
            _, token = services.people.invite(email, name=name, role=role, by="tests")
            services.people.come_in(token, password_hash=hashed(PASSWORD), name=name)
        self.page.goto("/console")
        self.look()
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def sign_out(self) -> None:
        """Out by the button at the top; the way back leads to the door."""
        self.press("Sign out")
        expect(self.page.get_by_role("heading", name="Sign in")).to_be_visible()
        self.page.goto("/console/leads")
        expect(self.page.get_by_role("heading", name="Sign in")).to_be_visible()

    def to(self, label: str) -> None:
        """On by the navigation, which a phone keeps behind a button."""
        if self.is_phone:
            self.page.get_by_label("Menu").click()
        lines = self.page.get_by_role("navigation", name="Console")
        lines.get_by_role("link", name=label, exact=True).click()
        expect(self.page.locator("main h1")).to_be_visible()
        self.look()

    def go(self, path: str) -> None:
        """On by an address, looked at."""
        self.page.goto(path)
        self.look()

    def look(self) -> None:
        """This page is as every page has to be."""
        self.page.wait_for_load_state()
        assert flaws(self.page) == []
        assert not is_wider_than_its_window(self.page), self.page.url
        assert self.said == [], self.page.url

    def press(self, name: str, **more: Any) -> None:
        """A button by its name."""
        self.page.get_by_role("button", name=name, **more).first.click()

    def follow(self, name: str, **more: Any) -> None:
        """A link by its name."""
        self.page.get_by_role("link", name=name, **more).first.click()

    def told(self, text: Any) -> None:
        """The page says this, or is going to."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def work(self) -> None:
        """The background does all that waits for it."""
        relay, worker = Relay(self.house.office.resources), Worker(self.house.office.resources)
        while relay.fan_out() or worker.work():
            pass
