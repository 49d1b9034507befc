"""Decisions, policies, promotions and what was trained stay as they are: the database refuses to change them, whoever asks."""

from django.db import migrations

TABLES = ("scoring_decision", "scoring_promotion", "scoring_policy")

# Row by row and by value: Django writes unchanged columns too when it saves a new state.
TRAINED = """
CREATE TRIGGER trained_stays BEFORE UPDATE ON scoring_modelversion FOR EACH ROW
WHEN ((OLD.product_id, OLD.version, OLD.estimator, OLD.bundle, OLD.bundle_sha256)
      IS DISTINCT FROM (NEW.product_id, NEW.version, NEW.estimator, NEW.bundle, NEW.bundle_sha256))
EXECUTE FUNCTION audit_refuse_change()
"""


class Migration(migrations.Migration):
    dependencies = [("scoring", "0001_initial"), ("audit", "0002_append_only")]

    operations = [
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} EXECUTE FUNCTION audit_refuse_change()",
                f"DROP TRIGGER append_only ON {table}",
            )
            for table in TABLES
        ),
        migrations.RunSQL(TRAINED, "DROP TRIGGER trained_stays ON scoring_modelversion"),
    ]
