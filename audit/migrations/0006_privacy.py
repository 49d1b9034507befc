"""Requests of applicants, erasures and alerts; what was done about them stays."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

TABLES = ("audit_privacystep", "audit_privacyterms", "audit_erasure")


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0005_proof'),
    ]

    operations = [
        migrations.CreateModel(
            name='PrivacyTerms',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(unique=True)),
                ('days', models.JSONField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'ordering': ['-version'],
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('object_kind', models.CharField(max_length=60)),
                ('object_id', models.CharField(max_length=100)),
                ('detail', models.JSONField(default=dict)),
                ('times', models.PositiveIntegerField(default=1)),
                ('raised_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('closed_by', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('kind', 'object_kind', 'object_id'), name='alert_one_open')],
            },
        ),
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('applicant_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('request_number', models.PositiveIntegerField()),
                ('event_id', models.UUIDField()),
                ('erased_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['erased_at'], name='erasure_by_time')],
            },
        ),
        migrations.CreateModel(
            name='PrivacyRequest',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField(unique=True)),
                ('kind', models.CharField(choices=[('access', 'Access to their data'), ('portability', 'Their data to take elsewhere'), ('rectification', 'Correction of their data'), ('objection', 'Objection to a decision by a program'), ('erasure', 'Erasure')], max_length=13)),
                ('applicant_id', models.UUIDField()),
                ('decision_id', models.UUIDField(null=True)),
                ('language', models.CharField(default='en', max_length=10)),
                ('received_on', models.DateField()),
                ('due_on', models.DateField()),
                ('state', models.CharField(choices=[('open', 'Open'), ('proposed', 'Waits for a second person'), ('done', 'Done'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn')], default='open', max_length=9)),
                ('sealed_statement', models.BinaryField(null=True)),
                ('proposed_by_id', models.CharField(blank=True, max_length=64)),
                ('proposed_by', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.CharField(max_length=200)),
                ('closed_at', models.DateTimeField(null=True)),
                ('closed_by', models.CharField(blank=True, max_length=200)),
                ('because', models.CharField(blank=True, max_length=500)),
                ('certificate', models.JSONField(null=True)),
            ],
            options={
                'ordering': ['-number'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['open', 'proposed'])), fields=['due_on', 'number'], name='privacyrequest_open'), models.Index(fields=['applicant_id', 'number'], name='privacyrequest_by_applicant')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['access', 'portability', 'rectification', 'objection', 'erasure'])), name='privacyrequest_kind_known'), models.CheckConstraint(condition=models.Q(('state__in', ['open', 'proposed', 'done', 'refused', 'withdrawn'])), name='privacyrequest_state_known'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'proposed'), _negated=True), models.Q(('proposed_by_id', ''), _negated=True), _connector='OR'), name='privacyrequest_proposed'), models.CheckConstraint(condition=models.Q(models.Q(('certificate', None), ('closed_at', None), ('state__in', ['open', 'proposed'])), models.Q(('certificate__isnull', False), ('closed_at__isnull', False), ('state__in', ['done', 'refused', 'withdrawn'])), _connector='OR'), name='privacyrequest_closed_whole'), models.UniqueConstraint(condition=models.Q(('kind', 'erasure'), ('state__in', ['open', 'proposed'])), fields=('applicant_id',), name='privacyrequest_one_erasure')],
            },
        ),
        migrations.CreateModel(
            name='PrivacyStep',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(choices=[('received', 'Received'), ('copied', 'A copy of their data was made'), ('rectified', 'Their data was corrected'), ('reviewed', 'A person looks at the decision again'), ('proposed', 'Erasure proposed to a second person'), ('declined', 'The second person does not agree'), ('stopped', 'A rule stands against it'), ('erased', 'Erased'), ('closed', 'Answered')], max_length=9)),
                ('detail', models.JSONField(default=dict)),
                ('actor_kind', models.CharField(max_length=10)),
                ('actor_id', models.CharField(blank=True, max_length=64)),
                ('actor', models.CharField(blank=True, max_length=200)),
                ('at', models.DateTimeField()),
                ('request', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='audit.privacyrequest')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['request', 'id'], name='privacystep_by_request')],
            },
        ),
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} EXECUTE FUNCTION audit_refuse_change()",
                f"DROP TRIGGER append_only ON {table}",
            )
            for table in TABLES
        ),
    ]
