"""What really happened to those who were decided about, in a table that only grows."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0008_batches'),
        ('audit', '0002_append_only'),
    ]

    operations = [
        migrations.CreateModel(
            name='Outcome',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('repaid', 'Repaid'), ('late', 'Repaid late'), ('defaulted', 'Defaulted'), ('written_off', 'Written off')], max_length=12)),
                ('value', models.PositiveSmallIntegerField()),
                ('amount', models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('observed_on', models.DateField()),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('source', models.CharField(choices=[('api', 'API'), ('file', 'File'), ('form', 'Form')], max_length=5)),
                ('actor_kind', models.CharField(max_length=10)),
                ('actor_id', models.CharField(blank=True, max_length=64)),
                ('actor_label', models.CharField(blank=True, max_length=200)),
                ('decision', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='scoring.decision')),
                ('supersedes', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='superseded_by', to='scoring.outcome')),
            ],
            options={
                'ordering': ['recorded_at', 'id'],
                'indexes': [models.Index(fields=['decision', 'id'], name='outcome_by_decision')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('supersedes', None)), fields=('decision',), name='outcome_one_first'), models.CheckConstraint(condition=models.Q(('kind__in', ['repaid', 'late', 'defaulted', 'written_off'])), name='outcome_kind_known'), models.CheckConstraint(condition=models.Q(('source__in', ['api', 'file', 'form'])), name='outcome_source_known'), models.CheckConstraint(condition=models.Q(('value__in', [0, 1])), name='outcome_value_is_target'), models.CheckConstraint(condition=models.Q(models.Q(('amount', None), ('currency', '')), models.Q(('amount__gte', 0), models.Q(('currency', ''), _negated=True)), _connector='OR'), name='outcome_amount_has_currency')],
            },
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scoring_outcome EXECUTE FUNCTION audit_refuse_change()",
            "DROP TRIGGER append_only ON scoring_outcome",
        ),
    ]
