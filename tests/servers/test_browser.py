"""The browser that tests of the widget and the console drive."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.browser


def test_the_browser_opens_a_page_and_runs_its_script(browser_program: str) -> None:
    # In a thread of its own: the other browser tests of this process have one in theirs.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(_six_times_seven, browser_program).result() == "42"


def _six_times_seven(browser_program: str) -> str:
    """What a script of a page wrote into it."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program, args=arguments)
        page = browser.new_page()
        page.set_content("<p></p><script>document.querySelector('p').textContent = 6 * 7</script>")
        shown = page.inner_text("p")
        browser.close()
    return shown
