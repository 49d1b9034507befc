"""Sealed bytes do not compress: nobody tries, and large ones lie beside the rows that lists and figures read."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("scoring", "0003_revisions")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE scoring_decision ALTER COLUMN sealed SET STORAGE EXTERNAL;"
            "ALTER TABLE scoring_modelversion ALTER COLUMN bundle SET STORAGE EXTERNAL",
            "ALTER TABLE scoring_decision ALTER COLUMN sealed SET STORAGE EXTENDED;"
            "ALTER TABLE scoring_modelversion ALTER COLUMN bundle SET STORAGE EXTENDED",
        )
    ]
