"""The addresses of PostgreSQL and Redis and the names of hosts: taken apart, or refused in one line that repeats no password."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from portal.env import BadSetting

_PERCENT = "Special characters of a password are percent-encoded: @ as %40, / as %2F, [ as %5B, # as %23, ? as %3F."
_POSTGRES = f"Write postgresql://login:password@host:5432/database. {_PERCENT}"
_REDIS = f"Write redis://host:6379/0, rediss://... or unix:///path/to/socket. {_PERCENT}"
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


@dataclass(frozen=True)
class PostgresAddress:
    """DATABASE_URL in its parts."""

    name: str
    user: str
    password: str
    host: str
    port: str
    options: dict[str, str]


def postgres_address(url: str) -> PostgresAddress:
    """The parts of a DATABASE_URL. Raises BadSetting."""
    parts = _split("DATABASE_URL", url, _POSTGRES)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise BadSetting("DATABASE_URL", f"must begin with postgresql://. {_POSTGRES}")
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise BadSetting("DATABASE_URL", f"names no database. {_POSTGRES}")
    if "/" in name or "@" in name or parts.fragment:
        raise BadSetting("DATABASE_URL", f"cannot be read. {_POSTGRES}")
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    host = query.pop("host", "") or unquote(parts.hostname or "")
    port = str(parts.port or query.pop("port", ""))
    return PostgresAddress(name, unquote(parts.username or ""), unquote(parts.password or ""), host, port, query)


def redis_address(url: str) -> str:
    """The REDIS_URL as it is. Raises BadSetting."""
    parts = _split("REDIS_URL", url, _REDIS)
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise BadSetting("REDIS_URL", f"names no socket. {_REDIS}")
        return url
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        raise BadSetting("REDIS_URL", f"must begin with redis://, rediss:// or unix://, and name a host. {_REDIS}")
    if not re.fullmatch(r"/?[0-9]{0,4}", parts.path) or parts.fragment:
        raise BadSetting("REDIS_URL", f"must end with the number of a database. {_REDIS}")
    return url


def _split(name: str, url: str, form: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # its text would show a part of the password
        raise BadSetting(name, f"cannot be read. {form}") from None
    return parts


def host_name(name: str, value: str) -> str:
    """A bare host name in small letters. Raises BadSetting."""
    host = value.lower()
    if not _HOST.fullmatch(host):
        raise BadSetting(name, f"is {value!r}; write a bare host name such as vouch.example, without http://, port, path or leading dot.")
    return host


def allowed_hosts(name: str, values: Iterable[str]) -> list[str]:
    """Host names, addresses, names with a leading dot for all below them, or *. Raises BadSetting."""
    return [value if value == "*" or _is_address(value) else _allowed(name, value) for value in values]


def _allowed(name: str, value: str) -> str:
    if not _HOST.fullmatch(value.lower().removeprefix(".")):
        raise BadSetting(name, f"holds {value!r}; write host names such as vouch.example or .vouch.example, separated by commas.")
    return value.lower()


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
