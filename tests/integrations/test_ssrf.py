"""No address that a person types or a name server answers leads into the operator's network."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

import pytest

from integrations.channels.base import AddressRefused
from integrations.errors import ConnectionRefused
from integrations.http import HttpDoor, is_private, system_addresses
from tests.integrations.conftest import Answering
from tests.integrations.peers import Peer, answers

OK = b"HTTP/1.1 200 OK\r\n\r\n"
PUBLIC = "93.184.216.34"
NAME = "hooks.example.com"

PRIVATE = """
0.0.0.0 0.255.255.255 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255
127.0.0.1 127.255.255.254 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1
192.0.0.9 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254
64:ff9b:1::127.0.0.1 64:ff9b:1::8.8.8.8 64:ff9b:2::1 100::1 2001::1 2001:0:7f00:1::
2001:10::1 2001:20::1 2001:1ff:ffff::1 2001:db8::1 2002:7f00:1:: 2002:a00:1::1 2002:808:808::1
3fff::1 3fff:fff:ffff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 fe80::1%eth0
febf::1 fec0::1 feff::1 ff00::1 ff02::1 ffff::1
""".split()

GLOBAL = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 126.255.255.255
128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0
192.0.3.0 192.88.98.1 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
::ffff:8.8.8.8 64:ff9b::8.8.8.8 2001:200::1 2001:4860:4860::8888 2606:4700::1111 2a00:1450::1
2003::1 3ffe::1
""".split()

# Texts for this machine, and for a name or a number with something in front, behind or within.
STRANGE = [
    "https://127.1/",
    "https://127.0.1/",
    "https://127.000.000.001/",
    "https://0x7f.1/",
    "https://0x7f.0.0.1/",
    "https://0x7f000001/",
    "https://0X7F000001/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.0.0.0x1/",
    "https://①②⑦.0.0.1/",
    "https://１２７.０.０.１/",
    "https://127。0。0。1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://127.0.0.1./",
    "https://127.0.0.1:443/",
    "https://%31%32%37.0.0.1/",
    "https://127%2e0%2e0%2e1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[fe80::1%25lo]/",
    "https://[::1%lo]/",
    "https://[v1.127]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://user@127.0.0.1/",
    f"https://{NAME}@127.0.0.1/",
    f"https://{NAME}:443@127.0.0.1/",
    f"https://127.0.0.1@{NAME}/",
    f"https://@{NAME}/",
    f"https://:@{NAME}/",
    f"https://user:password@{NAME}/",
    f"https://127.0.0.1\\@{NAME}/",
    f"https://{NAME}\\@127.0.0.1/",
    f"https://127.0.0.1#@{NAME}/",
    f"https://127.0.0.1?@{NAME}/",
    f"https://127.0.0.1;@{NAME}/",
    f"https://127.0.0.1\t@{NAME}/",
    f"https://127.0.0.1\n.{NAME}/",
    f"https://127.0.0.1\r\nHost: {NAME}/",
    f"https://{NAME}:22/",
    f"https://{NAME}:80/",
    f"https://{NAME}:6379/",
    f"https://{NAME}:99999/",
    f"https://{NAME}:-1/",
    f"https://{NAME}:443:22/",
    f"https://{NAME}\ud800/",
    f"https://{NAME}/a b",
    f"https://{NAME}/a\nb",
    f"https://{NAME}/a\0b",
    f"https://{NAME}/\\127.0.0.1",
    f"https://{NAME}/a\u2028b",
    f"https://{NAME}/a\udc00b",
    f"http://{NAME}/",
    f"HTTP://{NAME}/",
    "http://127.0.0.1/",
    f"ftp://{NAME}/",
    "file:///etc/passwd",
    f"gopher://{NAME}/_x",
    f"unix://{NAME}/",
    "javascript:alert(1)",
    "data:text/html,x",
    f"//{NAME}/",
    f"{NAME}/path",
    "https:///path",
    "https:",
    "https://",
    "https://.",
    "https://-/",
    "https://..example.com/",
    f"https://{'a' * 64}.example.com/",
    f"https://{'a.' * 130}com/",
    f"https://{NAME}/{'a' * 3000}",
    "",
    " ",
]


def resolving(*answers: Sequence[str]) -> tuple[list[str], HttpDoor]:
    """A door whose name server answers so, one time after the other, and what it was asked."""
    asked: list[str] = []
    waiting = list(answers)

    def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return asked, HttpDoor(resolve=resolve, https_ports=range(1, 65536), deadline=10)


def like_the_c_library(host: str) -> list[str]:
    """What this machine makes of a host, without asking anybody."""
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except OSError:
        return ["127.0.0.1"] if host.rstrip(".") == "localhost" else [PUBLIC]


def knock(door: HttpDoor, address: str) -> None:
    door.post(address, body=b"{}", headers={})


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_no_public_host_is_private(address: str) -> None:
    assert is_private(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", GLOBAL)
def test_an_address_of_the_public_internet_is_not(address: str) -> None:
    assert not is_private(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_there_is_refused_when_saved_and_when_sent(address: str) -> None:
    _, door = resolving([PUBLIC, address])

    with pytest.raises(AddressRefused, match="private or reserved") as saved:
        door.check(f"https://{NAME}/")
    with pytest.raises(ConnectionRefused, match="private or reserved") as sent:
        knock(door, f"https://{NAME}/")

    assert address not in str(saved.value) + sent.value.reason + sent.value.reply


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_strange_addresses_are_refused_in_a_sentence(text: str) -> None:
    door = HttpDoor(resolve=like_the_c_library, deadline=5)

    with pytest.raises(AddressRefused) as saved:
        door.check(text)
    with pytest.raises(ConnectionRefused) as sent:
        knock(door, text)

    assert str(saved.value).endswith(".") and "\n" not in str(saved.value)
    assert sent.value.reason == str(saved.value)


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        (" HTTPS://Hooks.Example.COM ", f"https://{NAME}/"),
        (f"https://{NAME}:443/A?b=C#d", f"https://{NAME}/A?b=C"),
        (f"https://{NAME}:8443/a%2Fb", f"https://{NAME}:8443/a%2Fb"),
        (f"https://{NAME}?a=@b", f"https://{NAME}/?a=@b"),
        (f"https://{NAME}/users/@me", f"https://{NAME}/users/@me"),
        (f"https://{NAME}/ä?ö=é", f"https://{NAME}/%C3%A4?%C3%B6=%C3%A9"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://my_host.example.com/", "https://my_host.example.com/"),
        (f"https://{PUBLIC}/", f"https://{PUBLIC}/"),
        ("https://[2606:4700:0::1]/", "https://[2606:4700::1]/"),
    ],
)
def test_a_good_address_is_kept_in_its_normal_form(address: str, normal: str) -> None:
    door = HttpDoor(resolve=lambda host: [PUBLIC])

    assert door.check(address) == normal
    assert door.check(normal) == normal


def test_a_name_that_cannot_be_found_now_is_judged_when_it_can() -> None:
    def resolve(host: str) -> list[str]:
        raise OSError("no name server")

    door = HttpDoor(resolve=resolve)

    assert door.check(f"https://{NAME}/") == f"https://{NAME}/"
    with pytest.raises(AddressRefused, match="Use https"):
        door.check(f"http://{NAME}/")
    with pytest.raises(AddressRefused, match="Use port 443 or 8443"):
        door.check(f"https://{NAME}:9000/")


def test_the_system_knows_this_machine_by_its_name() -> None:
    found = system_addresses("localhost")

    assert found and all(ipaddress.ip_address(one).is_loopback for one in found)
    with pytest.raises(AddressRefused, match="private or reserved"):
        HttpDoor().check("https://localhost/")


# Whoever rules the name server


def test_a_name_that_turns_private_after_the_check_reaches_nobody() -> None:
    asked, door = resolving([PUBLIC], ["127.0.0.1"])

    with Peer(answers(OK)) as canary:
        address = door.check(f"https://{NAME}:{canary.port}/")
        with pytest.raises(ConnectionRefused) as caught:
            knock(door, address)

        assert canary.connections == 0
    assert asked == [NAME] * 2
    assert "127.0.0.1" not in caught.value.reason


@pytest.mark.parametrize(
    "addresses",
    [
        *([PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], ["::ffff:127.0.0.1"]),
        *(["2606:4700::1111", "127.0.0.1"], ["0.0.0.0"], ["::"], ["::1", "127.0.0.1"]),
    ],
)
def test_one_private_address_among_public_ones_is_enough(addresses: list[str]) -> None:
    asked, door = resolving(addresses, [PUBLIC])

    with Peer(answers(OK)) as canary:
        with pytest.raises(ConnectionRefused, match="private or reserved"):
            knock(door, f"https://{NAME}:{canary.port}/")

        assert canary.connections == 0
    assert asked == [NAME]


def test_the_judged_address_is_the_one_connected_to() -> None:
    asked: list[str] = []
    with Peer(answers(OK)) as judged, Peer(answers(OK)) as canary:

        def resolve(host: str) -> list[str]:
            asked.append(host)
            return ["127.0.0.1" if len(asked) == 1 else "127.0.0.2"]

        door = HttpDoor(allowed_networks=["127.0.0.1/32"], resolve=resolve, deadline=10)
        knock(door, f"http://{NAME}:{judged.port}/")

        assert (judged.connections, canary.connections) == (1, 0)
        assert f"Host: {NAME}:{judged.port}\r\n".encode() in judged.requests[0]
    assert asked == [NAME]


# What the operator allows


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0"])
def test_what_the_c_library_takes_for_a_number_is_no_name_even_where_allowed(host: str) -> None:
    door = HttpDoor(allowed_networks=["0.0.0.0/0"], resolve=like_the_c_library)

    with pytest.raises(AddressRefused, match="Write the host as a name"):
        door.check(f"https://{host}/")


def test_an_allowed_network_is_open_to_plain_http_and_any_port(answering: Answering) -> None:
    door = HttpDoor(allowed_networks=("127.0.0.1",), deadline=10)

    knock(door, door.check(answering.url))

    assert len(answering.requests) == 1


@pytest.mark.parametrize(
    ("networks", "addresses", "address", "said"),
    [
        (["10.0.0.0/8"], ["10.1.2.3"], "http://crm/", None),
        (["10.0.0.0/8"], ["10.1.2.3"], "https://crm:9000/", None),
        (["10.0.0.0/8"], ["::ffff:10.1.2.3"], "https://crm/", None),
        (["10.1.2.3/8"], ["10.9.9.9"], "https://crm/", None),
        (["fd00::/8"], ["fd00::7"], "http://crm/", None),
        (["10.0.0.0/8"], ["10.1.2.3", PUBLIC], "https://crm/", None),
        (["10.0.0.0/8"], ["10.1.2.3", PUBLIC], "http://crm/", "Use https"),
        (["10.0.0.0/8"], ["10.1.2.3", PUBLIC], "https://crm:9000/", "Use port"),
        (["10.0.0.0/8"], ["10.1.2.3", "127.0.0.1"], "https://crm/", "private or reserved"),
        (["10.0.0.0/8"], ["192.168.0.1"], "https://crm/", "private or reserved"),
        (["10.0.0.0/8"], [PUBLIC], "http://crm/", "Use https"),
        (["10.0.0.0/8"], ["fd00::7"], "https://crm/", "private or reserved"),
        (["0.0.0.0/0"], ["169.254.169.254"], "http://crm/", None),
    ],
)
def test_only_what_the_operator_named_is_allowed(
    networks: list[str], addresses: list[str], address: str, said: str | None
) -> None:
    door = HttpDoor(allowed_networks=networks, resolve=lambda host: addresses)

    if said is None:
        assert door.check(address) == address
    else:
        with pytest.raises(AddressRefused, match=said):
            door.check(address)
