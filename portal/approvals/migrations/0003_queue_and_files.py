"""Files on applications, saved views of the queue, and indexes for its order by amount and by end."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0002_append_only'),
        ('audit', '0002_append_only'),
        ('scoring', '0009_outcomes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApplicationFile',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('pdf', 'PDF'), ('png', 'PNG'), ('jpeg', 'JPEG'), ('text', 'Text')], max_length=4)),
                ('sealed_name', models.BinaryField()),
                ('size_bytes', models.PositiveIntegerField()),
                ('digest', models.BinaryField(max_length=32)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='SavedView',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=40)),
                ('query', models.CharField(max_length=500)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.AddIndex(
            model_name='application',
            index=models.Index(models.OrderBy(django.db.models.functions.comparison.Coalesce('decided_at', 'created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('state__in', ['in_review', 'needs_information', 'new']), _negated=True), name='application_by_end'),
        ),
        migrations.AddIndex(
            model_name='application',
            index=models.Index(fields=['amount_minor', 'id'], name='application_by_amount'),
        ),
        migrations.AddField(
            model_name='applicationfile',
            name='application',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='files', to='approvals.application'),
        ),
        migrations.AddField(
            model_name='applicationfile',
            name='uploaded_by',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='savedview',
            name='user',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='saved_views', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='applicationfile',
            index=models.Index(fields=['application', 'id'], name='applicationfile_by_application'),
        ),
        migrations.AddConstraint(
            model_name='applicationfile',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['pdf', 'png', 'jpeg', 'text'])), name='applicationfile_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='applicationfile',
            constraint=models.CheckConstraint(condition=models.Q(('size_bytes__gte', 1)), name='applicationfile_not_empty'),
        ),
        migrations.AddConstraint(
            model_name='savedview',
            constraint=models.UniqueConstraint(fields=('user', 'name'), name='savedview_one_name'),
        ),
        migrations.AddConstraint(
            model_name='savedview',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='savedview_has_name'),
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approvals_applicationfile"
            " EXECUTE FUNCTION audit_refuse_change()",
            "DROP TRIGGER append_only ON approvals_applicationfile",
        ),
    ]
