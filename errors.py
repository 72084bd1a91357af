"""Every error a caller can meet, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class LeadlineError(Exception):
    """Anything we refuse on purpose: a code for programs, a sentence for people."""

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.fields = {name: list(texts) for name, texts in (fields or {}).items()}


class Malformed(LeadlineError):
    """The request cannot be read at all."""

    code = "malformed_request"


class Invalid(LeadlineError):
    """The request is well formed, and what it says is not possible."""

    code = "validation_failed"


class NotFound(LeadlineError):
    """What was named does not exist, or not for this caller."""

    code = "not_found"


class Conflict(LeadlineError):
    """The state of things forbids it now."""

    code = "conflict"


class Unauthorized(LeadlineError):
    """Nobody has said who is asking, or the credential is not good."""

    code = "unauthorized"


class Forbidden(LeadlineError):
    """We know who is asking, and it is not for them."""

    code = "forbidden"


class TooManyRequests(LeadlineError):
    """More requests than the limit allows; carries the seconds to wait."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(LeadlineError):
    """The database (or the disk under it) cannot serve just now; trying again may help."""

    code = "unavailable"
    retry_after = 1


def unknown_session() -> NotFound:
    """The error for a session id that nobody holds."""
    return NotFound("There is no session of this id.", code="unknown_session")


def unknown_lead() -> NotFound:
    """The error for a lead id that nobody holds."""
    return NotFound("There is no lead of this id.", code="unknown_lead")


def invalid_field(name: str, sentence: str, *, code: str | None = None) -> Invalid:
    """The error for one bad field, with its sentence also under `fields`."""
    return Invalid(sentence, code=code, fields={name: [sentence]})
