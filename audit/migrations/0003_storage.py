"""Sealed bytes do not compress: stored answers, short-lived, stay in their rows and nobody tries."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE audit_idempotency ALTER COLUMN sealed_response SET STORAGE EXTERNAL, SET (toast_tuple_target = 8160)",
            "ALTER TABLE audit_idempotency ALTER COLUMN sealed_response SET STORAGE EXTENDED, RESET (toast_tuple_target)",
        )
    ]
