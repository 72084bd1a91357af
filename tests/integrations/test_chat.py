"""What holds for every chat: which addresses it takes, and what it says when none answers."""

from __future__ import annotations

import socket

import pytest

from integrations.channels.base import AddressRefused, Channel
from integrations.channels.chat import ChatWebhook
from integrations.channels.discord import Discord
from integrations.channels.slack import Slack
from integrations.channels.teams import Teams
from integrations.errors import ConnectionRefused, TryLater
from integrations.http import HttpDoor
from lib.clock import SettableClock
from tests.integrations.alerts import ALERT
from tests.integrations.cases import NOW
from tests.integrations.conftest import Answering

CHATS = (Slack, Discord, Teams)


def built(chat: type[ChatWebhook], *allowed: str) -> Channel:
    return chat(HttpDoor(allowed_networks=allowed), SettableClock(NOW))


@pytest.mark.parametrize("chat", CHATS)
def test_any_https_host_is_taken(chat: type[ChatWebhook]) -> None:
    address = "https://chat.example.com/hooks/s3cr3t?a=b"

    assert built(chat).check(address) == address


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("address", ["http://chat.example.com/x", "ftp://a.example", "", "chat"])
def test_other_addresses_are_refused(chat: type[ChatWebhook], address: str) -> None:
    with pytest.raises(AddressRefused):
        built(chat).check(address)


@pytest.mark.parametrize("chat", CHATS)
def test_plain_http_is_for_networks_that_an_operator_named(
    chat: type[ChatWebhook], answering: Answering
) -> None:
    with pytest.raises(AddressRefused):
        built(chat).check(answering.url)

    assert built(chat, "127.0.0.0/8").check(answering.url) == answering.url


@pytest.mark.parametrize("chat", CHATS)
def test_nothing_is_posted_into_a_private_network(
    chat: type[ChatWebhook], answering: Answering
) -> None:
    with pytest.raises(ConnectionRefused):
        built(chat).send(ALERT, answering.url)

    assert answering.requests == []


@pytest.mark.parametrize("chat", CHATS)
def test_a_server_that_is_away_is_tried_again(chat: type[ChatWebhook]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/secret-path"
        with pytest.raises(TryLater) as error:
            built(chat, "127.0.0.0/8").send(ALERT, address)

    assert "secret-path" not in str(error.value)


@pytest.mark.parametrize("chat", CHATS)
def test_a_repeat_cannot_be_told_from_news(chat: type[ChatWebhook]) -> None:
    assert built(chat).idempotent is False
    assert built(chat).name == chat.__name__.lower()
