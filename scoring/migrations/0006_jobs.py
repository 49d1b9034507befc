"""Jobs come in chunks, each finished in the commit that stores its decisions."""

import audit.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0005_registry'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='is_split',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='job',
            name='problem',
            field=models.CharField(blank=True, db_default='', default='', max_length=500),
        ),
        migrations.CreateModel(
            name='JobChunk',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('rows', models.PositiveIntegerField()),
                ('sealed_input', models.BinaryField(null=True)),
                ('lease', models.UUIDField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('done', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('sealed_result', models.BinaryField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='scoring.job')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('finished_at', None)), fields=['job', 'number'], name='jobchunk_open')],
                'constraints': [models.UniqueConstraint(fields=('job', 'number'), name='jobchunk_one_number'), models.CheckConstraint(condition=models.Q(('done__lte', models.F('rows')), ('failed__lte', models.F('rows'))), name='jobchunk_counts_add_up'), models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('sealed_input__isnull', False), ('sealed_result', None)), models.Q(('finished_at__isnull', False), ('sealed_input', None), ('sealed_result__isnull', False)), _connector='OR'), name='jobchunk_finished_whole')],
            },
        ),
        # What is sealed was compressed before.
        migrations.RunSQL(
            "ALTER TABLE scoring_jobchunk ALTER COLUMN sealed_input SET STORAGE EXTERNAL, ALTER COLUMN sealed_result SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
    ]
