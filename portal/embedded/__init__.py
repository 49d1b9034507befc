"""The PostgreSQL and Redis that run under the state folder when no address of another is configured.

Each service has a keeper: a small process that starts it, starts it again when it dies, and stops it when the last
user has left. Users hold a shared file lock, which the kernel drops even after `kill -9`, so nothing is counted.
"""

import atexit
import os
from collections.abc import Mapping

from portal.embedded import postgres, redis
from portal.embedded.keeper import SERVICES
from portal.embedded.place import EmbeddedFault, home, local_secret, make_home
from portal.embedded.users import Lease

__all__ = ["EmbeddedFault", "database_url", "home", "local_secret", "make_home", "redis_url", "restart_dead_keepers", "start", "stop"]

database_url = postgres.url
redis_url = redis.url
_leases: dict[str, Lease] = {}


def start(environment: Mapping[str, str] = os.environ) -> None:
    """PostgreSQL and Redis answer: those named by DATABASE_URL and REDIS_URL, and embedded ones for those that are unset."""
    wanted = [SERVICES[name] for name, key in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL")) if not environment.get(key)]
    if not wanted:
        return
    make_home()
    for service in wanted:
        if service.name not in _leases:
            _leases[service.name] = Lease(service)
    for service in wanted:
        _leases[service.name].wait()
    os.environ.setdefault("DATABASE_URL", database_url())
    os.environ.setdefault("REDIS_URL", redis_url())


def restart_dead_keepers() -> None:
    """Every service this process uses has a keeper again."""
    for lease in _leases.values():
        lease.revive()


def stop() -> None:
    """This process uses the services no longer; they are down when it was the last one."""
    while _leases:
        _leases.popitem()[1].release()


atexit.register(stop)
