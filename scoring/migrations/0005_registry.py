"""States of a model version, requests to promote one, and what a challenger would have decided."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# A request is answered once; what was asked never changes.
ASKED = """
CREATE TRIGGER asked_stays BEFORE UPDATE ON scoring_promotionrequest FOR EACH ROW
WHEN (OLD.state <> 'open' OR
      (OLD.id, OLD.product_id, OLD.version_id, OLD.reason, OLD.is_card_read, OLD.card_sha256, OLD.asked_by_id, OLD.asked_at)
      IS DISTINCT FROM
      (NEW.id, NEW.product_id, NEW.version_id, NEW.reason, NEW.is_card_read, NEW.card_sha256, NEW.asked_by_id, NEW.asked_at))
EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER asked_is_kept BEFORE DELETE OR TRUNCATE ON scoring_promotionrequest EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scoring_shadow EXECUTE FUNCTION audit_refuse_change()
"""
UNDO = """
DROP TRIGGER asked_stays ON scoring_promotionrequest;
DROP TRIGGER asked_is_kept ON scoring_promotionrequest;
DROP TRIGGER append_only ON scoring_shadow
"""


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0004_storage'),
        ('audit', '0002_append_only'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PromotionRequest',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('reason', models.CharField(max_length=500)),
                ('is_card_read', models.BooleanField()),
                ('card_sha256', models.CharField(blank=True, max_length=64)),
                ('asked_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('state', models.CharField(choices=[('open', 'Open'), ('confirmed', 'Confirmed'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn'), ('lapsed', 'Lapsed')], default='open', max_length=10)),
                ('answered_at', models.DateTimeField(null=True)),
                ('answer', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'ordering': ['-asked_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Shadow',
            fields=[
                ('id', models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('decided_at', models.DateTimeField()),
                ('probability', models.FloatField()),
                ('score', models.SmallIntegerField()),
                ('band', models.CharField(choices=[('VERY_LOW', 'Very low'), ('LOW', 'Low'), ('MEDIUM', 'Medium'), ('HIGH', 'High'), ('VERY_HIGH', 'Very high')], max_length=10)),
                ('outcome', models.CharField(choices=[('approve', 'Approve'), ('refer', 'Refer'), ('decline', 'Decline')], max_length=10)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='modelversion',
            name='modelversion_state_known',
        ),
        migrations.AddField(
            model_name='modelversion',
            name='challenged_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='shadowed_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='trained_by_id',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='promotion',
            name='actor_kind',
            field=models.CharField(blank=True, db_default='', max_length=10),
        ),
        migrations.AlterField(
            model_name='modelversion',
            name='state',
            field=models.CharField(choices=[('draft', 'Draft'), ('candidate', 'Candidate'), ('challenger', 'Challenger'), ('champion', 'Champion'), ('retired', 'Retired')], default='candidate', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'challenger')), fields=('product',), name='modelversion_one_challenger'),
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'candidate', 'challenger', 'champion', 'retired'])), name='modelversion_state_known'),
        ),
        migrations.AddField(
            model_name='promotionrequest',
            name='answered_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='promotionrequest',
            name='asked_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='promotionrequest',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotion_requests', to='scoring.product'),
        ),
        migrations.AddField(
            model_name='promotionrequest',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotion_requests', to='scoring.modelversion'),
        ),
        migrations.AddField(
            model_name='promotion',
            name='request',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='promotion', to='scoring.promotionrequest'),
        ),
        migrations.AddConstraint(
            model_name='promotion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('action', 'promote'), _negated=True), ('request__isnull', False), models.Q(('actor_kind__in', ['user', 'api_key']), _negated=True), _connector='OR'), name='promotion_has_second_person'),
        ),
        migrations.AddField(
            model_name='shadow',
            name='decision',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='shadows', to='scoring.decision'),
        ),
        migrations.AddField(
            model_name='shadow',
            name='version',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='shadows', to='scoring.modelversion'),
        ),
        migrations.AddConstraint(
            model_name='promotionrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('product',), name='promotionrequest_one_open'),
        ),
        migrations.AddConstraint(
            model_name='promotionrequest',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['open', 'confirmed', 'refused', 'withdrawn', 'lapsed'])), name='promotionrequest_state_known'),
        ),
        migrations.AddConstraint(
            model_name='promotionrequest',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='promotionrequest_has_reason'),
        ),
        migrations.AddConstraint(
            model_name='promotionrequest',
            constraint=models.CheckConstraint(condition=models.Q(('is_card_read', True)), name='promotionrequest_card_read'),
        ),
        migrations.AddConstraint(
            model_name='promotionrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answered_at', None), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('answered_at__isnull', False)), _connector='OR'), name='promotionrequest_answered_once'),
        ),
        migrations.AddConstraint(
            model_name='promotionrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['confirmed', 'refused']), _negated=True), models.Q(('answered_by__isnull', False), models.Q(('answered_by', models.F('asked_by')), _negated=True)), _connector='OR'), name='promotionrequest_second_person'),
        ),
        migrations.AddIndex(
            model_name='shadow',
            index=models.Index(fields=['version', 'decided_at'], name='shadow_by_time'),
        ),
        migrations.AddConstraint(
            model_name='shadow',
            constraint=models.UniqueConstraint(fields=('decision', 'version'), name='shadow_one_per_version'),
        ),
        migrations.AddConstraint(
            model_name='shadow',
            constraint=models.CheckConstraint(condition=models.Q(('probability__gte', 0), ('probability__lte', 1)), name='shadow_probability_in_range'),
        ),
        migrations.AddConstraint(
            model_name='shadow',
            constraint=models.CheckConstraint(condition=models.Q(('score__gte', 300), ('score__lte', 850)), name='shadow_score_in_range'),
        ),
        migrations.AddConstraint(
            model_name='shadow',
            constraint=models.CheckConstraint(condition=models.Q(('band__in', ['VERY_LOW', 'LOW', 'MEDIUM', 'HIGH', 'VERY_HIGH'])), name='shadow_band_known'),
        ),
        migrations.AddConstraint(
            model_name='shadow',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__in', ['approve', 'refer', 'decline'])), name='shadow_outcome_known'),
        ),
        migrations.RunSQL(ASKED, UNDO),
    ]
