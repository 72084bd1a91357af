"""The only door out: one POST to a checked place, within one deadline, and no secret in a word.

Whoever sets a webhook's address decides where this server knocks, so an address is a hostile text:

- It is resolved once for each attempt, every answer is judged, and the connection is made to one of
  the judged addresses. No second look-up can lead elsewhere; TLS still checks the name.
- One deadline covers the name server, connecting, TLS, sending and the answer: every wait on the
  socket ends at the same moment, however slowly bytes drip in.
- No redirect is followed, no proxy, `.netrc` or cookie used, nothing decompressed; the body's first
  4 KB are read. So HTTP itself is the standard library's: what `requests` does beyond that (it
  reads the whole body of a redirect, for one) would have to be undone. It reads addresses for us.
- An address is a secret beyond its host, so errors carry no cause: that would tell the address.
"""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import json
import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.utils

from integrations.channels.base import AddressRefused
from integrations.errors import (
    ConnectionRefused,
    DeliveryError,
    ItemRefused,
    OutcomeUnknown,
    TryLater,
)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# The addresses of a host, as text; OSError if there are none.
Resolve = Callable[[str], Sequence[str]]

LONGEST_ADDRESS = 2048
LONGEST_BODY = 4096
# All that is heard on one connection: heads, chunk marks and body together.
MOST_HEARD = 128 * 1024
# A person waits for the check; a name that takes longer is looked up again before each attempt.
CHECK_DEADLINE = 3.0
LONGEST_WAIT = timedelta(hours=24)
PORTS = {"https": 443, "http": 80}

UNFIT = re.compile(r"[^!-~\u00a1-\U0010ffff]|[\\\u2028\u2029\ud800-\udfff]")
HOST = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)
# What the C library takes for a number, such as 127.1 or 0x7f.1: never a name.
NUMERIC = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
ADDRESS = re.compile(r"[0-9a-f:.]{2,45}")
SECONDS = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*")

PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        # This host, private, shared by carriers, loopback, link
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.168.0.0/16"),
        # Protocols, documentation, 6to4 relays, benchmarks, multicast, reserved and broadcast
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # Protocols with Teredo, documentation (the second unknown to Python 3.11), 6to4
        *("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16"),
    )
)
# All of IPv6 that is given out to the public; what is not named here is not public.
PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
# IPv6-only networks reach public IPv4 through it: what counts is the address inside.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class HttpReply:
    """What came back: names of headers in lower case, at most the first 4 KB of the raw body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text that every database takes, replaced where it is no UTF-8."""
        return self.body.decode("utf-8", "replace").replace("\0", "\ufffd")

    def json(self) -> Any:
        """The body read as JSON; None when it is none."""
        return _json(self.body)


@dataclass(frozen=True)
class Place:
    """An address in its normal form, taken apart."""

    url: str
    scheme: str
    host: str
    port: int
    # What a server calls itself: the host, with its port where that is unusual.
    authority: str
    target: str


class HttpDoor:
    """Lets messages out to public https hosts, and to networks that the operator allowed.

    `authorities` is a file of certificates to trust in place of the system's and certifi's.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[str] = (),
        deadline: float = 15.0,
        resolve: Resolve | None = None,
        https_ports: Sequence[int] = (443, 8443),
        authorities: str | None = None,
    ) -> None:
        self.deadline = deadline
        self._allowed = tuple(ipaddress.ip_network(one, strict=False) for one in allowed_networks)
        self._resolve = resolve or system_addresses
        self._https_ports = frozenset(https_ports)
        self._authorities = authorities

    def check(self, address: str) -> str:
        """The address in its normal form; AddressRefused says in a sentence what to change.

        A name that cannot be found at the moment passes: each attempt judges it again.
        """
        place = read_place(address)
        until = time.monotonic() + min(self.deadline, CHECK_DEADLINE)
        try:
            found = self._addresses(place.host, until)
        except OSError:
            found = ()
        self._judge(place, found)
        return place.url

    def post(self, address: str, *, body: bytes, headers: Mapping[str, str]) -> HttpReply:
        """The answer, whatever its status; raises one of `integrations.errors` without one."""
        outcome = self._attempt(address, body, headers)
        if isinstance(outcome, DeliveryError):
            # Raised here, where no exception hangs on it whose words name the address.
            raise outcome
        return outcome

    def _attempt(
        self, address: str, body: bytes, headers: Mapping[str, str]
    ) -> HttpReply | DeliveryError:
        """One knock, in two parts: until the connection stands nothing can have arrived."""
        until = time.monotonic() + self.deadline
        try:
            place = read_place(address)
        except AddressRefused as refused:
            return ConnectionRefused(str(refused))
        try:
            found = self._addresses(place.host, until)
            self._judge(place, found)
            connection = self._connect(place, found, until)
        except AddressRefused as refused:
            return ConnectionRefused(str(refused))
        except (OSError, ValueError) as error:
            return _not_sent(place.host, error)
        try:
            return _exchange(connection, place, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return _not_confirmed(place.host, error)

    def _addresses(self, host: str, until: float) -> tuple[IPAddress, ...]:
        """Where a host is; OSError if nobody knows by then."""
        try:
            return (ipaddress.ip_address(host),)
        except ValueError:
            pass
        heard: SimpleQueue[Sequence[str] | OSError] = SimpleQueue()

        def ask() -> None:
            try:
                heard.put(self._resolve(host))
            except (OSError, ValueError) as error:
                heard.put(OSError(str(error)))

        # The C library's look-up knows no deadline: it is left behind where it takes too long.
        Thread(target=ask, name="resolve", daemon=True).start()
        try:
            found = heard.get(timeout=_left(until))
        except Empty:
            raise TimeoutError("The name server took too long.") from None
        if isinstance(found, OSError):
            raise found
        if not found:
            raise OSError("The name has no address.")
        return tuple(ipaddress.ip_address(one) for one in found)

    def _judge(self, place: Place, found: Sequence[IPAddress]) -> None:
        """AddressRefused unless each of the addresses may be reached in this way."""
        is_inside = bool(found) and all(self._is_allowed(one) for one in found)
        if place.scheme != "https" and not is_inside:
            raise AddressRefused(
                "Use https://; plain http is possible only inside OUTBOUND_ALLOWED_NETWORKS."
            )
        if any(is_private(one) and not self._is_allowed(one) for one in found):
            raise AddressRefused(
                "This host is in a private or reserved network; the operator can allow one by"
                " OUTBOUND_ALLOWED_NETWORKS."
            )
        if place.port not in self._https_ports and not is_inside:
            ports = " or ".join(str(port) for port in sorted(self._https_ports))
            raise AddressRefused(f"Use port {ports}; no other is open to the world.")

    def _is_allowed(self, address: IPAddress) -> bool:
        """Whether the operator opened the network of this address."""
        return any(one in network for network in self._allowed for one in {address, meant(address)})

    def _connect(
        self, place: Place, found: Sequence[IPAddress], until: float
    ) -> http.client.HTTPConnection:
        """A connection to one of the addresses, its certificate checked against the name."""
        connection = http.client.HTTPConnection(place.host, place.port)
        connection.sock = opened = _open(found, place.port, until)
        if place.scheme == "https":
            try:
                connection.sock = self._inside_tls(opened, place.host, until)
            except BaseException:
                connection.close()
                raise
        return connection

    def _inside_tls(self, opened: _PlainSocket, host: str, until: float) -> _TLSSocket:
        # A handshake ends at the timeout as a whole, however it drips.
        opened.settimeout(_left(until))
        wrapped = self._tls.wrap_socket(opened, server_hostname=host)
        assert isinstance(wrapped, _TLSSocket)
        wrapped.until = until
        return wrapped

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """What is trusted; there is no way to switch the check off."""
        context = ssl.create_default_context(cafile=self._authorities)
        if self._authorities is None:
            # The system's may be missing in a small container.
            context.load_verify_locations(requests.utils.DEFAULT_CA_BUNDLE_PATH)
        context.sslsocket_class = _TLSSocket
        return context


def read_place(address: str) -> Place:
    """The address taken apart; AddressRefused if it is none that anybody could be reached at."""
    bare = address.strip()
    if not bare or len(bare) > LONGEST_ADDRESS or UNFIT.search(bare):
        raise AddressRefused("Write the address as https://host/path, without blanks.")
    try:
        # From here on only the form that `requests` makes of it counts: nothing is read twice.
        url = str(requests.Request("POST", bare).prepare().url)
        parts = urlsplit(url)._replace(fragment="")
        port = parts.port
    except ValueError:
        raise AddressRefused("Write the address as https://host/path.") from None
    if parts.scheme not in PORTS:
        raise AddressRefused("Write the address with https:// in front.")
    # `requests` cuts an empty user off, and what is written there is no mistake of ours to mend.
    if "@" in parts.netloc or "@" in re.split("[/?#]", bare.partition("://")[2])[0]:
        raise AddressRefused("Leave out what stands before the @: no user or password goes here.")
    host = _host(parts.hostname or "")
    default = PORTS[parts.scheme]
    named = f"[{host}]" if ":" in host else host
    authority = named if port in (None, default) else f"{named}:{port}"
    parts = parts._replace(netloc=authority, path=parts.path or "/")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    port = default if port is None else port
    return Place(parts.geturl(), parts.scheme, host, port, authority, target)


def is_private(address: IPAddress) -> bool:
    """Whether an address is anything but one host of the public internet."""
    inner = meant(address)
    if isinstance(inner, ipaddress.IPv6Address) and inner not in PUBLIC_IPV6:
        return True
    return any(inner in network for network in PRIVATE)


def meant(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address stands for, where it simply does; else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def system_addresses(host: str) -> list[str]:
    """The addresses of a host as this machine knows them, the preferred first."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def later_or_refused(reply: HttpReply, *, now: datetime, what: str) -> None:
    """Nothing for 2xx; else raises what the status means for any vendor, whom `what` names."""
    status = reply.status
    told: dict[str, Any] = {"status": status, "reply": reply.text}
    if 200 <= status < 300:
        return
    if status in (404, 410):
        raise ConnectionRefused(f"{what} knows this address no more ({status}).", **told)
    if status in (401, 403):
        raise ConnectionRefused(f"{what} does not let us in ({status}).", **told)
    if status in (408, 423, 425, 429) or 500 <= status < 600:
        raise TryLater(
            f"{what} cannot take it now ({status}).",
            after=retry_after(reply.headers, reply.body, now),
            pause=status in (429, 502, 503, 504),
            **told,
        )
    if 300 <= status < 400:
        place = _location(reply.headers.get("location", ""))
        raise ItemRefused(f"{what} redirects to {place} ({status}); we follow none.", **told)
    raise ItemRefused(f"{what} does not take this message ({status}).", **told)


def retry_after(headers: Mapping[str, str], body: bytes, now: datetime) -> timedelta | None:
    """How long to wait, up to a day: the header `Retry-After`, else `retry_after` in the JSON."""
    written = next((headers[name] for name in headers if name.lower() == "retry-after"), None)
    if written is None:
        found = _json(body)
        asked = found.get("retry_after") if isinstance(found, dict) else None
        written = str(asked) if isinstance(asked, (int, float, str)) else ""
    if seconds := SECONDS.fullmatch(written):
        # A number too long for a float is infinite, which is a day like any other long wait.
        return timedelta(seconds=min(float(seconds[1]), LONGEST_WAIT.total_seconds()))
    return _until_date(written, now)


def _until_date(written: str, now: datetime) -> timedelta | None:
    """The time until an HTTP date, from none to a day; None if it is no date."""
    try:
        moment = email.utils.parsedate_to_datetime(written)
        # Without a zone it is UTC, as HTTP demands.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(moment - now, timedelta(0)), LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _host(written: str) -> str:
    """A host in its normal form, an address without brackets."""
    try:
        return str(ipaddress.ip_address(written)) if "%" not in written else _no_host()
    except ValueError:
        pass
    # Names end in a letter; a number that is no plain address would be one by surprise.
    return written if HOST.fullmatch(written) and not NUMERIC.fullmatch(written) else _no_host()


def _no_host() -> str:
    raise AddressRefused("Write the host as a name such as hooks.example.com.")


def _location(written: str) -> str:
    """The host that a redirect names, if it is one that can be shown."""
    if not written:
        return "no place"
    try:
        host = urlsplit(written).hostname
    except ValueError:
        return "another place"
    if host is None:
        return "another path"
    return host if HOST.fullmatch(host) or ADDRESS.fullmatch(host) else "another place"


def _left(until: float) -> float:
    """The seconds until then; TimeoutError when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("The deadline has passed.")
    return left


class _PlainSocket(socket.socket):
    """A socket whose every wait ends at the same moment, and that does not hear without end."""

    until = math.inf
    heard = 0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.until))
        return _counted(self, super().recv_into(*args, **kwargs))

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        # Its timeout is for all of it.
        self.settimeout(_left(self.until))
        return super().sendall(*args, **kwargs)


class _TLSSocket(ssl.SSLSocket):
    """The same, inside TLS."""

    until = math.inf
    heard = 0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.until))
        return _counted(self, super().recv_into(*args, **kwargs))

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.until))
        return super().send(*args, **kwargs)


def _counted(one: _PlainSocket | _TLSSocket, size: int) -> int:
    """The size, added to what was heard; OSError if that is too much."""
    one.heard += size
    if one.heard > MOST_HEARD:
        raise OSError("The answer is too long.")
    return size


def _open(found: Sequence[IPAddress], port: int, until: float) -> _PlainSocket:
    """A connection to the first address that answers; none may use up the time of the next."""
    failure = OSError("There is no address.")
    for number, address in enumerate(found):
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        opened = _PlainSocket(family, socket.SOCK_STREAM)
        try:
            opened.settimeout(_left(until) / (len(found) - number))
            opened.connect((str(address), port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            opened.close()
            failure = error
            continue
        opened.until = until
        return opened
    raise failure


def _exchange(
    connection: http.client.HTTPConnection, place: Place, body: bytes, headers: Mapping[str, str]
) -> HttpReply:
    """One request and the beginning of its answer; the connection is closed after it."""
    ours = {
        "Host": place.authority,
        "User-Agent": "Leadline",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    response = None
    try:
        connection.request("POST", place.target, body=body, headers={**headers, **ours})
        response = connection.getresponse()
        # Names that come twice are one list, as HTTP has it.
        told: dict[str, str] = {}
        for name, value in response.getheaders():
            name = name.lower()
            told[name] = f"{told[name]}, {value}" if name in told else value
        return HttpReply(response.status, told, response.read(LONGEST_BODY))
    finally:
        if response is not None:
            response.close()
        connection.close()


def _not_sent(host: str, error: Exception) -> DeliveryError:
    """What a failure means before the first byte of a message left."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionRefused(
            f"The TLS certificate of {host} is not valid: {error.verify_message}."
        )
    if isinstance(error, ssl.SSLError):
        return TryLater(f"{host} does not speak TLS as it should; nothing was sent.")
    if isinstance(error, TimeoutError):
        return TryLater(f"{host} could not be reached in time; nothing was sent.")
    return TryLater(f"{host} could not be reached; nothing was sent.")


def _not_confirmed(host: str, error: Exception) -> DeliveryError:
    """What a failure means once a message may have arrived."""
    if isinstance(error, TimeoutError):
        return OutcomeUnknown(f"{host} did not answer in time; the message may have arrived.")
    return OutcomeUnknown(f"{host} gave no proper answer; the message may have arrived.")
