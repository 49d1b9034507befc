"""Months are kept as they were counted, and what waits for a person is found by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('approvals', '0005_snoozed_index')]

    operations = [
        migrations.CreateModel(
            name='MonthFigures',
            fields=[
                ('begins_at', models.DateTimeField(primary_key=True, serialize=False)),
                ('ends_at', models.DateTimeField()),
                ('figures', models.JSONField()),
                ('counted_at', models.DateTimeField()),
                ('seconds', models.FloatField()),
            ],
        ),
        migrations.AddIndex(
            model_name='application',
            index=models.Index(
                condition=models.Q(('assigned_to__isnull', False), ('state__in', ['in_review', 'needs_information', 'new'])),
                fields=['assigned_to', 'state', 'due_at'], name='application_of_person',
            ),
        ),
    ]
