"""Is this visitor a program: by the name it gives itself, or by how fast it reads."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST_NAME = 512
# `bot` at the end of a word is how crawlers call themselves; CUBOT is a maker of phones.
# In-app browsers ([Pinterest/iOS], LinkedInApp, FBAN) are people and must not match.
CRAWLER = re.compile(
    r"(?<!cu)bot(?![a-z])|crawler|spider(?![a-z])|slurp|facebookexternalhit|facebookcatalog"
    r"|meta-external|^whatsapp/|bingpreview|adidxbot|mediapartners-google|adsbot|apis-google"
    r"|feedfetcher-google|googleother|google-inspectiontool|google-read-aloud|google-safety"
    r"|google-site-verification|google favicon|google web preview|storebot-google|ia_archiver"
    r"|chatgpt-user|claude-user|perplexity-user|^pinterest/0|skypeuripreview|embedly|iframely"
    r"|snap url preview|vkshare|w3c_validator|chrome-lighthouse|bytespider|petalbot|yandeximages"
    r"|slack-imgproxy|^mattermost|nuzzel|outbrain|tumblr/|bitlybot|qwantify|heritrix|nutch"
)

# Deliberately quicker than quick people, so that it is programs that are caught: a good reader
# takes in 25 characters a second and skims 45; a practised hand needs half a second to a click.
SKIMMED_A_SECOND = 60.0
LONGEST_SKIM = 150
SHORTEST_ANSWER = 1.5
# One lucky click says nothing about a visitor.
FEWEST_TEXTS = 3


def is_crawler(user_agent: str | None) -> bool:
    """Whether this is a search engine, a link preview or the like, which nobody looks through.

    Programs that fetch on somebody's behalf (curl, python-requests, Postman) and browsers
    without a window are no crawlers: our own clients and tests are such.
    """
    return bool(CRAWLER.search((user_agent or "")[:LONGEST_NAME].lower()))


def quicker_than_reading(texts_lengths: Sequence[int], seconds: float) -> bool:
    """Whether the whole journey took less time than a person needs to read its questions.

    `texts_lengths` are the characters of each question that was answered; fewer than three
    prove nothing, nor does a clock that went backwards.
    """
    if len(texts_lengths) < FEWEST_TEXTS or seconds < 0:
        return False
    return seconds < sum(_least_seconds(length) for length in texts_lengths)


def _least_seconds(length: int) -> float:
    return max(SHORTEST_ANSWER, min(length, LONGEST_SKIM) / SKIMMED_A_SECOND)
