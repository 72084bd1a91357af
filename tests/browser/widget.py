"""A visitor who uses the widget, and the websites it stands on."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

BUILT = Path(__file__).parents[2] / "web" / "widget" / "static" / "dist" / "widget.js"
needs_built_widget = pytest.mark.skipif(not BUILT.exists(), reason="The widget is not built.")

HOST_PAGE = """<!doctype html><html lang="{lang}"{more}><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A site</title>{head}</head>
<body><main><h1>A site</h1><p><a href="#top">A link</a></p>{body}</main>{script}</body></html>"""


def host_page(base: str = "", *, attributes: str = "", lang: str = "en", **parts: str) -> str:
    """A website with the widget's script line on it."""
    script = f'<script src="{base}/widget.js" {attributes} async></script>'
    filled = {"more": "", "head": "", "body": "", "script": script, **parts}
    return HOST_PAGE.format(lang=lang, **filled)


class Site:
    """A website on an origin of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, tuple[str, dict[str, str]]] = {}

    def put(self, path: str, html: str, **headers: str) -> str:
        """The address under which this page is served from now on."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (html, named)
        return self.address + path


@contextmanager
def website() -> Iterator[Site]:
    """A server that serves what is put on it."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            html, headers = site.pages.get(self.path.split("?")[0], ("", {}))
            self.send_response(200 if html else 404)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Talk:
    """The widget on a page, as a visitor finds it: by what is written on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def goto(self, address: str) -> Talk:
        """Opens a page."""
        self.page.goto(address)
        return self

    @property
    def launcher(self) -> Locator:
        """The button in the corner."""
        return self.page.locator(".launcher")

    @property
    def panel(self) -> Locator:
        """The open conversation."""
        return self.page.get_by_role("dialog")

    def button(self, name: str) -> Locator:
        """A button of the conversation."""
        return self.panel.get_by_role("button", name=name, exact=True)

    def open(self) -> Talk:
        """Opens the conversation."""
        self.launcher.click()
        self.button("Yes, go ahead").wait_for()
        return self

    def click(self, name: str) -> Talk:
        """Clicks a button once it is there."""
        self.button(name).click()
        return self

    def asks(self, text: str) -> Talk:
        """Waits for what the bot says."""
        expect(self.panel.get_by_role("log").get_by_text(text).last).to_be_visible()
        return self

    def type(self, text: str) -> Talk:
        """Types an answer and sends it."""
        field = self.panel.locator(".typed input")
        field.fill(text)
        field.press("Enter")
        return self

    def agreed(self) -> Talk:
        """Past the greeting and the consent."""
        return self.open().click("Yes, go ahead").click("I agree").asks("What type of business")

    def answered(self) -> Talk:
        """Past the five questions."""
        self.agreed().click("Retail Store").asks("Where is your business")
        self.type("Mumbai").asks("How many people").click("2–5").asks("monthly sales")
        self.click("₹50K–₹2L").asks("help you most")
        self.panel.get_by_label("Billing").check()
        return self.click("Continue").asks("Have a look")

    def reached(self) -> Talk:
        """Past the products and the contact, with a demo asked for."""
        self.answered().panel.get_by_role("button", name="Inventory").click()
        self.click("Continue").asks("Where can we reach you?")
        self.panel.get_by_label("Name").fill("Ada")
        self.panel.get_by_label("E-mail").fill("ada@example.com")
        self.click("Send").asks("What would you like to do next?")
        return self.click("Book a demo").asks("Is it right?")

    @property
    def saved(self) -> dict[str, Any]:
        """What the widget keeps in this browser."""
        keys = "Object.keys(localStorage).filter(key => /^leadline(:|$)/.test(key))[0]"
        text = self.page.evaluate(f"localStorage.getItem({keys})")
        found: dict[str, Any] = json.loads(text or "{}")
        return found

    @property
    def said(self) -> list[str]:
        """Every message of the log, in order."""
        texts = self.panel.locator(".log .bubble").all_inner_texts()
        return [" ".join(text.split()) for text in texts]

    @property
    def focused(self) -> str:
        """What has the focus inside the widget: its label or its text."""
        seen: str = self.page.evaluate("""() => { let at = document.activeElement;
            while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
            const label = at.getAttribute('aria-label') || at.labels?.[0]?.innerText;
            return label || at.innerText || '' }""")
        return seen.strip()


def summary(base: str, talk: Talk) -> dict[str, Any]:
    """What the server keeps of this visitor's conversation."""
    saved = talk.saved
    request = urllib.request.Request(
        f"{base}/api/lead/summary/{saved['session']}", headers={"X-Visitor-Token": saved["token"]}
    )
    with urllib.request.urlopen(request) as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def answers(base: str, talk: Talk) -> dict[int, str | None]:
    """The answers that the server keeps, by question."""
    return {one["question_id"]: one["answer_text"] for one in summary(base, talk)["answers"]}


def until(page: Page, found: Callable[[], bool], seconds: float = 10) -> None:
    """Waits for something that only the server or the storage knows."""
    for _ in range(int(seconds * 20)):
        if found():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come true in time")
