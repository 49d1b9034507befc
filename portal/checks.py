"""System checks that refuse an unsafe start."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection

from audit.errors import DomainError, RootKeyMissing
from audit.root import root_keys
from audit.vault import check_keyring
from partners.models import Partner
from partners.tenancy import as_login, public_context, tenant_context
from portal import embedded

SHORTEST_SECRET = 32
MOST_LINES = 3


@register(Tags.security)
def production_is_safe(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Iterable[CheckMessage]:
    """VOUCH_ENV=production starts only with its own secrets, hosts and services, and without DEBUG."""
    return [*production_faults(), *production_doubts()] if settings.PRODUCTION else []


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
        faults += keyring_faults(Partner.objects.exclude(schema_name="public").order_by("created_at")[:1])
    except DatabaseError:  # not reachable yet: /ready says so, and nothing can be stored meanwhile
        connection.close()
    if faults:
        sys.exit("\n".join(f"{fault.id}: {fault.msg} {fault.hint}" for fault in faults))


def production_faults() -> Iterable[CheckMessage]:
    """What stands against production in the settings, each with its fix."""
    if len(settings.SECRET_KEY) < SHORTEST_SECRET:
        yield Error("The secret key is shorter than 32 characters.", hint="Set VOUCH_SECRET_KEY or VOUCH_SECRET_KEY_FILE.", id="vouch.E001")
    try:
        root_keys()
    except RootKeyMissing:
        hint = "Set VOUCH_ROOT_KEY or VOUCH_ROOT_KEY_FILE; `openssl rand -hex 32` makes one."
        yield Error("The root key is not 32 bytes as hex or base64.", hint=hint, id="vouch.E002")
    if settings.ROOT_KEY and settings.ROOT_KEY == settings.SECRET_KEY:
        yield Error("The root key is also the secret key.", hint="Make two: `openssl rand -hex 32`.", id="vouch.E003")
    yield from _habits_of_development()
    if "*" in settings.ALLOWED_HOSTS:
        yield Error("Any host is allowed.", hint="Name your hosts in VOUCH_ALLOWED_HOSTS.", id="vouch.E005")
    if settings.BASE_DOMAIN == "localhost":
        yield Error("The base domain is localhost.", hint="Set VOUCH_BASE_DOMAIN to the domain above the partners' hosts.", id="vouch.E006")
    if not settings.TLS:
        yield Error("Cookies would travel without TLS.", hint="Unset VOUCH_TLS, or set it to 1.", id="vouch.E007")
    yield from _faults_of_services()


def _faults_of_services() -> Iterable[CheckMessage]:
    if settings.WEBHOOKS_TO_LOCALHOST:
        yield Error("Events could be sent to this machine's own services.", hint="Unset VOUCH_WEBHOOKS_TO_LOCALHOST.", id="vouch.E016")
    if embedded.database_url() == settings.DATABASE_URL:
        yield Error("There is no database of your own.", hint="Set DATABASE_URL.", id="vouch.E008")
    if embedded.redis_url() == settings.REDIS_URL:
        yield Error("There is no Redis of your own.", hint="Set REDIS_URL.", id="vouch.E009")


def _habits_of_development() -> Iterable[CheckMessage]:
    if settings.DEBUG:
        yield Error("DEBUG is on.", hint="Unset VOUCH_DEBUG.", id="vouch.E004")
    if not settings.SECOND_FACTOR_REQUIRED:
        yield Error("People would sign in without a second factor.", hint="Unset VOUCH_RELAXED_SIGN_IN: it is for demos.", id="vouch.E016")


def production_doubts() -> Iterable[CheckMessage]:
    """What is nearly always wrong in production, and right in a few places."""
    if settings.TLS and not settings.TRUSTED_PROXIES:
        yield Warning(
            "No proxy is trusted, so behind one that ends TLS nobody can sign in, and every caller has the proxy's address.",
            hint="Set VOUCH_TRUSTED_PROXIES=1, and let the proxy pass Host and set X-Forwarded-Proto and X-Forwarded-For.", id="vouch.W001",
        )  # fmt: skip


def refuse_wrong_keys() -> None:
    """Ends the process when the root key opens no partner's keys: every decision would fail. What it does not open is told."""
    partners = list(Partner.objects.exclude(schema_name="public").order_by("slug"))
    faults = list(keyring_faults(partners))
    lines = [f"{fault.id}: {fault.msg} {fault.hint}" for fault in faults[:MOST_LINES]]
    if len(faults) > MOST_LINES:
        lines.append(f"The same is true of {len(faults) - MOST_LINES} more partners.")
    if lines and len(faults) == len(partners):
        sys.exit("\n".join(lines))
    for line in lines:
        sys.stderr.write(f"{line}\n")


def keyring_faults(partners: Iterable[Partner]) -> Iterator[CheckMessage]:
    """Those of the partners whose keys the root key does not open. Raises DatabaseError when it is away."""
    with public_context():
        found = list(partners)
    for partner in found:
        try:
            with tenant_context(partner):
                check_keyring()
        except DomainError as error:
            hint = "Give back the root key of that time: VOUCH_ROOT_KEY, or <home>/keys/root."
            yield Error(f"{partner.slug}: {error}", hint=hint, id="vouch.E013")


def database_faults() -> Iterable[CheckMessage]:
    """What would let the database forget an acknowledged decision, let the login pass a fence, or keep it from its work.

    Raises DatabaseError when it is away."""
    with as_login(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),"
            " rolsuper OR rolbypassrls, rolcreaterole, pg_has_role(session_user, datdba, 'USAGE'), session_user, datname"
            " FROM pg_roles, pg_database WHERE rolname = session_user AND datname = current_database()"
        )
        fsync, full_pages, commit, is_superuser, makes_roles, is_owner, login, database = cursor.fetchone()
    if fsync != "on" or full_pages != "on":
        yield Error("The database would lose decisions in a power cut.", hint="Set fsync = on and full_page_writes = on.", id="vouch.E010")
    if commit in {"off", "local"}:
        yield Error("The database answers before it has stored.", hint="Set synchronous_commit = on.", id="vouch.E011")
    if is_superuser:
        yield Error("The login may pass every fence.", hint="Use a login that is NOSUPERUSER, NOBYPASSRLS, NOINHERIT.", id="vouch.E012")
        return
    if not makes_roles:
        yield Error("The login cannot make the partners' roles.", hint=f"ALTER ROLE {login} CREATEROLE;", id="vouch.E014")
    if not is_owner:
        yield Error("The database is not the login's own.", hint=f"ALTER DATABASE {database} OWNER TO {login};", id="vouch.E015")
