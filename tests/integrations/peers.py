"""Servers that do to a client what hostile or broken ones do, and certificates to do it with."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PACE = 0.02
# A drip ends by itself some day, so that a client who waits for its end fails and does not hang.
MOST_DRIPS = 250

Side = Callable[["Peer", socket.socket], None]


class Peer:
    """A server on the loopback that plays one side of every connection as a function says."""

    def __init__(self, play: Side, tls: ssl.SSLContext | None = None) -> None:
        self.play = play
        self.tls = tls
        self.connections = 0
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/hook/secret-path?token=secret-token"
        self.threads = [threading.Thread(target=self._listen, daemon=True)]

    def __enter__(self) -> Peer:
        self.threads[0].start()
        return self

    def __exit__(self, *told: object) -> None:
        self.over.set()
        # Wakes `accept`, which closing alone does not.
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()

    def _listen(self) -> None:
        while not self.over.is_set():
            try:
                side, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.threads.append(threading.Thread(target=self._serve, args=(side,), daemon=True))
            self.threads[-1].start()

    def _serve(self, side: socket.socket) -> None:
        with suppress(OSError):
            if self.tls is not None:
                side = self.tls.wrap_socket(side, server_side=True)
            self.play(self, side)
        side.close()

    def hear(self, side: socket.socket) -> None:
        """Read one request to the end of its body."""
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += _more(side)
        head, _, body = heard.partition(b"\r\n\r\n")
        length = next(
            int(row.split(b":")[1])
            for row in head.split(b"\r\n")
            if row.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += _more(side)
        self.requests.append(head + b"\r\n\r\n" + body)

    def drip(self, side: socket.socket, parts: Iterable[bytes]) -> None:
        """Send a part every now and then, for as long as the client stays."""
        for _, part in zip(range(MOST_DRIPS), parts):
            side.sendall(part)
            if self.over.wait(PACE):
                return


def answers(*parts: bytes) -> Side:
    """The side of a server that hears a request and says this."""

    def play(peer: Peer, side: socket.socket) -> None:
        peer.hear(side)
        for part in parts:
            side.sendall(part)

    return play


def floods(head: bytes, part: bytes) -> Side:
    """The side of a server that hears a request and then talks without end, as fast as it can."""

    def play(peer: Peer, side: socket.socket) -> None:
        peer.hear(side)
        side.sendall(head)
        while not peer.over.is_set():
            side.sendall(part)

    return play


def drips(head: bytes, parts: Callable[[], Iterable[bytes]]) -> Side:
    """The side of a server that hears a request and then says a little every now and then."""

    def play(peer: Peer, side: socket.socket) -> None:
        peer.hear(side)
        side.sendall(head)
        peer.drip(side, parts())

    return play


def reset(side: socket.socket) -> None:
    """Hang up so that the other side gets a reset, not an end."""
    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    side.close()


def _more(side: socket.socket) -> bytes:
    heard = side.recv(65536)
    if not heard:
        raise ConnectionError("The client hung up.")
    return heard


@dataclass(frozen=True)
class Authority:
    """One who vouches for names, and the folder in which its papers lie."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def found(cls, folder: Path, name: str) -> Authority:
        """A new authority that vouches for itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(key, key, _name(name), _name(name), [], days=(-9, 9), is_ca=True)
        made = cls(folder, key, certificate)
        made.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return made

    @property
    def file(self) -> Path:
        """What a client must read to trust it."""
        return self.folder / f"authority-{self.certificate.serial_number}.pem"

    def server_side(self, *names: str, days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
        """A server's context with a certificate for these names, valid for these days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(
            key, self.key, _name(names[0]), self.certificate.subject, names, days=days
        )
        file = self.folder / f"{made.serial_number}.pem"
        file.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    issuer: x509.Name,
    names: Sequence[str],
    *,
    days: tuple[int, int],
    is_ca: bool = False,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(signer, hashes.SHA256())
