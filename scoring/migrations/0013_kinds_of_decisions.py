"""Decisions of a kind, however rare, are found by one short range of an index for each kind; nothing asked for those referred alone."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('scoring', '0012_retraining')]

    operations = [
        migrations.RemoveIndex(model_name='decision', name='decision_referred'),
        migrations.AddIndex(
            model_name='decision',
            index=models.Index(fields=['product', 'outcome', 'band', 'answered_by', 'created_at', 'id'], name='decision_by_kind'),
        ),
        migrations.AddIndex(
            model_name='decision',
            index=models.Index(
                fields=['product', 'score', 'created_at', 'id'], include=['outcome', 'band', 'answered_by'], name='decision_by_score'
            ),
        ),
    ]
