"""Rules of retention with their citations, legal holds, and runs; what a run let go stays told."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


# record class, trigger, period, unit, citation
DEFAULTS = (
    ("applicant", "notice", 25, "months", "12 CFR 1002.12(b) (Regulation B): 25 months after the applicant was told"),
    ("applicant", "closure", 5, "years", "31 CFR 1020.220(a)(3)(ii), 31 CFR 1010.430(d), FATF Recommendation 11: five years after the account was closed"),
    ("applicant", "application", 7, "years", "The portal''s own: seven years after the last application or decision"),
    ("file", "notice", 25, "months", "12 CFR 1002.12(b) (Regulation B): 25 months after the applicant was told"),
    ("file", "closure", 5, "years", "31 CFR 1020.220(a)(3)(ii), FATF Recommendation 11: five years after the account was closed"),
    ("file", "application", 25, "months", "12 CFR 1002.12(b) (Regulation B): applications and what came with them"),
    ("batch", "made", 25, "months", "12 CFR 1002.12(b) (Regulation B): as the applications that came in the table"),
    ("announcement", "made", 6, "months", "The portal''s own: what programs were told is in the record as well"),
)
INSERT = "INSERT INTO audit_retentionpolicy (id, record_class, trigger, period, unit, citation) VALUES " + ", ".join(  # nosec B608 # written above
    f"(gen_random_uuid(), '{kind}', '{trigger}', {period}, '{unit}', '{citation}')" for kind, trigger, period, unit, citation in DEFAULTS
)


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0006_privacy'),
    ]

    operations = [
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=12)),
                ('object_id', models.UUIDField()),
                ('applicant_id', models.UUIDField()),
                ('reason', models.CharField(max_length=500)),
                ('until', models.DateField(null=True)),
                ('placed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('placed_by', models.CharField(max_length=200)),
                ('lift_reason', models.CharField(blank=True, max_length=500)),
                ('lift_asked_by_id', models.CharField(blank=True, max_length=64)),
                ('lift_asked_by', models.CharField(blank=True, max_length=200)),
                ('lifted_at', models.DateTimeField(null=True)),
                ('lifted_by_id', models.CharField(blank=True, max_length=64)),
                ('lifted_by', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('lifted_at', None)), fields=['applicant_id'], name='hold_standing')],
                'constraints': [models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='hold_has_reason'), models.CheckConstraint(condition=models.Q(models.Q(('lifted_at', None), ('lifted_by_id', '')), models.Q(('lifted_at__isnull', False), models.Q(('lifted_by_id', ''), _negated=True), models.Q(('lift_asked_by_id', ''), _negated=True), models.Q(('lifted_by_id', models.F('lift_asked_by_id')), _negated=True)), _connector='OR'), name='hold_lifted_by_two')],
            },
        ),
        migrations.CreateModel(
            name='RetentionPolicy',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('record_class', models.CharField(max_length=40)),
                ('trigger', models.CharField(choices=[('application', 'the day of the last application or decision'), ('notice', 'the day the applicant was told the decision'), ('closure', 'the day the account was closed'), ('made', 'the day it was made')], max_length=12)),
                ('period', models.PositiveSmallIntegerField()),
                ('unit', models.CharField(choices=[('days', 'days'), ('months', 'months'), ('years', 'years')], max_length=6)),
                ('citation', models.CharField(max_length=300)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('changed_by', models.CharField(blank=True, db_default='', max_length=200)),
            ],
            options={
                'ordering': ['record_class', 'trigger'],
                'constraints': [models.UniqueConstraint(fields=('record_class', 'trigger'), name='retentionpolicy_one_per_event'), models.CheckConstraint(condition=models.Q(('period__gte', 1)), name='retentionpolicy_period_positive'), models.CheckConstraint(condition=models.Q(('unit__in', ['days', 'months', 'years'])), name='retentionpolicy_unit_known'), models.CheckConstraint(condition=models.Q(('citation', ''), _negated=True), name='retentionpolicy_says_why')],
            },
        ),
        migrations.CreateModel(
            name='RetentionRun',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField(unique=True)),
                ('state', models.CharField(choices=[('proposed', 'Waits for a second person'), ('confirmed', 'Under way'), ('done', 'Done'), ('refused', 'Refused'), ('outdated', 'Outdated')], default='proposed', max_length=9)),
                ('as_of', models.DateTimeField()),
                ('rules', models.JSONField()),
                ('counts', models.JSONField()),
                ('proposed_by_id', models.CharField(max_length=64)),
                ('proposed_by', models.CharField(max_length=200)),
                ('answered_by_id', models.CharField(blank=True, max_length=64)),
                ('answered_by', models.CharField(blank=True, max_length=200)),
                ('answered_at', models.DateTimeField(null=True)),
                ('lease', models.UUIDField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('certificate', models.TextField(blank=True)),
                ('signature', models.JSONField(null=True)),
            ],
            options={
                'ordering': ['-number'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'proposed')), fields=('state',), name='retentionrun_one_proposed'), models.UniqueConstraint(condition=models.Q(('state', 'confirmed')), fields=('state',), name='retentionrun_one_under_way'), models.CheckConstraint(condition=models.Q(('state__in', ['proposed', 'refused', 'outdated']), models.Q(('state__in', ['confirmed', 'done']), models.Q(('answered_by_id', ''), _negated=True), models.Q(('answered_by_id', models.F('proposed_by_id')), _negated=True)), _connector='OR'), name='retentionrun_two_people'), models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', False), ('state', 'done'), models.Q(('certificate', ''), _negated=True)), models.Q(models.Q(('state', 'done'), _negated=True), ('finished_at', None)), _connector='OR'), name='retentionrun_done_whole')],
            },
        ),
        migrations.CreateModel(
            name='Gone',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('record_class', models.CharField(max_length=40)),
                ('object_id', models.CharField(max_length=64)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='gone', to='audit.retentionrun')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('run', 'record_class', 'object_id'), name='gone_once')],
            },
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_gone EXECUTE FUNCTION audit_refuse_change()",
            "DROP TRIGGER append_only ON audit_gone",
        ),
        migrations.RunSQL(INSERT, migrations.RunSQL.noop),
    ]
