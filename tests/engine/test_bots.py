"""Tests of engine.bots: crawlers are found, and people and our own clients are left alone."""

from __future__ import annotations

import time

import pytest

from engine.bots import is_crawler, quicker_than_reading

CHROME = (
    "Mozilla/5.0 (Linux; Android 14; {}) AppleWebKit/537.36 (KHTML, like Gecko) {} Safari/537.36"
)
WITHIN = "Mozilla/5.0 (compatible; {})"


@pytest.mark.parametrize(
    "name",
    [WITHIN.format("Googlebot/2.1; +http://www.google.com/bot.html"), "Googlebot-Image/1.0"]
    + [CHROME.format("Nexus 5X", "Chrome/120.0 Mobile") + " " + WITHIN.format("Googlebot/2.1")]
    + [WITHIN.format("bingbot/2.0; +http://www.bing.com/bingbot.htm"), "msnbot/2.0b"]
    + [WITHIN.format("AhrefsBot/7.0; +http://ahrefs.com/robot/"), WITHIN.format("SemrushBot/7~bl")]
    + ["facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"]
    + ["meta-externalagent/1.1", "facebookcatalog/1.0", "Twitterbot/1.0", "LinkedInBot/1.0"]
    + ["Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slackbot 1.0", "TelegramBot"]
    + [
        WITHIN.format("Discordbot/2.0; +https://discordapp.com"),
        "WhatsApp/2.23.20.0",
        "Applebot/0.1",
    ]
    + [WITHIN.format("YandexBot/3.0"), WITHIN.format("Baiduspider/2.0"), "DuckDuckBot/1.1"]
    + [WITHIN.format("Yahoo! Slurp"), WITHIN.format("MJ12bot/v1.4.8"), "CCBot/2.0", "ia_archiver"]
    + [
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.1)",
        "ClaudeBot/1.0",
    ]
    + ["Mozilla/5.0 (compatible; ChatGPT-User/1.0)", "Bytespider", "PetalBot", "archive.org_bot"]
    + ["Mozilla/5.0 (compatible; UptimeRobot/2.0)", "AdsBot-Google (+http://www.google.com/adsbot)"]
    + ["Mediapartners-Google", "FeedFetcher-Google", "GoogleOther", "Google-InspectionTool/1.0"]
    + ["Mozilla/5.0 (Windows NT 6.1) SkypeUriPreview Preview/0.5", "Snap URL Preview Service"]
    + [
        "SomeCrawler/1.0",
        "my spider",
        "Pinterestbot/1.0",
        "Pinterest/0.2 (+https://pinterest.com)",
    ],
)
def test_a_crawler_is_known_by_its_name(name: str) -> None:
    assert is_crawler(name) and is_crawler(name.upper())


@pytest.mark.parametrize(
    "name",
    [None, "", " ", "curl/8.5.0", "python-requests/2.34.2", "Go-http-client/2.0", "okhttp/4.12.0"]
    + ["axios/1.7.2", "PostmanRuntime/7.39.0", "Wget/1.21", "Java/17.0.2", "node-fetch", "insomnia"]
    + ["Mozilla/5.0 (X11; Linux x86_64) (KHTML, like Gecko) HeadlessChrome/126.0"]
    + ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"]
    + ["Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/17.5 Safari/605"]
    + [CHROME.format(phone, "Chrome/126.0 Mobile") for phone in ("Pixel 8", "CUBOT_X18_Plus")]
    + [
        CHROME.format(phone, "Chrome/126.0 Mobile")
        for phone in ("CUBOT KINGKONG", "cubot", "Abbott")
    ]
    + ["Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/470.0]"]
    + ["Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/21F90 [Pinterest/iOS]", "Instagram 330.0"]
    + ["Mozilla/5.0 (iPhone) Mobile/15E148 [LinkedInApp]/9.29", "Mozilla/5.0 GSA/320.0 Mobile"]
    + ["Mozilla/5.0 (iPhone) Mobile/15E148 Safari/604.1 DuckDuckGo/7", "Twitter for iPhone/10.4"]
    + [
        "Mozilla/5.0 (Windows NT 10.0) YaBrowser/24.6 Safari/537.36",
        "BingSapphire/28.4",
        "Botswana",
    ],
)
def test_people_and_plain_clients_are_no_crawlers(name: str | None) -> None:
    assert not is_crawler(name)


def test_a_name_of_any_length_is_judged_at_once() -> None:
    started = time.perf_counter()
    for piece in ("bo", "cubot", "google-", "spider\x00a", "\ud800"):
        is_crawler(piece * 100_000)

    assert time.perf_counter() - started < 0.25


# The shipped five questions, as characters of each.
LENGTHS = (36, 31, 25, 35, 42)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 1.0, 3.0, 6.0])
def test_a_program_answers_before_anybody_could_have_read(seconds: float) -> None:
    assert quicker_than_reading(LENGTHS, seconds)


@pytest.mark.parametrize("seconds_each", [1.6, 2.0, 3.5, 18.0])
def test_quick_people_are_people(seconds_each: float) -> None:
    assert not quicker_than_reading(LENGTHS, seconds_each * len(LENGTHS))


def test_long_texts_take_longer_up_to_what_anybody_reads() -> None:
    assert quicker_than_reading((120, 120, 120), 5.9)
    assert not quicker_than_reading((120, 120, 120), 6.1)
    assert not quicker_than_reading((9_000, 9_000, 9_000), 7.6)


def test_a_click_or_a_clock_that_went_back_proves_nothing() -> None:
    assert not quicker_than_reading((), 0)
    assert not quicker_than_reading((40, 40), 0.1)
    assert not quicker_than_reading(LENGTHS, -3_600)
    assert not quicker_than_reading(LENGTHS, float("nan"))
