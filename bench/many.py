"""Many decisions and applications for a partner of the demo, each with an applicant of its own, sealed as the real ones are.

`python -m bench.many SLUG ROWS` where VOUCH_HOME's PostgreSQL runs: copies of the demo's, spread over half a year, the newest now.
`python -m bench.many SLUG what-if` tries another policy over the newest of them, and prints JSON."""

import itertools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

AT_ONCE = 50_000
_SPAN = timedelta(days=180)
# One in 250 waits; of those that are over one in a hundred owes a letter; one in 50,000 was answered by the rules.
_STATE = """CASE WHEN g % 250 < 1 THEN (ARRAY['new', 'in_review', 'needs_information'])[1 + g / 250 % 3]
    WHEN g % 50 < 30 THEN 'approved' WHEN g % 50 < 45 THEN 'declined' WHEN g % 50 < 48 THEN 'withdrawn' ELSE 'expired' END"""
_FILL = {
    "scoring_applicant": """
        INSERT INTO scoring_applicant (id, data_key_id, wrapped_key, sealed_profile, phone_index, created_at)
        SELECT applicant, key, wrapped, profile, substr(sha256(g::text::bytea), 1, 16), at FROM put""",
    "scoring_decision": """
        INSERT INTO scoring_decision (
            id, created_at, applicant_id, product_id, model_version_id, policy_id, revision, probability, score, band, outcome,
            answered_by, sealed, channel, actor_kind, actor_id, request_id, processing_microseconds
        )
        SELECT decision, at, applicant, product_id, CASE WHEN g % 50000 > 0 THEN model_version_id END, policy_id, revision, probability,
            score, band, outcome, CASE WHEN g % 50000 > 0 THEN 'model' ELSE 'rules' END, put.sealed, 'api', actor_kind, actor_id, '',
            processing_microseconds
        FROM put JOIN scoring_decision told ON told.id = put.template""",
    "scoring_outcome": """
        INSERT INTO scoring_outcome (
            id, decision_id, kind, value, currency, observed_on, recorded_at, source, actor_kind, actor_id, actor_label
        )
        SELECT md5('o' || g)::uuid, decision, CASE WHEN g % 40 > 0 THEN 'repaid' ELSE 'defaulted' END, (g % 40 = 0)::int, '', at::date,
            at, 'api', 'system', '', '' FROM put WHERE g % 4 = 0""",
    "approvals_application": f"""
        INSERT INTO approvals_application (
            id, number, product_id, applicant_id, decision_id, band, outcome, policy_id, amount_minor, currency, state, because, channel,
            priority, tags, assigned_to_id, due_at, expires_at, notice_due_at, notice_sent_at, created_at, created_by_kind, created_by_id,
            created_by, request_id, decided_at, revision
        )
        SELECT md5('a' || g)::uuid, upper(substr(hex, 1, 4) || '-' || substr(hex, 5)), told.product_id, applicant, decision, told.band,
            told.outcome, (SELECT id FROM approvals_approvalpolicy LIMIT 1), 1000 * (1 + g::bigint * 7919 % 500000),
            (SELECT currency FROM approvals_application LIMIT 1), state, CASE WHEN g % 5 = 0 THEN 'referred' ELSE '' END, 'api',
            (g % 5000 = 0)::int,
            CASE WHEN g % 1000 = 7 THEN '["visit"]' WHEN g % 3 = 0 THEN '["second-loan"]' ELSE '[]' END::jsonb,
            CASE WHEN g % 7 < 2 THEN (SELECT id FROM accounts_user WHERE role = 'admin' LIMIT 1) END,
            at + interval '2 days', at + interval '400 days', at + interval '30 days',
            CASE WHEN g % 100 <> 31 THEN at + interval '1 day' END, at, 'system', '', '', '',
            CASE WHEN state NOT IN ('new', 'in_review', 'needs_information') THEN at + interval '1 hour' * (g % 50) END, 1
        FROM (SELECT *, lpad(to_hex(g), 8, '0') AS hex, {_STATE} AS state FROM put) put
        JOIN scoring_decision told ON told.id = put.template""",
    "approvals_review": """
        INSERT INTO approvals_review (
            id, application_id, revision, move, from_state, to_state, actor_kind, actor_id, actor, reason_code, at
        )
        SELECT md5('r' || g)::uuid, md5('a' || g)::uuid, 1, CASE WHEN g % 50 < 30 THEN 'approve' ELSE 'decline' END, 'in_review',
            CASE WHEN g % 50 < 30 THEN 'approved' ELSE 'declined' END, 'user', '', '', 'other', at
        FROM put WHERE g % 5 = 0 AND g % 50 BETWEEN 1 AND 44""",
    "approvals_secondopinion": """
        INSERT INTO approvals_secondopinion (
            id, application_id, move, because, reason_code, proposed_by_id, proposed_at, expires_at, state
        )
        SELECT md5('s' || g)::uuid, md5('a' || g)::uuid, 'approve', '[]', 'other',
            (SELECT id FROM accounts_user WHERE role = 'officer' LIMIT 1), at, at + interval '400 days', 'open'
        FROM put WHERE g % 5000 = 250""",
    "scoring_batch": """
        INSERT INTO scoring_batch (
            id, kind, product_id, name, size, digest, columns, columns_digest, mapping, created_by, created_at
        )
        SELECT md5('b' || g)::uuid, 'applicants', (SELECT id FROM scoring_product LIMIT 1), 'march-' || g || '.csv', 1000, '', '[]', '',
            '{}', '', at
        FROM put WHERE g % 100 = 0""",
}  # fmt: skip


def main() -> None:
    """Fills the partner's tables, and counts what the scheduler would have counted by then; or tries a policy."""
    slug, asked = sys.argv[1:]
    import django

    from portal import embedded

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    embedded.start()
    django.setup()
    from partners.models import Partner
    from partners.tenancy import public_context, tenant_context

    with public_context():
        partner = Partner.objects.get(slug=slug)
    with tenant_context(partner):
        print(json.dumps(_tried() if asked == "what-if" else _filled(partner, int(asked))))


def _filled(partner: Any, rows: int) -> dict[str, Any]:
    """What is counted, and what a client sends to be decided."""
    from bench.site import PATH, postgres_socket
    from portal import demo
    from portal.approvals.services.figures import count_months
    from scoring.engine.synthetic import market_loans
    from scoring.services.figures import roll_up_hours

    fill(postgres_socket(os.environ), partner.schema_name, rows)
    hours = 0
    while counted := roll_up_hours():
        hours += counted
    inputs = {name: value for name, value in market_loans(1, seed=99)[0].items() if name not in demo.NOT_INPUTS}
    key = json.loads(demo.path().read_text())[partner.slug]["api_key"]
    headers = {"Host": f"{partner.slug}.localhost", "X-API-Key": key}
    request = {"path": PATH, "headers": headers, "body": {"product": demo.PRODUCT, "inputs": inputs}}
    return {"hours": hours, "months": count_months(), "request": request}


def _tried() -> dict[str, float]:
    """Twice: what is read the first time is at hand the second time, as where somebody tries one cut-off after the other."""
    from portal.demo import PRODUCT
    from scoring import registry
    from scoring.engine.what_if import Terms
    from scoring.services.what_if import what_if

    policy = registry.current(PRODUCT).policy
    policy = replace(policy, approve_from=policy.approve_from + 20)
    since = datetime.now(UTC) - 2 * _SPAN
    found = [what_if(product_slug=PRODUCT, policy=policy, since=since, terms=Terms(), amount="loan_amount") for _ in range(2)]
    return {"opened": found[1].opened, "first": found[0].seconds, "seconds": found[1].seconds}


def fill(host: str, schema: str, rows: int) -> None:
    """`rows` more of each, with statistics as a server has them that has run for a while."""
    with psycopg.connect(host=host, user="postgres", dbname="vouch", autocommit=True) as connection:
        for setting in ("session_replication_role = replica", "synchronous_commit = off"):
            connection.execute(f"SET {setting}")  # type: ignore[arg-type,unused-ignore] # what is copied keeps to the foreign keys
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        connection.execute(
            "CREATE TEMP TABLE put (g int, at timestamptz, applicant uuid, key uuid, wrapped bytea, profile bytea, decision uuid, "
            "sealed bytea, template uuid)"
        )
        made = _sealed(rows)
        while part := list(itertools.islice(made, AT_ONCE)):
            _put(connection, part)
        for table in _FILL:
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))
        connection.execute("CHECKPOINT")


def _put(connection: psycopg.Connection[Any], part: Sequence[tuple[Any, ...]]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE put")
        with cursor.copy("COPY put FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "timestamptz", "uuid", "uuid", "bytea", "bytea", "uuid", "bytea", "uuid"])
            for row in part:
                copy.write_row(row)
        cursor.execute("ANALYZE put")
        for fill_table in _FILL.values():
            cursor.execute(fill_table)  # type: ignore[arg-type,unused-ignore] # written above


def _sealed(rows: int) -> Iterator[tuple[Any, ...]]:
    """What no statement can make: applicants' keys, and what is sealed under them."""
    import msgspec

    from audit.ids import uuid7
    from audit.vault import keyring
    from scoring.applicants import TABLE, details_of, key_of
    from scoring.models import Decision
    from scoring.sealed import open_content, seal_content

    ring, told = keyring(), []
    for one in Decision.objects.select_related("applicant").order_by("id"):
        key, details = key_of(ring, one.applicant), details_of(ring, one.applicant)
        assert key is not None
        assert details is not None
        told.append((one.id, details, open_content(ring, key, one)))
    begin, step = datetime.now(UTC) - _SPAN, _SPAN / rows
    for g, (template, details, content) in zip(range(1, rows + 1), itertools.cycle(told), strict=False):
        reference = f"{details.reference}-{g}"
        at, applicant, key, decision = begin + step * g, ring.applicant_id(reference), ring.new_data_key(), uuid7()
        profile = msgspec.json.encode(msgspec.structs.replace(details, reference=reference))
        yield (
            g, at, applicant, key.id, ring.wrap(key, owner=applicant),
            ring.seal(key, profile, table=TABLE, column="sealed_profile", owner=applicant), decision,
            seal_content(ring, key, decision, content), template,
        )  # fmt: skip


if __name__ == "__main__":
    main()
