"""The PostgreSQL and Redis that run under the state folder when no address of another is configured.

Each service has a keeper: a small process that starts it, starts it again when it dies, and stops it when the last
user has left. Users hold a shared file lock, which the kernel drops even after `kill -9`, so nothing is counted.
"""

import atexit
import os
from collections.abc import Mapping
from pathlib import Path

import psycopg

from portal.embedded import place, postgres, redis
from portal.embedded.keeper import SERVICES
from portal.embedded.place import EmbeddedFault, home, make_home
from portal.embedded.users import Lease

__all__ = [
    "EmbeddedFault", "attempt", "database_url", "home", "kept_secret", "local_secret", "make_home", "met", "redis_url",
    "restart_dead_keepers", "start", "stop",
]  # fmt: skip

ADDRESSES = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}
database_url = postgres.url
redis_url = redis.url
met: list[EmbeddedFault] = []  # what stood against the last start
_leases: dict[str, Lease] = {}


def start(environment: Mapping[str, str] = os.environ) -> None:
    """As `attempt`. Raises the first EmbeddedFault."""
    attempt(environment)
    if met:
        raise met[0]


def attempt(environment: Mapping[str, str] = os.environ) -> list[EmbeddedFault]:
    """PostgreSQL and Redis answer: those named by DATABASE_URL and REDIS_URL (or their _FILE forms), and embedded ones for what is unset.

    The root key is there too, where it is kept in the state folder. Returns what stood against it."""
    met.clear()
    wanted = [service for service, name in ADDRESSES.items() if not _is_given(name, environment)]
    try:
        if wanted and _is_production(environment):
            names = " and ".join(ADDRESSES[service] for service in wanted)
            raise EmbeddedFault("VOUCH_ENV=production runs no embedded PostgreSQL or Redis.", f"Set {names}.", part=wanted[0])
        if wanted:
            make_home()
            _lease(wanted)
        if not met:
            _have_root_key(environment, is_embedded="postgres" in wanted)
    except EmbeddedFault as fault:
        met.append(fault)
    return met


def _lease(wanted: list[str]) -> None:
    for name in wanted:
        if name not in _leases:
            _leases[name] = Lease(SERVICES[name])
    for name in wanted:
        try:
            _leases[name].wait()
        except EmbeddedFault as fault:
            met.append(fault)
        else:
            os.environ.setdefault(ADDRESSES[name], SERVICES[name].url())


def _have_root_key(environment: Mapping[str, str], *, is_embedded: bool) -> None:
    """A new installation gets a root key. Where partners have keys already, another root key would open none of them."""
    if _is_production(environment) or _is_given("VOUCH_ROOT_KEY", environment) or kept_secret("root"):
        return
    try:
        address = database_url() if is_embedded else _given("DATABASE_URL", environment)
        with psycopg.connect(address, connect_timeout=2) as connection:
            row = connection.execute("SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'audit_keyring' AND relkind = 'r')").fetchone()
    except (psycopg.Error, OSError, ValueError):  # whatever needs the database says so
        return
    if row is not None and row[0]:
        path = home() / "keys" / "root"
        raise EmbeddedFault(f"The root key {path} is missing, and the database holds keys that only it opens.",
                            "Put it back from its backup, or set VOUCH_ROOT_KEY.", part="keys")  # fmt: skip
    place.local_secret("root")


def kept_secret(name: str) -> str:
    """The secret kept under the state folder, empty when there is none. Raises EmbeddedFault, unless the last start has said enough."""
    try:
        return place.kept_secret(name)
    except EmbeddedFault:
        if met:
            return ""
        raise


def local_secret(name: str) -> str:
    """A secret kept under the state folder, made once. Where the last start met a fault, and only its report is wanted, any will do."""
    return kept_secret(name) or (os.urandom(32).hex() if met else place.local_secret(name))


def restart_dead_keepers() -> None:
    """Every service this process uses has a keeper again."""
    for lease in _leases.values():
        lease.revive()


def stop() -> None:
    """This process uses the services no longer; they are down when it was the last one."""
    while _leases:
        _leases.popitem()[1].release()


def _is_production(environment: Mapping[str, str]) -> bool:
    return environment.get("VOUCH_ENV", "").strip().lower() == "production"


def _is_given(name: str, environment: Mapping[str, str]) -> bool:
    return any(environment.get(form, "").strip() for form in (name, f"{name}_FILE"))


def _given(name: str, environment: Mapping[str, str]) -> str:
    path = environment.get(f"{name}_FILE", "").strip()
    return Path(path).read_text(encoding="utf-8").strip() if path else environment.get(name, "").strip()


atexit.register(stop)
