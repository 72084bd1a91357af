"""The process of the channel `other`, with real plugins of Apprise that call a loopback server.

`python -m tests.integrations.apprise_child ADDRESS` is what the channel starts in tests.
"""

from __future__ import annotations

import sys

from apprise.plugins.pushover import NotifyPushover
from apprise.plugins.telegram import NotifyTelegram

from integrations.channels import other

if __name__ == "__main__":
    # Before that, so that the rule for addresses meets the plugins as they are.
    other.reachable()
    NotifyTelegram.notify_url = f"{sys.argv[1]}/bot"
    NotifyPushover.notify_url = f"{sys.argv[1]}/1/messages.json"
    other.main()
