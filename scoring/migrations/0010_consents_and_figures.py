"""What applicants allowed, in a table that only grows; figures of hours that are over; indexes for lists by time and failed work."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0009_outcomes'),
        ('audit', '0002_append_only'),
    ]

    operations = [
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('use_of_data', 'Use of their data for a credit decision'), ('automated_decision', 'A decision by a program alone'), ('credit_report', 'A report from a credit bureau'), ('sharing', 'Passing data on to others'), ('contact', 'Messages about other offers')], max_length=20)),
                ('is_given', models.BooleanField()),
                ('at', models.DateTimeField()),
                ('how', models.CharField(choices=[('signed', 'Signed on paper'), ('spoken', 'Told in person'), ('telephone', 'By telephone'), ('written', 'By letter or message'), ('online', 'In an app or on a website')], max_length=10)),
                ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor_kind', models.CharField(max_length=10)),
                ('actor_id', models.CharField(blank=True, max_length=64)),
                ('actor_label', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'ordering': ['-at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='HourFigures',
            fields=[
                ('hour', models.DateTimeField(primary_key=True, serialize=False)),
                ('counts', models.JSONField()),
            ],
        ),
        migrations.AddIndex(
            model_name='applicant',
            index=models.Index(fields=['created_at', 'id'], name='applicant_by_time'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('state', 'failed')), fields=['finished_at'], name='job_failed'),
        ),
        migrations.AddField(
            model_name='consent',
            name='applicant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='consents', to='scoring.applicant'),
        ),
        migrations.AddIndex(
            model_name='consent',
            index=models.Index(fields=['applicant', 'at', 'id'], name='consent_by_applicant'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['use_of_data', 'automated_decision', 'credit_report', 'sharing', 'contact'])), name='consent_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.CheckConstraint(condition=models.Q(('how__in', ['signed', 'spoken', 'telephone', 'written', 'online'])), name='consent_way_known'),
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scoring_consent EXECUTE FUNCTION audit_refuse_change()",
            "DROP TRIGGER append_only ON scoring_consent",
        ),
    ]
