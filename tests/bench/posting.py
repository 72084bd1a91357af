"""The bare loop that our sending is measured beside; `python -m tests.bench.posting URL COUNT`."""

from __future__ import annotations

import json
import sys

import requests

# As long as an alert of ours.
BODY = json.dumps({"data": {"session_id": None, "text": "x" * 1100}}).encode()


def main(url: str, count: int) -> None:
    """Post so many messages one after the other, as most programs do."""
    for _ in range(count):
        requests.post(url, data=BODY, headers={"Content-Type": "application/json"}, timeout=10)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
