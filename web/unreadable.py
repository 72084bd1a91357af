"""What a request gets that no server can read: our error in place of the server's own page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from lib.ids import request_id
from web.errors import INTERNAL, REFUSALS

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Refusal:
    """A whole reply, for a server that has asked nobody yet."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def raw(self) -> bytes:
        """Its bytes as they go over the wire."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join((*lines, "", "")).encode("ascii") + self.body


def refusal(told: int) -> Refusal:
    """The reply where a server would have told this status; what it cannot read is a 400."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR if told == 500 else HTTPStatus.BAD_REQUEST
    code, message = INTERNAL if told == 500 else REFUSALS[400]
    name = request_id()
    log.warning("a request could not be read", status=int(status), request_id=name)
    said = {"error": {"code": code, "message": message, "request_id": name}}
    body = json.dumps(said).encode()
    headers = (
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        ("X-Request-Id", name),
    )
    return Refusal(status, headers, body)
