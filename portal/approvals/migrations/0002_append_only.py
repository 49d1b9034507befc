"""Reviews, notes and approval policies stay as they are, and so does an answered proposal; tags are found by an index."""

from django.db import migrations

TABLES = ("approvals_review", "approvals_note", "approvals_approvalpolicy")

# By value: Django writes unchanged columns too when it saves an answer.
PROPOSED = """
CREATE TRIGGER proposed_stays BEFORE UPDATE ON approvals_secondopinion FOR EACH ROW
WHEN (OLD.state <> 'open' OR (OLD.application_id, OLD.move, OLD.reason_code, OLD.offered_minor, OLD.proposed_by_id, OLD.proposed_at)
      IS DISTINCT FROM (NEW.application_id, NEW.move, NEW.reason_code, NEW.offered_minor, NEW.proposed_by_id, NEW.proposed_at))
EXECUTE FUNCTION audit_refuse_change()
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial"), ("audit", "0002_append_only")]

    operations = [
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} EXECUTE FUNCTION audit_refuse_change()",
                f"DROP TRIGGER append_only ON {table}",
            )
            for table in TABLES
        ),
        migrations.RunSQL(PROPOSED, "DROP TRIGGER proposed_stays ON approvals_secondopinion"),
        migrations.RunSQL(
            "CREATE TRIGGER proposed_is_kept BEFORE DELETE OR TRUNCATE ON approvals_secondopinion EXECUTE FUNCTION audit_refuse_change()",
            "DROP TRIGGER proposed_is_kept ON approvals_secondopinion",
        ),
        migrations.RunSQL(
            "CREATE INDEX application_by_tag ON approvals_application USING gin (tags jsonb_path_ops)", "DROP INDEX application_by_tag"
        ),
    ]
