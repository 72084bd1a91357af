"""A running Leadline for a browser to visit, and the browser."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

import main
from config import Settings
from services.resources import Resources
from tests.browser.stage import Quiet

ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
)
NO_WIDGET = "onload = () => document.getAnimations().forEach(one => one.finish())"
PHONE = {"width": 320, "height": 640}
DESK = {"width": 1280, "height": 800}

Serve = Callable[..., str]
Visit = Callable[..., Page]


@pytest.fixture
def serve(sqlite_template: Path, tmp_path: Path) -> Iterator[Serve]:
    """Starts a Leadline on a fresh database and a free port: `serve(workflow=…, PORT…)`."""
    running: list[tuple[Any, threading.Thread, Resources]] = []

    def start(*, workflow: dict[str, Any] | None = None, **chosen: Any) -> str:
        folder = tmp_path / f"site{len(running)}"
        folder.mkdir()
        (folder / "leadline.db").write_bytes(sqlite_template.read_bytes())
        values = {"RATE_LIMIT_PER_MINUTE": 100_000, **chosen}
        settings = Settings(_env_file=None, DATABASE_URL="", DATA_DIR=folder, **values)
        more = {"workflow": workflow, "tests": {}} if workflow else {"tests": {}}
        resources = Resources.from_settings(settings, **more)
        app = main.create_app(resources=resources)
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread, resources))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread, resources in running:
        server.shutdown()
        thread.join(10)
        server.server_close()
        resources.engine.dispose()


@pytest.fixture
def live_url(serve: Serve) -> str:
    """The address of a running Leadline with the shipped workflow, its experiments left out."""
    return serve()


def arguments() -> list[str]:
    """How the browser is started: quiet, and without a sandbox where root has none."""
    return [*ARGUMENTS, *(("--no-sandbox",) if os.geteuid() == 0 else ())]


@pytest.fixture(scope="session")
def browser(browser_program: str) -> Iterator[Browser]:
    """One browser for all tests of this process."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser_program, args=arguments())
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A visitor's own window: `visit(PHONE, javascript=False, locale="ar")`."""
    contexts: list[BrowserContext] = []

    def open_window(size: dict[str, int] = DESK, *, javascript: bool = False, **more: Any) -> Page:
        options = {"locale": "en-GB", "reduced_motion": "reduce", **more}
        context = browser.new_context(viewport=size, java_script_enabled=javascript, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        return context.new_page()

    yield open_window
    for context in contexts:
        context.close()


def flaws(page: Page, inspector: Page | None = None) -> list[str]:
    """What axe finds wrong with this page, one sentence each.

    Axe is a script: where the page's window runs none, another of the same visitor opens the
    same address and is inspected; there the widget does not come, and is not waited for.
    """
    if inspector is not None:
        inspector.unroute_all()
        inspector.route("**/widget.js", lambda route: route.fulfill(body=NO_WIDGET))
        inspector.context.clear_cookies()
        inspector.context.add_cookies(page.context.cookies())
        inspector.goto(page.url)
    results = Axe().run(inspector or page).response
    return [
        f"{page.url} {one['id']}: {node['html'][:160]}"
        for one in results["violations"]
        for node in one["nodes"]
    ]


def is_wider_than_its_window(page: Page) -> bool:
    """Whether one would have to scroll sideways."""
    sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    width, room = page.evaluate(sizes)
    return bool(width > room)


@pytest.fixture
def build(sqlite_template: Path, tmp_path: Path, visit: Visit) -> Iterator[Callable[..., Any]]:
    """Starts a console on a fresh database: `build().enter("Sam", "sales", PHONE)` is a window."""
    # Here, because it takes the sizes and the browser from this file.
    from tests.browser.building import building

    with ExitStack() as opened:

        def start(**settings: Any) -> Any:
            file = tmp_path / f"building{uuid.uuid4().hex[:6]}.db"
            file.write_bytes(sqlite_template.read_bytes())
            return opened.enter_context(building(f"sqlite:///{file}", tmp_path, visit, **settings))

        yield start
