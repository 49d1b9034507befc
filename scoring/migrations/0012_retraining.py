"""When products are trained again by themselves."""

import audit.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0010_consents_and_figures'),
    ]

    operations = [
        migrations.CreateModel(
            name='RetrainingPlan',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('weekday', models.PositiveSmallIntegerField(null=True)),
                ('next_on', models.DateField(null=True)),
                ('tables', models.JSONField(default=dict)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('changed_by', models.CharField(max_length=200)),
                ('product', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='retraining_plan', to='scoring.product')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('next_on', None), ('weekday', None)), models.Q(('next_on__isnull', False), ('weekday__lte', 6)), _connector='OR'), name='retrainingplan_day_known')],
            },
        ),
    ]
