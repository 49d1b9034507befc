"""System checks that refuse an unsafe start."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connection

from portal import embedded

SHORTEST_SECRET = 32


@register(Tags.security)
def production_is_safe(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Iterable[CheckMessage]:
    """VOUCH_ENV=production starts only with its own secrets, hosts and services, and without DEBUG."""
    return list(production_faults()) if settings.PRODUCTION else []


@register(Tags.database)
def database_is_durable(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Iterable[CheckMessage]:
    """A stored decision survives a power cut."""
    return list(database_faults()) if settings.PRODUCTION and kwargs.get("databases") else []


def refuse_unsafe_start() -> None:
    """In production, ends the process with one line per fault. Servers call it, since only commands run the system checks."""
    if not settings.PRODUCTION:
        return
    faults = list(production_faults())
    try:
        faults += database_faults()
    except DatabaseError:  # not reachable yet: /ready says so, and nothing can be stored meanwhile
        connection.close()
    if faults:
        sys.exit("\n".join(f"{fault.id}: {fault.msg} {fault.hint}" for fault in faults))


def production_faults() -> Iterable[CheckMessage]:
    """What stands against production in the settings, each with its fix."""
    if len(settings.SECRET_KEY) < SHORTEST_SECRET:
        yield Error("The secret key is shorter than 32 characters.", hint="Set VOUCH_SECRET_KEY or VOUCH_SECRET_KEY_FILE.", id="vouch.E001")
    if len(settings.ROOT_KEY) < SHORTEST_SECRET:
        yield Error("The root key is shorter than 32 characters.", hint="Set VOUCH_ROOT_KEY or VOUCH_ROOT_KEY_FILE.", id="vouch.E002")
    if settings.ROOT_KEY and settings.ROOT_KEY == settings.SECRET_KEY:
        yield Error("The root key is also the secret key.", hint="Make two: `openssl rand -hex 32`.", id="vouch.E003")
    if settings.DEBUG:
        yield Error("DEBUG is on.", hint="Unset VOUCH_DEBUG.", id="vouch.E004")
    if "*" in settings.ALLOWED_HOSTS:
        yield Error("Any host is allowed.", hint="Name your hosts in VOUCH_ALLOWED_HOSTS.", id="vouch.E005")
    if settings.BASE_DOMAIN == "localhost":
        yield Error("The base domain is localhost.", hint="Set VOUCH_BASE_DOMAIN to the domain above the partners' hosts.", id="vouch.E006")
    if not settings.TLS:
        yield Error("Cookies would travel without TLS.", hint="Unset VOUCH_TLS, or set it to 1.", id="vouch.E007")
    if embedded.database_url() == settings.DATABASE_URL:
        yield Error("There is no database of your own.", hint="Set DATABASE_URL.", id="vouch.E008")
    if embedded.redis_url() == settings.REDIS_URL:
        yield Error("There is no Redis of your own.", hint="Set REDIS_URL.", id="vouch.E009")


def database_faults() -> Iterable[CheckMessage]:
    """What would let the database forget an acknowledged decision, or let the login pass a fence. Raises DatabaseError when it is away."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),"
            " (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user)"
        )
        fsync, full_pages, commit, is_superuser = cursor.fetchone()
    if fsync != "on" or full_pages != "on":
        yield Error("The database would lose decisions in a power cut.", hint="Set fsync = on and full_page_writes = on.", id="vouch.E010")
    if commit in {"off", "local"}:
        yield Error("The database answers before it has stored.", hint="Set synchronous_commit = on.", id="vouch.E011")
    if is_superuser:
        yield Error("The login may pass every fence.", hint="Use a login that is NOSUPERUSER, NOBYPASSRLS, NOINHERIT.", id="vouch.E012")
