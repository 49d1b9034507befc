"""What makes proofs quick over a long record, checks of the whole record, and what events are looked for by."""

import django.db.models.functions.datetime
from django.db import migrations, models

import audit.ids


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_storage")]

    operations = [
        migrations.CreateModel(
            name="Subtree",
            fields=[
                ("id", models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("level", models.PositiveSmallIntegerField()),
                ("number", models.BigIntegerField()),
                ("node_hash", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.AddConstraint(
            model_name="subtree", constraint=models.UniqueConstraint(fields=("level", "number"), name="subtree_once")
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_subtree EXECUTE FUNCTION audit_refuse_change()",
            "DROP TRIGGER append_only ON audit_subtree",
        ),
        migrations.CreateModel(
            name="Verification",
            fields=[
                ("id", models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("running", "Running"), ("held", "In order"), ("failed", "Not in order")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("total", models.BigIntegerField(default=0)),
                ("checked", models.BigIntegerField(default=0)),
                ("decisions", models.BigIntegerField(default=0)),
                ("position", models.BigIntegerField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("asked_by", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddConstraint(
            model_name="verification",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "running", "held", "failed"])), name="verification_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="verification",
            constraint=models.UniqueConstraint(
                models.Value(1), condition=models.Q(("finished_at", None)), name="verification_one_at_a_time"
            ),
        ),
        migrations.AddIndex(model_name="event", index=models.Index(fields=["actor_id", "id"], name="event_by_actor")),
        migrations.AddIndex(model_name="event", index=models.Index(fields=["request_id"], name="event_by_request")),
    ]
