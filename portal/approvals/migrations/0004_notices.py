"""Letters to applicants: settings, and each letter as it was sent; neither changes. Which ones are due is found by an index."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0003_queue_and_files'),
        ('scoring', '0009_outcomes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('decided_at', models.DateTimeField()),
                ('language', models.CharField(max_length=10)),
                ('sealed_letter', models.BinaryField()),
                ('way', models.CharField(choices=[('post', 'Post'), ('email', 'Email'), ('sms', 'Sms'), ('hand', 'Hand')], max_length=10)),
                ('sent_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='NoticeSettings',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(unique=True)),
                ('sender', models.CharField(max_length=200)),
                ('address', models.CharField(max_length=500)),
                ('email', models.CharField(max_length=254)),
                ('phone', models.CharField(blank=True, max_length=60)),
                ('authority', models.CharField(max_length=500)),
                ('reason_texts', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'ordering': ['-version'],
            },
        ),
        migrations.AddField(
            model_name='application',
            name='notice_sent_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name='application',
            index=models.Index(condition=models.Q(('notice_sent_at', None), ('state__in', ['counter_offered', 'declined'])), fields=['notice_due_at', 'id'], name='application_by_notice'),
        ),
        migrations.AddField(
            model_name='notice',
            name='application',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='notices', to='approvals.application'),
        ),
        migrations.AddField(
            model_name='notice',
            name='sent_by',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='noticesettings',
            constraint=models.CheckConstraint(condition=models.Q(('version__gte', 1)), name='noticesettings_version_counts_up'),
        ),
        migrations.AddField(
            model_name='notice',
            name='settings_used',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.noticesettings'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.UniqueConstraint(fields=('application', 'decided_at'), name='notice_one_per_decision'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.CheckConstraint(condition=models.Q(('way__in', ['post', 'email', 'sms', 'hand'])), name='notice_way_known'),
        ),
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} EXECUTE FUNCTION audit_refuse_change()",
                f"DROP TRIGGER append_only ON {table}",
            )
            for table in ("approvals_noticesettings", "approvals_notice")
        ),
    ]
