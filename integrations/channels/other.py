"""Alerts to any service that Apprise reaches: Telegram, Google Chat, Pushover and a hundred more.

https://github.com/caronc/apprise; only the operator sets such an address, in Apprise's own form.

Apprise opens its connections itself, past our door out, and knows no deadline. So two things hold
here that no other channel needs:

- An address may only lead to a public service whose https host stands in Apprise's source. What
  takes its host from the address (`json`, `mailto`, `ntfy`, `matrix` …) could be pointed at this
  machine or network, and what shows a message on this machine (`syslog`, `dbus` …) reaches nobody.
  The rule is read from what a plugin says of itself, so that a new version brings its new services.
- It runs in a process of its own, which is killed at the deadline. The address goes there by
  standard input, since everybody on a machine may read the arguments of its processes.

What was not delivered for sure is an unknown outcome: Apprise says that it failed, not how far it
came, and a second alert is better than none.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from integrations.channels.base import AddressRefused, Alert, Receipt
from integrations.channels.letter import cards_of
from integrations.errors import ConnectionRefused, OutcomeUnknown, TryLater
from lib.clock import Clock
from lib.text import shorten

ROOT = Path(__file__).resolve().parents[2]
LONGEST_ADDRESS = 2000
LONGEST_BODY = 3000
SCHEME = re.compile(r"([a-z0-9][a-z0-9+.-]*)://", re.IGNORECASE)
FIXED_HOST = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?(/|$)")
# Channels of ours do these better: with retries, limits and escapes of their own.
OURS = {
    **dict.fromkeys(("slack",), "slack"),
    **dict.fromkeys(("discord",), "discord"),
    **dict.fromkeys(("workflow", "workflows", "msteams"), "teams"),
    **dict.fromkeys(("mailto", "mailtos"), "email"),
    **dict.fromkeys(("json", "jsons", "xml", "xmls", "form", "forms"), "webhook"),
}
# A place or a file that a plugin lets its address choose, by whatever name.
CHOOSES_PLACE = frozenset({"host", "relay", "blossom", "keyfile", "subfile", "hostname"})
# bluesky asks the host that an account's owner named.
ROAMS = frozenset({"bluesky", "bsky"})
# Options that would switch the certificate's check off, or read a file of this machine.
REFUSED_OPTIONS = frozenset({"verify", "template", "redirect"})
# What lets a message ping people; Guilded's and Webex's plugins pass it on as it is.
PING = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#&])")
# The operator's own authorities; nothing else of our environment, which is full of secrets.
PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PATH", "LANG")
STARTED, DELIVERED, UNUSABLE = "started", "delivered", "unusable"


class Other:
    """The channel `other`: an address in Apprise's form, such as `tgram://bot-token/chat-id`."""

    name = "other"
    idempotent = False

    def __init__(
        self,
        clock: Clock,
        deadline: float = 20.0,
        *,
        command: Sequence[str] = (sys.executable, "-m", "integrations.channels.other"),
    ) -> None:
        self.clock = clock
        self.deadline = deadline
        self.command = tuple(command)

    def check(self, address: str) -> str:
        """The address without blanks around it; AddressRefused says why it cannot be used."""
        bare = address.strip()
        scheme = _scheme(bare)
        if not scheme or len(bare) > LONGEST_ADDRESS:
            raise AddressRefused(
                "Write the address as Apprise does, such as tgram://bot-token/chat-id."
            )
        if scheme in OURS:
            raise AddressRefused(f"Use our own channel “{OURS[scheme]}” for {scheme}://.")
        if scheme not in reachable():
            raise AddressRefused(
                f"{shorten(scheme, 30)}:// is not possible here: only public services that Apprise"
                " knows by a fixed https host, such as tgram, gchat or pover."
            )
        if REFUSED_OPTIONS & _options(bare):
            raise AddressRefused("Leave out the options verify, template and redirect.")
        if _service(bare) is None:
            raise AddressRefused(f"Something is missing in the {scheme}:// address, or misspelt.")
        return bare

    def mask(self, address: str) -> str:
        """`tgram://…`; all that follows may be a secret."""
        scheme = _scheme(address.strip())
        return f"{scheme}://…" if scheme else "…"

    def send(
        self,
        alert: Alert,
        address: str,
        *,
        secrets: tuple[str, ...] = (),
        progress: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Send it from a process of its own; a failure after its start is OutcomeUnknown."""
        order = {"address": address, "title": words_of(alert.title), "body": body_of(alert)}
        heard = self._run(json.dumps(order))
        if DELIVERED in heard:
            return Receipt(reply="Apprise: delivered")
        if STARTED in heard:
            raise OutcomeUnknown("The service did not confirm that it has the message.")
        if UNUSABLE in heard:
            raise ConnectionRefused("Apprise cannot use this address; enter it again.")
        raise TryLater("Apprise could not be started, so nothing was sent.")

    def _run(self, order: str) -> list[str]:
        """What the process said until its end or until the deadline, in words."""
        try:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Apprise's own words may hold the address.
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
                text=True,
            )
        except OSError:
            return []
        with process:
            try:
                said, _ = process.communicate(order + "\n", timeout=self.deadline)
            except subprocess.TimeoutExpired:
                process.kill()
                said, _ = process.communicate()
        return said.split()


@lru_cache(maxsize=1)
def reachable() -> frozenset[str]:
    """The schemes of public services with a host of their own, as this Apprise knows them."""
    import apprise.manager_plugins

    # Apprise leaves it unannotated.
    make: Any = apprise.manager_plugins.NotificationManager
    manager = make()
    with warnings.catch_warnings():
        # One of its plugins imports a module that Python is about to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        manager.load_modules()
    found = (scheme for plugin in manager.plugins() for scheme in _public_schemes(plugin))
    return frozenset(found) - ROAMS - set(OURS)


def _public_schemes(plugin: Any) -> tuple[str, ...]:
    """The schemes of a plugin that leads to one public service and nowhere else."""
    if not plugin.enabled or not plugin.service_url or plugin.protocol:
        # With a scheme in clear text beside the secure one, the host is the address's.
        return ()
    if CHOOSES_PLACE & {*plugin.template_tokens, *plugin.template_args}:
        return ()
    if not _has_fixed_host(plugin):
        return ()
    schemes = plugin.secure_protocol or ()
    return (schemes,) if isinstance(schemes, str) else tuple(schemes)


def _has_fixed_host(plugin: Any) -> bool:
    """Whether all addresses that the plugin calls are https with a host written out."""
    told = {"service_url", "setup_url", "request_url", "app_url"}
    calls = [
        value
        for name, value in vars(plugin).items()
        if name.endswith("url") and name not in told and isinstance(value, str)
    ]
    return bool(calls) and all(FIXED_HOST.match(value) for value in calls)


def words_of(text: str) -> str:
    """The text without anything by which a service would ping its members."""
    return PING.sub(lambda found: found.group() + "\u2060", text)


def body_of(alert: Alert) -> str:
    """The alert as plain lines; a digest as one block for each lead."""
    blocks = []
    for card in cards_of(alert):
        lines = [card.title] if alert.items else []
        lines += [f"{label}: {value}" for label, value in card.lines]
        lines += [f"- {reason}" for reason in card.reasons]
        blocks.append("\n".join([*lines, card.url] if card.url else lines))
    return shorten(words_of("\n\n".join(blocks)), LONGEST_BODY)


def _scheme(address: str) -> str:
    found = SCHEME.match(address[:LONGEST_ADDRESS])
    return found.group(1).lower() if found else ""


def _options(address: str) -> set[str]:
    """The names of the options behind the address, as whoever decodes it will see them."""
    pairs = re.split("[&;]", address.partition("?")[2])
    return {unquote_plus(pair.partition("=")[0]).strip().lower() for pair in pairs}


def _service(address: str) -> Any:
    """Apprise's object for an address; None if it cannot make one."""
    import apprise

    return apprise.Apprise.instantiate(address, asset=_manners(), suppress_exceptions=True)


def _manners() -> Any:
    """How Apprise behaves here: nothing on the disk, no foreign plugins, text stays as it is."""
    import apprise

    return apprise.AppriseAsset(
        plugin_paths=[],
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        interpret_emojis=False,
        interpret_escapes=False,
    )


def main() -> None:
    """The process: an order on standard input, what became of it on standard output."""
    import apprise

    order = json.loads(sys.stdin.readline())
    service = _service(order["address"])
    if service is None or _scheme(order["address"]) not in reachable():
        print(UNUSABLE, flush=True)
        return
    post = apprise.Apprise(services=[service], asset=_manners())
    print(STARTED, flush=True)
    if post.notify(body=order["body"], title=order["title"], body_format=apprise.NotifyFormat.TEXT):
        print(DELIVERED, flush=True)


if __name__ == "__main__":
    main()
