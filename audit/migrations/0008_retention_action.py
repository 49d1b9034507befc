"""A rule of retention says what is done; an erasure may come from a run of retention instead of a request."""

from django.db import migrations, models

USUAL = """
    UPDATE audit_retentionpolicy
    SET action = CASE record_class WHEN 'applicant' THEN 'erase' WHEN 'batch' THEN 'anonymise' ELSE 'delete' END
"""


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0007_retention'),
    ]

    operations = [
        migrations.AddField(
            model_name='retentionpolicy',
            name='action',
            field=models.CharField(choices=[('erase', 'Erase: the key of its content is destroyed, the record stays provable'), ('anonymise', 'Anonymise: what names somebody goes, figures stay'), ('delete', 'Delete')], default='delete', max_length=9),
            preserve_default=False,
        ),
        migrations.RunSQL(USUAL, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='retentionpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('action__in', ['erase', 'anonymise', 'delete'])), name='retentionpolicy_action_known'),
        ),
        migrations.AddField(model_name='erasure', name='run_number', field=models.PositiveIntegerField(null=True)),
        migrations.AlterField(model_name='erasure', name='request_number', field=models.PositiveIntegerField(null=True)),
        migrations.AddConstraint(
            model_name='erasure',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('request_number', None), ('run_number__gt', 0)), models.Q(('request_number__gt', 0), ('run_number', None)), _connector='OR'), name='erasure_under_one'),
        ),
    ]
