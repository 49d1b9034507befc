"""A product's revision goes up with every change of what is in force, and what each revision meant is kept; by the database itself."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

COUNT = """
CREATE FUNCTION scoring_count_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + CASE
        WHEN (NEW.definition, NEW.champion_id, NEW.policy_id) IS DISTINCT FROM (OLD.definition, OLD.champion_id, OLD.policy_id) THEN 1
        ELSE 0 END;
    RETURN NEW;
END
$$;
CREATE TRIGGER count_revision BEFORE UPDATE ON scoring_product FOR EACH ROW EXECUTE FUNCTION scoring_count_revision();
"""

KEEP = """
CREATE FUNCTION scoring_keep_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.scoring_productrevision (id, product_id, revision, definition, champion_id, policy_id, began_at)'
                   ' VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, statement_timestamp())', TG_TABLE_SCHEMA)
        USING NEW.id, NEW.revision, NEW.definition, NEW.champion_id, NEW.policy_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_first_revision AFTER INSERT ON scoring_product FOR EACH ROW EXECUTE FUNCTION scoring_keep_revision();
CREATE TRIGGER keep_revision AFTER UPDATE ON scoring_product FOR EACH ROW WHEN (OLD.revision <> NEW.revision)
EXECUTE FUNCTION scoring_keep_revision();
"""

UNDO = """
DROP TRIGGER count_revision ON scoring_product;
DROP TRIGGER keep_first_revision ON scoring_product;
DROP TRIGGER keep_revision ON scoring_product;
DROP FUNCTION scoring_count_revision();
DROP FUNCTION scoring_keep_revision();
"""


class Migration(migrations.Migration):
    dependencies = [("scoring", "0002_append_only")]

    operations = [
        migrations.CreateModel(
            name="ProductRevision",
            fields=[
                ("id", models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("revision", models.PositiveIntegerField()),
                ("definition", models.JSONField()),
                ("began_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("champion", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="scoring.modelversion")),
                ("policy", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="scoring.policy")),
                ("product", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="revisions", to="scoring.product")),
            ],
            options={
                "ordering": ["-revision"],
                "constraints": [models.UniqueConstraint(fields=("product", "revision"), name="productrevision_one_number")],
            },
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scoring_productrevision EXECUTE FUNCTION audit_refuse_change()",
            "DROP TRIGGER append_only ON scoring_productrevision",
        ),
        migrations.RunSQL(COUNT + KEEP, UNDO),
    ]
