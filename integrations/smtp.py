"""One letter to a mail server: a dialogue with one deadline, and what became of each recipient.

The server is named by the operator in the environment, and a relay on this machine or in the
private network is the normal case. So the guard against private addresses, which protects from
addresses that users type, does not stand here.
"""

from __future__ import annotations

import contextlib
import queue
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any

from integrations.errors import (
    ConnectionRefused,
    DeliveryError,
    ItemRefused,
    OutcomeUnknown,
    TryLater,
)
from lib.text import strip_controls

IMPLICIT_TLS_PORT = 465
# More than any honest server says in one dialogue.
LONGEST_DIALOGUE = 256 * 1024
CHUNK = 16 * 1024
# What is said of a client that must log in first, or whose login is not good enough.
# https://www.rfc-editor.org/rfc/rfc4954#section-6
LOGIN_WANTED = frozenset({530, 534, 535, 538})
GOODBYE = 421
GO_AHEAD = 354


@dataclass(frozen=True)
class SmtpSettings:
    """The mail server and our account there.

    `require_tls` means STARTTLS (on port 465 TLS from the first byte); without it the dialogue,
    password included, is in clear text, which only a relay nearby deserves.
    """

    host: str
    port: int = 587
    user: str = ""
    password: str = field(default="", repr=False)
    # The address alerts come from, `alerts@example.com` or `Leadline <alerts@example.com>`.
    sender: str = ""
    require_tls: bool = True

    @property
    def sender_address(self) -> str:
        """The bare address of the sender; the user's if none is set."""
        return parseaddr(self.sender)[1] or self.user

    @property
    def sender_domain(self) -> str:
        """What stands behind the @ of the sender, for names that must be ours."""
        domain = self.sender_address.rpartition("@")[2]
        return domain if domain.isascii() and domain else "localhost"


@dataclass(frozen=True)
class Refusal:
    """A recipient whom the server did not take, in its own words."""

    recipient: str
    status: int
    reply: str

    @property
    def is_final(self) -> bool:
        """Whether asking again is of no use."""
        return self.status >= 500


@dataclass(frozen=True)
class Posted:
    """A dialogue that came to its end: who has the letter now, and who was refused."""

    accepted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    status: int | None = None
    reply: str = ""


def post(
    settings: SmtpSettings,
    letter: bytes,
    recipients: Sequence[str],
    *,
    deadline: float = 15.0,
    tls: ssl.SSLContext | None = None,
) -> Posted:
    """Hand one letter over, within so many seconds for everything; DeliveryError if it failed."""
    link = _Link(settings, time.monotonic() + deadline, tls or ssl.create_default_context())
    try:
        with _plain_words(link):
            _open(link, settings)
            posted = _hand_over(link, settings, letter, recipients)
        with contextlib.suppress(OSError):
            # Its answer changes nothing and is not waited for.
            link.putcmd("quit")
        return posted
    finally:
        link.close()


class _Link(smtplib.SMTP):
    """smtplib with one limit on the whole dialogue, where it has one on each read only."""

    # typeshed does not know it; starttls checks the certificate against this name.
    _host: str

    def __init__(self, settings: SmtpSettings, until: float, tls: ssl.SSLContext) -> None:
        # Without a name it would ask the DNS for ours, for as long as that takes.
        super().__init__(local_hostname=settings.sender_domain)
        self._host = settings.host
        self.until = until
        self.tls = tls
        self.is_implicit = settings.port == IMPLICIT_TLS_PORT
        # From here on the server may have the letter, whatever we hear or do not hear.
        self.is_handed_over = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = _connect(host, port, self.until)
        if not self.is_implicit:
            return plain
        try:
            return self.tls.wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """The next reply of the server."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("There is no connection.")
        if self.file is None:
            self.file = _Lines(self.sock, self.until)
        return super().getreply()

    def send(self, s: Any) -> None:
        """Send text or bytes, all of it before the deadline."""
        data = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("There is no connection.")
        try:
            for start in range(0, len(data), CHUNK):
                self.sock.settimeout(_left(self.until))
                self.sock.sendall(data[start : start + CHUNK])
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected("The connection broke while sending.") from error

    def secure(self) -> None:
        """STARTTLS within the deadline."""
        if self.sock is not None:
            self.sock.settimeout(_left(self.until))
        self.starttls(context=self.tls)


class _Lines:
    """The server's lines; each read may last until the deadline, not until a byte drips in."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock = sock
        self.until = until
        self.waiting = b""
        self.heard = 0

    def readline(self, limit: int) -> bytes:
        """The next line with its end, at most `limit` bytes of it; empty when it is over."""
        while b"\n" not in self.waiting and len(self.waiting) < limit:
            self.sock.settimeout(_left(self.until))
            more = self.sock.recv(4096)
            if not more:
                break
            self.waiting += more
            self.heard += len(more)
            if self.heard > LONGEST_DIALOGUE:
                raise OSError("The server does not stop talking.")
        end = min(self.waiting.find(b"\n") + 1 or limit, limit)
        line, self.waiting = self.waiting[:end], self.waiting[end:]
        return line

    def close(self) -> None:
        """Forget what was not read; the socket is closed by its owner."""
        self.waiting = b""


def _open(link: _Link, settings: SmtpSettings) -> None:
    """Connect, greet, make it secure and log in, in that order and nothing left out."""
    code, reply = link.connect(settings.host, settings.port)
    if code != 220:
        raise _refused_link(code, reply, "The mail server does not let us in")
    link.ehlo_or_helo_if_needed()
    if settings.require_tls and not link.is_implicit:
        _secure(link)
    if settings.user:
        _log_in(link, settings)


def _secure(link: _Link) -> None:
    if not link.has_extn("starttls"):
        raise ConnectionRefused(
            "The mail server offers no STARTTLS, so nothing was sent. Set EMAIL_USE_TLS=false"
            " only for a relay that you reach over no foreign network."
        )
    try:
        link.secure()
    except smtplib.SMTPResponseException as error:
        raise _refused_link(
            error.smtp_code, error.smtp_error, "The mail server did not start TLS"
        ) from error
    link.ehlo_or_helo_if_needed()


def _log_in(link: _Link, settings: SmtpSettings) -> None:
    try:
        link.login(settings.user, settings.password)
    except smtplib.SMTPAuthenticationError as error:
        raise _refused_link(
            error.smtp_code, error.smtp_error, "The mail server did not accept user and password"
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise ConnectionRefused(
            "The mail server offers no login on this connection; many do so only with TLS."
        ) from error
    except UnicodeEncodeError as error:
        raise ConnectionRefused(
            "The user or password for the mail server has letters that SMTP cannot carry;"
            " choose one of ASCII characters."
        ) from error


def _hand_over(
    link: _Link, settings: SmtpSettings, letter: bytes, recipients: Sequence[str]
) -> Posted:
    """Sender, recipients, letter: the part that may succeed for some and fail for others."""
    _check_size(link, letter)
    code, reply = link.mail(
        settings.sender_address, [f"size={len(letter)}"] if _sizes(link) else []
    )
    if code // 100 != 2:
        raise _refused_link(code, reply, "The mail server does not accept our sender address")
    accepted, refused = _ask_for_each(link, recipients)
    if not accepted:
        return Posted(refused=refused)
    code, reply = link.docmd("DATA")
    if code != GO_AHEAD:
        raise _refused_letter(code, reply)
    link.is_handed_over = True
    link.send(_stuffed(letter))
    code, reply = link.getreply()
    if code // 100 != 2:
        raise _refused_letter(code, reply)
    return Posted(accepted, refused, code, _words(reply))


def _sizes(link: _Link) -> bool:
    return link.does_esmtp and link.has_extn("size")


def _check_size(link: _Link, letter: bytes) -> None:
    most = link.esmtp_features.get("size", "").strip()
    if most.isdecimal() and 0 < int(most) < len(letter):
        raise ItemRefused(
            f"The message has {len(letter)} bytes; the mail server takes at most {most}.",
            status=552,
        )


def _ask_for_each(
    link: _Link, recipients: Sequence[str]
) -> tuple[tuple[str, ...], tuple[Refusal, ...]]:
    accepted, refused = [], []
    for recipient in recipients:
        code, reply = link.rcpt(recipient)
        if code == GOODBYE or code in LOGIN_WANTED or code < 0:
            raise _refused_link(code, reply, "The mail server broke off at a recipient")
        if code // 100 == 2:
            accepted.append(recipient)
        else:
            refused.append(Refusal(recipient, code, _words(reply)))
    return tuple(accepted), tuple(refused)


def _refused_link(code: int, reply: bytes | str, what: str) -> DeliveryError:
    """What a reply means that concerns everything we would send there."""
    words, what = _words(reply), f"{what} ({code}): {_words(reply)}"
    if code == 552:
        return ItemRefused(what, status=code, reply=words)
    if code >= 500:
        return ConnectionRefused(what, status=code, reply=words)
    return TryLater(what, pause=True, status=code, reply=words)


def _refused_letter(code: int, reply: bytes) -> DeliveryError:
    """What a reply to the letter itself means."""
    words = _words(reply)
    if code in LOGIN_WANTED or code == GOODBYE:
        return _refused_link(code, reply, "The mail server broke off")
    if code >= 500:
        return ItemRefused(
            f"The mail server refused the message ({code}): {words}", status=code, reply=words
        )
    if 400 <= code:
        return TryLater(
            f"The mail server asks to try later ({code}): {words}", status=code, reply=words
        )
    return OutcomeUnknown("The mail server's answer to the message is none.", reply=words)


@contextlib.contextmanager
def _plain_words(link: _Link) -> Iterator[None]:
    """What breaks below the protocol, as one of our errors."""
    try:
        yield
    except DeliveryError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise ConnectionRefused(
            f"The mail server's certificate is not good: {_words(error.verify_message)}."
        ) from error
    except smtplib.SMTPHeloError as error:
        raise _refused_link(
            error.smtp_code, error.smtp_error, "The mail server does not greet us back"
        ) from error
    except (OSError, ValueError) as error:
        # smtplib's own errors are OSErrors too; ValueError is a name that cannot be one.
        if link.is_handed_over:
            raise OutcomeUnknown(
                "The connection ended before the mail server said whether it has the message."
            ) from error
        raise TryLater(_trouble(error, link)) from error


def _trouble(error: Exception, link: _Link) -> str:
    if time.monotonic() >= link.until or isinstance(error, TimeoutError):
        return "The mail server did not answer in time."
    if isinstance(error, socket.gaierror):
        return "The name of the mail server was not found; see EMAIL_HOST."
    if isinstance(error, ConnectionRefusedError):
        return "Nobody listens at the mail server's port; see EMAIL_HOST and EMAIL_PORT."
    if isinstance(error, ssl.SSLError):
        return "The mail server and we could not agree on TLS; see EMAIL_PORT and EMAIL_USE_TLS."
    return "The connection to the mail server broke before the message was sent."


def _connect(host: str, port: int, until: float) -> socket.socket:
    """A connection to the first of the host's addresses that lets us, in the time that is left."""
    last: OSError = socket.gaierror("no address")
    for family, kind, protocol, _, address in _addresses(host, port, until):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(until))
            sock.connect(address)
            sock.settimeout(_left(until))
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last


def _addresses(host: str, port: int, until: float) -> list[Any]:
    """The host's addresses; the system's look-up knows no deadline, so a thread waits for it."""
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            found.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = found.get(timeout=_left(until))
    except queue.Empty:
        raise TimeoutError("The look-up took too long.") from None
    if isinstance(answer, Exception):
        raise answer
    return list(answer)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("The time is over.")
    return left


def _stuffed(letter: bytes) -> bytes:
    """The letter as DATA carries it: CRLF line ends only, a leading dot doubled, the last dot."""
    # A bare CR or LF would let two servers see two different ends of the letter.
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", letter)
    whole = lines if lines.endswith(b"\r\n") else lines + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", whole) + b".\r\n"


def _words(reply: bytes | str) -> str:
    """The server's words on one line, without what would disturb a log."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(strip_controls(text[:1000]).split())
