"""Where an event may be sent: to public addresses by https, whatever is written and whatever a name leads to."""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from partners.webhooks.errors import AddressRefused, EndpointRefused

LONGEST_URL = 500
Resolve = Callable[..., Sequence[tuple[Any, ...]]]    # as socket.getaddrinfo
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter, so that no number in any notation is a name: 127.1, 2130706433, 0x7f.0.0.1, [::1].
_NAME = re.compile(rf"(?=.{{4,253}}$)(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")
_VISIBLE = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home.arpa")
_LOCALHOST = "localhost"
# Global by the registries, and yet never somebody's web server: tunnels that carry another address, relays, a cloud's own services.
_NEVER = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")))
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")    # what is mapped, translated (NAT64), local or multicast lies outside


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, taken apart and allowed."""

    is_encrypted: bool
    host: str
    port: int
    path: str    # with its query

    @property
    def authority(self) -> str:
        """What the Host header says."""
        usual = 443 if self.is_encrypted else 80
        return self.host if self.port == usual else f"{self.host}:{self.port}"


def target_of(url: str) -> Target:
    """The URL as somewhere to send to. Raises EndpointRefused with the reason; says nothing yet about where its name leads."""
    try:
        parts = urlsplit(url) if _VISIBLE.fullmatch(url) and len(url) <= LONGEST_URL else None
        port = parts.port if parts else None
    except ValueError:
        parts = port = None
    if parts is None:
        raise _refused(f"Write a URL such as https://hooks.example.com/vouch, of at most {LONGEST_URL} plain letters, digits and signs.")
    host, is_encrypted = (parts.hostname or "").lower(), parts.scheme == "https"
    if parts.username is not None or parts.password is not None or parts.fragment or "#" in url:
        raise _refused("Leave out user names, passwords and what follows #; the signature says who sends.")
    if host == _LOCALHOST and settings.WEBHOOKS_TO_LOCALHOST:
        return Target(is_encrypted, host, port or (443 if is_encrypted else 80), _path(parts.path, parts.query))
    if not is_encrypted:
        raise _refused("The URL has to begin with https://.")
    _check_name(host)
    if port is not None and port != 443 and port < 1024:
        raise _refused("Use port 443, or one from 1024 on.")
    return Target(True, host, port or 443, _path(parts.path, parts.query))


def _check_name(host: str) -> None:
    ours = settings.BASE_DOMAIN.lower()
    if not _NAME.fullmatch(host):
        raise _refused("Write the host's full name, such as hooks.example.com; addresses in numbers are not sent to.")
    if any(host == name or host.endswith(f".{name}") for name in (*_INSIDE, ours)):
        raise _refused("This host is inside a network; events are sent to public hosts only.")


def _path(path: str, query: str) -> str:
    return f"{path or '/'}{'?' if query else ''}{query}"


def _refused(sentence: str) -> EndpointRefused:
    return EndpointRefused(fields={"url": sentence})


def is_public(address: Address) -> bool:
    """Whether the address is one host of the public Internet: nothing private, local, shared, translated or reserved."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_V6:
        return False
    is_one = address.is_global and not (address.is_multicast or address.is_reserved or address.is_private or address.is_unspecified)
    return is_one and not any(address in network for network in _NEVER if network.version == address.version)


def addresses_of(target: Target, resolve: Resolve = socket.getaddrinfo) -> list[str]:
    """Every address that the name leads to now, each of them checked. Raises AddressRefused if one of them is not public, and OSError."""
    found = resolve(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    is_good = _is_own if target.host == _LOCALHOST else is_public
    try:
        all_good = bool(addresses) and all(is_good(ipaddress.ip_address(one)) for one in addresses)
    except ValueError:
        all_good = False
    if not all_good:
        raise AddressRefused
    return addresses


def _is_own(address: Address) -> bool:
    return address.is_loopback
