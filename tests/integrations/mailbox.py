"""A mail server on the loopback that takes letters, or says at each step what a test wants."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "alerts@leadline.example", "correct horse"
DROP, HANG = "drop", "hang"

logging.getLogger("mail.log").setLevel(logging.CRITICAL)


@dataclass
class Script:
    """What the server says instead of yes, at each step; DROP hangs up, HANG says nothing."""

    connect: str = ""
    starttls: str = ""
    auth: str = ""
    mail: str = ""
    rcpt: str = ""
    data: str = ""
    after_data: str = ""
    # For single recipients; wins over `rcpt`.
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """A letter that the server took, and for whom."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def letter(self) -> EmailMessage:
        """The letter as a mail program reads it."""
        found = message_from_bytes(self.raw, policy=default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def header_names(self) -> list[str]:
        """The names of all headers of the letter, read without any library's kindness."""
        head = self.raw.split(b"\r\n\r\n", 1)[0].decode("ascii")
        return [line.split(":", 1)[0] for line in head.split("\r\n") if line[:1] not in (" ", "\t")]


class MailServer(Controller):
    """The server; `taken` is what it has, `asked` each recipient it was asked for."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        with_login: bool = False,
        size: int = 1_000_000,
    ) -> None:
        self.script = Script()
        self.planned = script or Script()
        self.taken: list[Taken] = []
        self.asked: list[str] = []
        self.sides: list[_Side] = []
        self.options: dict[str, Any] = {"data_size_limit": size, "hostname": "mail.example"}
        if tls and not implicit:
            self.options.update(tls_context=tls, require_starttls=True)
        if with_login:
            self.options.update(authenticator=self.authenticate, auth_required=True)
        super().__init__(self, hostname="127.0.0.1", port=0, ssl_context=tls if implicit else None)

    def factory(self) -> SMTP:
        """The server's side of one connection."""
        side = _Side(self, **self.options)
        self.sides.append(side)
        return side

    def stop(self, no_assert: bool = False) -> None:
        """Hang up on everybody and end."""

        def hang_up() -> None:
            for side in self.sides:
                for transport in (side.transport, side._original_transport):
                    if transport is not None:
                        transport.abort()

        # What is still open when the loop ends is complained about by the garbage collector.
        self.loop.call_soon_threadsafe(hang_up)
        super().stop(no_assert)

    def _trigger_server(self) -> None:
        # aiosmtpd knocks at the port it was told, which is 0 here; the system chose another.
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
        self.script = self.planned

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """Whether user and password are ours."""
        if self.script.auth:
            return AuthResult(success=False, handled=False, message=self.script.auth)
        given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        return AuthResult(success=given == (USER, PASSWORD), handled=False)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The answer to MAIL FROM."""
        envelope.mail_from = address
        return await server.answer(self.script.mail) or "250 OK"  # type: ignore[attr-defined]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The answer to RCPT TO."""
        self.asked.append(address)
        scripted = self.script.people.get(address, self.script.rcpt)
        reply = str(await server.answer(scripted) or "250 OK")  # type: ignore[attr-defined]
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The answer to the letter; with DROP it was taken, and nobody hears of it."""
        assert envelope.mail_from is not None and isinstance(envelope.original_content, bytes)
        reply = self.script.after_data
        if not reply or reply.startswith("2") or reply in (DROP, HANG):
            recipients = tuple(envelope.rcpt_tos)
            self.taken.append(Taken(envelope.mail_from, recipients, envelope.original_content))
        return await server.answer(reply) or "250 Taken"  # type: ignore[attr-defined]


class _Side(SMTP):
    """One connection, in which each step asks the script first."""

    def __init__(self, server: MailServer, **options: Any) -> None:
        super().__init__(server, **options)
        self.server = server
        self.has_greeted = False

    async def answer(self, reply: str) -> str:
        """The reply, if it is one; hanging up and silence happen here."""
        if reply == DROP:
            assert self.transport is not None
            self.transport.abort()
        if reply in (DROP, HANG):
            # Until the other side goes: then the server cancels what runs for this connection.
            await asyncio.Event().wait()
        return reply

    async def push(self, status: Any) -> None:
        """Every reply passes here, the greeting first."""
        if not self.has_greeted:
            self.has_greeted = True
            scripted = await self.answer(self.server.script.connect)
            await super().push(scripted or status)
            if scripted:
                assert self.transport is not None
                self.transport.close()
            return
        await super().push(status)

    async def smtp_STARTTLS(self, arg: str) -> None:
        """TLS, or the scripted refusal."""
        reply = await self.answer(self.server.script.starttls)
        await (self.push(reply) if reply else super().smtp_STARTTLS(arg))

    async def smtp_DATA(self, arg: str) -> None:
        """The letter itself, or the scripted refusal to hear it."""
        reply = await self.answer(self.server.script.data)
        await (self.push(reply) if reply else super().smtp_DATA(arg))


@dataclass(frozen=True)
class Papers:
    """A certificate for `localhost` and 127.0.0.1 that nobody but itself vouches for."""

    certificate: Path
    key: Path

    def server_side(self) -> ssl.SSLContext:
        """What the server shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client_side(self) -> ssl.SSLContext:
        """What a client needs that trusts it, and checks everything all the same."""
        return ssl.create_default_context(cafile=str(self.certificate))


def make_papers(folder: Path, name: str = "localhost") -> Papers:
    """A key and its own certificate, good for today and tomorrow."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    papers = Papers(folder / f"{name}.crt", folder / f"{name}.key")
    papers.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    papers.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return papers
