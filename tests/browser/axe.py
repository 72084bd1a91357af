"""`python -m tests.browser.axe`: what axe finds at every step, by light and by dark, both ways."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import PHONE, arguments, flaws
from tests.browser.stage import application, served
from tests.browser.steps import ARABIC, widget_steps
from tests.browser.test_chat import Album, walk
from tests.browser.test_widget_page import PageTalk
from tests.browser.widget import Talk, host_page, website
from tests.conftest import BROWSERS
from web.widget.files import find_built

MODES = (("light", "en"), ("light", "ar"), ("dark", "en"), ("dark", "ar"))
HEAD = ("step", "light, left to right", "light, right to left")
HEAD += ("dark, left to right", "dark, right to left")

Found = dict[str, list[list[str]]]


def main() -> int:
    """Prints the table; 0 when axe finds nothing."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None or find_built() is None:
        print("It needs a chromium, and the widget built by `make install`.", file=sys.stderr)
        return 1
    found: Found = {}
    with ExitStack() as stack:
        site = stack.enter_context(website())
        app = stack.enter_context(application(CORS_ORIGINS=site.address))
        base = stack.enter_context(served(app))
        chromium = stack.enter_context(sync_playwright()).chromium
        browser = chromium.launch(executable_path=program, args=arguments())
        stack.callback(browser.close)
        for scheme, lang in MODES:
            more = ' dir="rtl"' if lang == "ar" else ""
            address = site.put(f"/{lang}", host_page(base, lang=lang, more=more))
            for step, there in _steps(browser, address, base, scheme, lang):
                found.setdefault(step, []).append(there)
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for step, all_flaws in found.items():
        print(f"| {step} | {' | '.join(str(len(one)) for one in all_flaws)} |")
    flat = [flaw for all_flaws in found.values() for one in all_flaws for flaw in one]
    print(f"\n{sum(map(len, found.values()))} pages looked at, {len(flat)} violations")
    print("\n".join(flat), file=sys.stderr)
    return 1 if flat else 0


def _steps(
    browser: Browser, site: str, base: str, scheme: Any, lang: str
) -> Iterator[tuple[str, list[str]]]:
    """Every step in one mode: in the corner of a page, as the page, and without a script."""
    words = ARABIC if lang == "ar" else {}
    corner, page, plain, inspector = (
        browser.new_context(
            viewport=PHONE,  # type: ignore[arg-type]
            locale=lang,
            color_scheme=scheme,
            reduced_motion="reduce",
            java_script_enabled=has_script,
        ).new_page()
        for has_script in (True, True, False, True)
    )
    talk = Talk(corner).goto(site)
    talk.launcher.wait_for()
    yield "widget: closed", flaws(corner)
    talk.launcher.click()
    for name, there in widget_steps(talk, words):
        yield f"widget: {name}", there
    for name, there in widget_steps(PageTalk(page).goto(f"{base}/chat?lang={lang}"), words):
        yield f"/chat with a script: {name}", there
    album = Album(plain, inspector, "")
    walk(plain, base, lang, album)
    for number, (name, there) in enumerate(album.steps, 1):
        yield f"/chat without: {number}. {name}", there
    for one in (corner, page, plain, inspector):
        one.context.close()


if __name__ == "__main__":
    sys.exit(main())
