"""Where events may be sent: what is written, what a name leads to, and what cannot be reached by any notation."""

import ipaddress
import socket
from typing import Any

import pytest

from partners.webhooks.errors import AddressRefused, EndpointRefused
from partners.webhooks.targets import Target, addresses_of, is_public, target_of

PUBLIC = "93.184.216.34"
REFUSED_ADDRESSES = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "168.63.129.16", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", f"::ffff:{PUBLIC}", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::1", "3fff::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "5f00::1",
]  # fmt: skip


def found(*addresses: str) -> Any:
    """A resolver that knows these addresses."""

    def resolve(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    return resolve


def faults(url: str) -> str:
    with pytest.raises(EndpointRefused) as refusal:
        target_of(url)
    return refusal.value.fields["url"]


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_what_is_not_public_is_never_sent_to(address: str) -> None:
    target = target_of("https://hooks.example.com/")

    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(AddressRefused):
        addresses_of(target, found(address))
    with pytest.raises(AddressRefused):
        addresses_of(target, found(PUBLIC, address))


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"])
def test_a_public_address_is_sent_to(address: str) -> None:
    assert addresses_of(target_of("https://hooks.example.com/"), found(address, address)) == [address]


def test_a_name_that_leads_nowhere_or_to_nonsense_is_refused() -> None:
    for answer in (found(), found("not an address")):
        with pytest.raises(AddressRefused):
            addresses_of(target_of("https://hooks.example.com/"), answer)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0", "1.1.1.1", "[::1]",
        "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254", "localhost", "router", "a.0x7f", "a.1", "hooks.example.com.",
        "localhost.", "-a.example.com", "a..example.com", "a_b.example.com", "%31%32%37.0.0.1", "\uff11\uff12\uff17.0.0.1",
        "x" * 64 + ".com",
    ],
)  # fmt: skip
def test_only_a_full_name_is_a_host(host: str) -> None:
    assert faults(f"https://{host}/hook")


@pytest.mark.parametrize("host", ["app.localhost", "printer.local", "metadata.google.internal", "nas.lan", "x.home.arpa"])
def test_names_of_inner_networks_are_refused(host: str) -> None:
    assert "inside a network" in faults(f"https://{host}/")


def test_the_portal_does_not_call_itself(settings: Any) -> None:
    settings.BASE_DOMAIN = "vouch.example"

    assert "inside a network" in faults("https://umoja.vouch.example/api/v1/scores")
    assert target_of("https://notvouch.example/").host == "notvouch.example"


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.com", "//hooks.example.com/", "http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd",
        "gopher://hooks.example.com/", "javascript:alert(1)", "https:///x", "https://user@hooks.example.com/", "https://user:p@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/", "https://hooks.example.com/#x", "https://hooks.example.com/#", "https://hooks.example.com:0/",
        "https://hooks.example.com:22/", "https://hooks.example.com:99999/", "https://hooks.example.com:x/", "https://hooks.example.com\\@evil.com/",
        "https://hooks.example.com/a b", "https://hooks.example.com/\r\nHost: x", "https://hooks.ex\tample.com/", "https://hooks.example.com/é",
        "https://hooks.example.com/" + "a" * 500, "https://[::1/", "https://hooks.example.com/\x00",
    ],
)  # fmt: skip
def test_a_url_with_a_trick_in_it_is_refused(url: str) -> None:
    assert faults(url)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Hooks.Example.com", Target(True, "hooks.example.com", 443, "/")),
        ("https://hooks.example.com:8443/vouch?team=a%20b", Target(True, "hooks.example.com", 8443, "/vouch?team=a%20b")),
        ("https://xn--bcher-kva.example/x", Target(True, "xn--bcher-kva.example", 443, "/x")),
        ("https://10.example.com/", Target(True, "10.example.com", 443, "/")),
    ],
)
def test_a_plain_https_url_is_a_target(url: str, target: Target) -> None:
    assert target_of(url) == target


def test_localhost_is_for_trials_only_and_leads_only_to_itself(settings: Any) -> None:
    settings.WEBHOOKS_TO_LOCALHOST = True
    target = target_of("http://localhost:9000/hook")

    assert target == Target(False, "localhost", 9000, "/hook")
    assert addresses_of(target, found("127.0.0.1", "::1")) == ["127.0.0.1", "::1"]
    with pytest.raises(AddressRefused):
        addresses_of(target, found("10.0.0.1"))
    assert faults("http://127.0.0.1:9000/")
    assert faults("http://hooks.example.com/")
    settings.WEBHOOKS_TO_LOCALHOST = False
    assert faults("http://localhost:9000/hook")
    assert faults("https://localhost/hook")
