"""The table of subscribers and the list of relayed facts are one thing seen from two sides."""

from __future__ import annotations

from engine.vocabulary import RELAYED
from jobs.subscriptions import everybody_hears


def test_every_fact_with_a_subscriber_is_handed_to_the_relay_and_no_other() -> None:
    assert everybody_hears() == RELAYED
