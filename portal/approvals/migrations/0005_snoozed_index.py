"""Applications that are put off are found by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('approvals', '0004_notices')]

    operations = [
        migrations.AddIndex(
            model_name='application',
            index=models.Index(
                condition=models.Q(('snoozed_until__isnull', False)), fields=['snoozed_until'], name='application_by_snooze'
            ),
        ),
    ]
