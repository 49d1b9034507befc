"""Sandboxes: a partner's products copied to where trials happen, and everything that trials left removed again (ADR 19)."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string
from psycopg import sql

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from partners.errors import NotASandbox
from partners.models import Partner
from partners.services import ensure_sandbox
from partners.tenancy import as_owner, current_schema, is_sandbox, tenant_context

# What a reset keeps, by how its tables begin: who may come in, the record and its keys, what products are, where events are sent.
KEPT = (
    "django_", "auth_", "accounts_", "mfa_", "audit_keyring", "audit_event", "audit_leaf", "audit_checkpoint",
    "audit_subtree", "audit_retentionpolicy",
    "audit_privacyterms", "webhooks_endpoint",
    "scoring_product", "scoring_modelversion", "scoring_policy", "scoring_promotion", "scoring_retrainingplan", "approvals_approvalpolicy",
    "approvals_noticesettings",
)  # fmt: skip


def refresh_sandbox(partner: Partner, *, actor: Actor) -> Partner:
    """The partner's sandbox has its products as they are now; made where there is none. Nothing but definitions crosses, one way.

    Raises PartnerRefused for a sandbox."""
    sandbox = ensure_sandbox(partner, actor=actor)
    with tenant_context(partner):
        found = [(write, read()) for read, write in _copies()]
    with tenant_context(sandbox), transaction.atomic():
        for write, what in found:
            write(what, actor)
        record(action=Action.SANDBOX_REFRESHED, actor=actor, object_kind="partner", object_id=sandbox.slug)
    return sandbox


def _copies() -> Iterator[tuple[Callable[[], Any], Callable[[Any, Actor], None]]]:
    """What the apps above give: they declare it as `sandbox_copy`, in the order in which they are installed: lower ones first."""
    for app in apps.get_app_configs():
        if names := getattr(app, "sandbox_copy", None):
            read, write = map(import_string, names)
            yield read, write


def reset_sandbox(*, actor: Actor) -> None:
    """The current sandbox holds no applicant, decision, application, job or delivery any more. Raises NotASandbox anywhere else."""
    schema = current_schema()
    if not is_sandbox(schema):
        raise NotASandbox
    with transaction.atomic():
        with as_owner(schema), connection.cursor() as cursor:
            _empty(cursor, schema)
        record(action=Action.SANDBOX_RESET, actor=actor, object_kind="partner", object_id=schema)
        transaction.on_commit(lambda: shutil.rmtree(Path(settings.VOUCH_HOME) / "files" / schema, ignore_errors=True))


def _empty(cursor: Any, schema: str) -> None:
    """One message; append-only tables let themselves be emptied by nobody, so their triggers rest until this transaction ends."""
    cursor.execute(
        "SELECT c.relname, EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) FROM pg_class c"
        " WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relkind = 'r' ORDER BY c.relname",
        [schema],
    )
    tables = [(sql.Identifier(schema, name), has_triggers) for name, has_triggers in cursor.fetchall() if not name.startswith(KEPT)]
    guarded = [table for table, has_triggers in tables if has_triggers]
    statements = [sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table) for table in guarded]
    statements.append(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.SQL(", ").join(table for table, _ in tables)))
    statements += [sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table) for table in guarded]
    cursor.execute(sql.SQL("; ").join(statements).as_string(connection.connection))
