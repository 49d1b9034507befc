"""Tables that people bring to the portal."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0006_jobs'),
    ]

    operations = [
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('applicants', 'Applicants'), ('outcomes', 'Outcomes')], default='applicants', max_length=10)),
                ('name', models.CharField(max_length=200)),
                ('size', models.PositiveBigIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('columns', models.JSONField()),
                ('columns_digest', models.CharField(max_length=64)),
                ('mapping', models.JSONField(default=dict)),
                ('sealed_findings', models.BinaryField(null=True)),
                ('figures', models.JSONField(null=True)),
                ('created_by', models.CharField(max_length=200)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('checking', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='scoring.job')),
                ('product', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='batches', to='scoring.product')),
                ('working', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='scoring.job')),
            ],
            options={
                'ordering': ['-created_at', '-id'],
                'indexes': [models.Index(fields=['created_at', 'id'], name='batch_by_time'), models.Index(condition=models.Q(('mapping', {}), _negated=True), fields=['product', 'kind', 'columns_digest', 'created_at'], name='batch_mapped')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['applicants', 'outcomes'])), name='batch_kind_known'), models.CheckConstraint(condition=models.Q(('checking', None), models.Q(('mapping', {}), _negated=True), _connector='OR'), name='batch_checked_as_mapped')],
            },
        ),
    ]
